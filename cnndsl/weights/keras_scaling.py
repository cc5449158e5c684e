"""What a Keras model does to images before its first layer, as preprocessing beside the weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from cnndsl.weights.keras_graph import KerasGraph, KerasLayer
from cnndsl.weights.keras_tensors import Tensors
from cnndsl.weights.model_info import ModelInfo, of_pixels

INACTIVE = (
    "Random", "Gaussian", "Alpha", "Spatial", "ActivityRegularization", "AutoContrast", "Solariz",
)  # fmt: skip
"""Starts of the names of layers that do nothing at inference."""


def scaling(graph: KerasGraph, tensors: Mapping[int, Tensors]) -> tuple[set[int], ModelInfo]:
    """The layers behind the input that only scale it, and the mean and deviation that they are.

    Keras's images are in 0…255: weight · x + bias of these is (x / 255 − mean) / std here.
    """
    layers, found, weight, bias = graph.layers, set[int](), np.ones(1), np.zeros(1)
    here = next((i for i, layer in enumerate(layers) if not layer.inputs), -1)
    while len(readers := [i for i, layer in enumerate(layers) if here in layer.inputs]) == 1:
        (here,) = readers
        if layers[here].kind.startswith(INACTIVE):
            continue
        factor = _factor(layers[here], tensors.get(here, {}))
        if factor is None:
            break
        weight, bias = weight * factor[0], bias * factor[0] + factor[1]
        found.add(here)
    return found, of_pixels(weight, bias) if found else ModelInfo()


def _factor(layer: KerasLayer, tensors: Tensors) -> tuple[Any, Any] | None:
    """Weight and bias of a layer that only scales images; None for another layer."""
    if layer.kind == "Rescaling":
        scale, offset = (layer.config.get(name, 0) for name in ("scale", "offset"))
        return np.ravel(np.asarray(scale, float)), np.ravel(np.asarray(offset, float))
    if layer.kind == "Normalization" and not layer.config.get("invert"):
        mean, variance = (_statistic(layer, tensors, name) for name in ("mean", "variance"))
        deviation = np.maximum(np.sqrt(variance), 1e-7)
        return 1 / deviation, -mean / deviation
    return None


def _statistic(layer: KerasLayer, tensors: Tensors, name: str) -> Any:
    """From the variables, or from the configuration, where it was given."""
    given = layer.config.get(name)
    return np.ravel(np.asarray(tensors[name] if given is None else given, float))
