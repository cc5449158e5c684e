"""First weights that are made from the training images: the kernels of `init=whiten`."""

from collections.abc import Container, Iterator
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from cnndsl.backend.artifact import inference_model
from cnndsl.backend.inference import Options
from cnndsl.backend.step import StepOptions
from cnndsl.init import whitening, whitening_directions
from cnndsl.ir import Model, Node
from cnndsl.layers.conv import Conv
from cnndsl.runtime.session import open_session
from cnndsl.shapes import reach_2d, short
from cnndsl.source import UserError
from cnndsl.training.nan import normalised
from cnndsl.weights.base import Weights
from cnndsl.weights.model_info import ModelInfo

_IMAGES, _BATCH = 5000, 250
_VALUES = 1 << 26  # in windows; many more than there are numbers in a covariance
Floats = NDArray[np.float32]


def whitens(model: Model) -> bool:
    """Whether any layer has `init=whiten`."""
    return any(_is_whitened(node) for node in model.nodes)


def whitened(
    model: Model, weights: Weights, images: NDArray[Any], info: ModelInfo, drawn: Container[str]
) -> dict[str, Floats]:
    """The weights, with the kernels of `init=whiten` made from images, which `info` normalises.

    Images are N×C×H×W; up to 5,000 of them are looked at, evenly spaced. `drawn` names the tensors
    that are fresh: others stay.
    """
    found = dict(weights)
    options = StepOptions(_BATCH, mean=info.mean, std=info.std)
    for node in model.nodes:
        name = f"{node.path}.weight"
        if _is_whitened(node) and name in drawn:
            count = min(_IMAGES, max(1, _VALUES // _windowed(node, found[name])))
            chosen = normalised(images[:: -(-len(images) // count)], options)
            found[name] = _kernels(node, found[name], _reaching(model, node, found, chosen))
    return found


def _windowed(node: Node, weights: Floats) -> int:
    """Numbers in all windows of an image, at most about the size of the input times the kernel."""
    layer = node.layer
    assert isinstance(layer, Conv)
    _, height, width = node.shape
    stride = layer.stride[0] * layer.stride[1]
    return height * width * stride * layer.groups * prod(weights.shape[1:])


def _is_whitened(node: Node) -> bool:
    return isinstance(node.layer, Conv) and node.layer.init == "whiten"


def _reaching(model: Model, node: Node, weights: Weights, images: Floats) -> Iterator[Floats]:
    """What reaches a layer of the images, in batches."""
    batches = (images[at : at + _BATCH] for at in range(0, len(images), _BATCH))
    (before,) = node.inputs
    if not before:
        return batches
    cut = replace(model, nodes=model.nodes[: before + 1], outputs={"reached": before})
    graph = inference_model(cut, weights, Options()).SerializeToString()
    session = open_session(graph, "cpu")
    return (session.run(None, {"input": x})[0] for x in batches)


def _kernels(node: Node, weights: Floats, batches: Iterator[Floats]) -> Floats:
    """The filters of each group, from the covariance of its windows."""
    layer = node.layer
    assert isinstance(layer, Conv)
    groups = weights.reshape(layer.groups, -1, *weights.shape[1:])
    moments = [_Moments() for _ in groups]
    for x in batches:
        parts = np.split(x, layer.groups, axis=1)
        for moment, part in zip(moments, parts, strict=True):
            moment.add(_windows(part, layer))
    filters = [
        whitening(group, whitening_directions(moment.covariance))
        for group, moment in zip(groups, moments, strict=True)
    ]
    return np.concatenate(filters).astype(np.float32)


def _windows(x: Floats, layer: Conv) -> Floats:
    """The windows inside of the images, as rows of channels · kernel."""
    window, (height, width) = reach_2d(layer.kernel, layer.dilation), x.shape[2:]
    if window[0] > height or window[1] > width:
        raise UserError(
            f"init=whiten: a window of {short(window)} is not inside of {short((height, width))} "
            "pixels\n  take a smaller kernel, or `init=orthogonal`"
        )
    down, right = layer.dilation
    views = sliding_window_view(x, window, axis=(2, 3))[..., ::down, ::right]
    return np.moveaxis(views, 1, 3).reshape(-1, x.shape[1] * layer.kernel[0] * layer.kernel[1])


class _Moments:
    """Mean and covariance of rows that come in parts."""

    def __init__(self) -> None:
        self.count, self.total, self.products = 0, np.zeros(()), np.zeros(())

    def add(self, rows: Floats) -> None:
        """More rows."""
        self.count += len(rows)
        self.total = self.total + rows.sum(0, dtype=np.float64)
        self.products = self.products + (rows.T @ rows).astype(np.float64)

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Of all rows."""
        mean = self.total / self.count
        return self.products / self.count - np.outer(mean, mean)
