"""Files as Keras writes them, made with h5py alone: configurations by hand, variables in order."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import h5py
import numpy as np

Arrays = list[np.ndarray]
Layer = tuple[dict[str, Any], Arrays]


def layer(kind: str, name: str, *arrays: np.ndarray, **config: Any) -> Layer:
    """A layer's entry in a configuration, and its variables."""
    return {"class_name": kind, "name": name, "config": {"name": name, **config}}, list(arrays)


def on(entry: Layer, *names: str, constant: Any = None) -> Layer:
    """The layer called on the first tensor of others, as Keras 3 writes it."""
    tensors = [{"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}
               for name in names]  # fmt: skip
    given = tensors if len(tensors) == 1 else [tensors]
    more = [] if constant is None else [constant]
    call = {"args": [*given, *more], "kwargs": {}}
    return {**entry[0], "inbound_nodes": [call]}, entry[1]


def sequential(layers: list[Layer], shape: tuple[int, ...]) -> dict[str, Any]:
    start = {"class_name": "InputLayer", "name": "in", "config": {"batch_shape": [None, *shape]}}
    return {"class_name": "Sequential", "config": {"layers": [start, *(e for e, _ in layers)]}}


def functional(layers: list[Layer], start: str, *ends: str) -> dict[str, Any]:
    return {
        "class_name": "Functional",
        "config": {"layers": [entry for entry, _ in layers], "input_layers": [[start, 0, 0]],
                   "output_layers": [[end, 0, 0] for end in ends]},
    }  # fmt: skip


def weights_h5(layers: list[Layer], paths: list[str]) -> bytes:
    """`layers/conv2d/vars/0`; the paths are given, as Keras makes them of classes."""
    content = BytesIO()
    with h5py.File(content, "w") as file:
        for (_, arrays), path in zip(layers, paths, strict=True):
            group = file.create_group(f"layers/{path}/vars")
            for i, array in enumerate(arrays):
                group[str(i)] = array
    return content.getvalue()


def write_keras(path: Path, config: dict[str, Any], weights: bytes) -> Path:
    with ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights)
    return path


def write_h5(
    path: Path, layers: list[Layer], names: list[list[str]], config: dict[str, Any] | None = None
) -> Path:
    """As Keras 2 does: the variables by name, listed in attributes."""
    with h5py.File(path, "w") as file:
        if config is not None:
            file.attrs["model_config"] = json.dumps(config)
        group = file if config is None else file.create_group("model_weights")
        group.attrs["layer_names"] = [entry["name"].encode() for entry, _ in layers]
        for (entry, arrays), variables in zip(layers, names, strict=True):
            inside = group.create_group(entry["name"])
            full = [f"{entry['name']}/{variable}:0" for variable in variables]
            inside.attrs["weight_names"] = [name.encode() for name in full]
            for name, array in zip(full, arrays, strict=True):
                inside[name] = array
    return path
