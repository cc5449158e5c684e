"""Models and weights of Keras: `.keras`, `.weights.h5`, and `.h5` of Keras 2 and 3.

Nothing in them is run: a configuration is read as data, and a layer that is a program is refused.
Source: keras.io/guides/serialization_and_saving.
"""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cnndsl.source import UserError
from cnndsl.weights.archive import checked_archive, names_of
from cnndsl.weights.base import Order, RawWeights, Refused, WeightsFormat, first_bytes, one_line
from cnndsl.weights.graph_order import walked
from cnndsl.weights.hdf5 import attribute, opened
from cnndsl.weights.keras_graph import KerasGraph, KerasLayer, NoGraph, graph_of
from cnndsl.weights.keras_scaling import scaling
from cnndsl.weights.keras_store import Store, by_name, by_path, counted, layer_list, legacy_group
from cnndsl.weights.keras_tensors import KERNELS, Tensors, turned

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_LARGEST_CONFIG = 64 * 2**20  # bytes
_COMMUTING = frozenset({"Add", "Multiply", "Maximum", "Minimum", "Average"})
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class KerasModel:
    """The graph of a model and the tensors of its layers, by position, in our layouts."""

    graph: KerasGraph
    tensors: Mapping[int, Tensors]

    @property
    def order(self) -> list[int]:
        """The positions of its layers, in the order of a walk from its outputs."""
        layers = self.graph.layers
        kernels = {i: KERNELS.get(layer.kind, 0) for i, layer in enumerate(layers)}
        commuting = {i for i, layer in enumerate(layers) if layer.kind in _COMMUTING}
        inputs = [layer.inputs for layer in layers]
        return walked(inputs, self.graph.outputs, kernels, commuting)


class Keras(WeightsFormat):
    """A `.keras` archive: the configuration, and the weights as HDF5."""

    extensions = (".keras",)

    def recognises(self, path: Path) -> bool:
        """A zip with a configuration."""
        return _CONFIG in names_of(path)

    def read(self, path: Path) -> RawWeights:
        """The tensors in the order of the graph; UserError for what is damaged or a program."""
        return _raw(read_model(path))


class Hdf5(WeightsFormat):
    """HDF5 as Keras writes it: whole models with their configuration, or weights alone."""

    extensions = (".h5", ".hdf5")

    def recognises(self, path: Path) -> bool:
        """The signature of HDF5."""
        return first_bytes(path, 8) == _SIGNATURE

    def read(self, path: Path) -> RawWeights:
        """The tensors, in the order of the graph where the file tells it."""
        with _guarded(path), opened(path) as root:
            if attribute(root, "model_config"):
                return _raw(_whole_h5(root))
            if legacy_group(root) is not None:
                return RawWeights(
                    layer_list(root), order=Order.CHAIN, channels_last=True, simplified=True
                )
            tensors, notes = counted(root)
            return RawWeights(
                tensors, order=Order.COUNTERS, channels_last=True, simplified=True, notes=notes
            )


def is_keras(path: Path) -> bool:
    """Whether a file is an archive of Keras, or HDF5; UserError where it cannot be read."""
    try:
        return first_bytes(path, 8) == _SIGNATURE or _CONFIG in names_of(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None


def read_model(path: Path) -> KerasModel:
    """A `.keras`, or an `.h5` that has its configuration; UserError for others."""
    with _guarded(path):
        if first_bytes(path, 8) != _SIGNATURE:
            return _archived(path)
        with opened(path) as root:
            if not attribute(root, "model_config"):
                raise NoGraph(
                    'holds weights without their layers: model.save("model.keras") writes both'
                )
            return _whole_h5(root)


@contextmanager
def _guarded(path: Path) -> Generator[None]:
    """Whatever a damaged or hostile file raises becomes one UserError."""
    try:
        yield
    except UserError:
        raise
    except NoGraph as error:
        raise UserError(f"{path}: {error}") from None
    except Refused as refused:
        raise UserError(f"{path} holds {refused}, which is not read") from None
    except Exception as error:  # what is damaged raises a dozen unrelated types
        raise UserError(
            f"{path}: cannot be read as a file of Keras: {one_line(error)}\n"
            "  take another copy of the file"
        ) from None


def _archived(path: Path) -> KerasModel:
    with checked_archive(path) as archive:
        if _WEIGHTS not in archive.namelist():
            raise NoGraph(f"has no {_WEIGHTS}; other stores of weights are not read\n"
                          '  in Keras, model.save("model.keras") writes it')  # fmt: skip
        if archive.getinfo(_CONFIG).file_size > _LARGEST_CONFIG:
            raise NoGraph(f"has a {_CONFIG} of more than {_LARGEST_CONFIG:,} bytes")
        config, content = archive.read(_CONFIG), archive.read(_WEIGHTS)
    with opened(path, content) as root:
        return _model(config, by_path(root))


def _whole_h5(root: Any) -> KerasModel:
    (config,) = attribute(root, "model_config")
    return _model(config.encode(), by_name(root))


def _model(config: bytes, store: Store) -> KerasModel:
    graph = graph_of(json.loads(config))
    tensors, seen = dict[int, Tensors](), set[str]()
    for i, layer in enumerate(graph.layers):
        if values := store(layer):
            place = layer.path or layer.name
            if place in seen:
                raise NoGraph(f"`{layer.name}` is called twice: layers cannot share weights here")
            seen.add(place)
            tensors[i] = turned(layer.kind, values)
    return KerasModel(graph, tensors)


def _raw(model: KerasModel) -> RawWeights:
    """The tensors by layer; a model in a model may have names that another one has, too."""
    scaled, info = scaling(model.graph, model.tensors)
    found, taken = Tensors(), set[str]()
    eps, padding = dict[str, float](), dict[str, str]()
    for i in (i for i in model.order if i not in scaled):
        name = model.graph.layers[i].name.replace(".", "_").replace("/", "_")
        while name in taken:
            name += "_"
        taken.add(name)
        config = model.graph.layers[i].config
        if isinstance(given := config.get("epsilon"), float):
            eps[name] = given
        if "kernel_size" in config:
            padding[name] = _padding(model.graph, i)
        found |= {f"{name}.{part}": value for part, value in model.tensors.get(i, {}).items()}
    return RawWeights(
        found, info, order=Order.GRAPH, channels_last=True, simplified=True, eps=eps,
        padding=padding, counts_zeros=not any(map(_leaves_out_zeros, model.graph.layers)),
    )  # fmt: skip


def _padding(graph: KerasGraph, i: int) -> str:
    """How a layer is padded, also by a layer of zeros before it: `pad` is as much on both sides."""
    layer = graph.layers[i]
    before = graph.layers[layer.inputs[0]] if layer.inputs else layer
    if before.kind != "ZeroPadding2D":
        return str(layer.config.get("padding"))
    axes: Any = before.config.get("padding")
    is_even = not isinstance(axes, list) or all(
        not isinstance(ends, list) or ends[:1] == ends[1:] for ends in cast("list[Any]", axes)
    )
    return "pad" if is_even else "same"


def _leaves_out_zeros(layer: KerasLayer) -> bool:
    return layer.kind == "AveragePooling2D" and layer.config.get("padding") == "same"
