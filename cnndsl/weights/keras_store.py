"""Where Keras keeps the variables of a layer in HDF5: by path since Keras 3, by name before."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from cnndsl.source import listed
from cnndsl.weights.archive import LARGEST
from cnndsl.weights.base import Refused
from cnndsl.weights.hdf5 import (
    Group,
    attribute,
    child,
    group_at,
    is_group,
    members,
    tensor,
)
from cnndsl.weights.keras_graph import KerasLayer
from cnndsl.weights.keras_tensors import KINDS, NORMS, Tensors, turned, variables

_DEEPEST = 32  # groups in groups

Values = Mapping[str, NDArray[Any]]
Store = Callable[[KerasLayer], Values]
"""The variables of a layer, by Keras's names for them."""


def by_path(root: Group) -> Store:
    """`layers/conv2d_1/vars/0`, as `.weights.h5` has them."""
    room = [LARGEST]

    def values(layer: KerasLayer) -> Values:
        found = _numbered(group_at(root, f"{layer.path}/vars"), room) if layer.path else []
        names = variables(layer.kind, layer.config, len(found))
        return dict(zip(names, found, strict=True))

    return values


def _numbered(group: Group | None, room: list[int]) -> list[NDArray[Any]]:
    """The data sets `0`, `1` … of a group."""
    count = len(group) if group is not None else 0
    return [tensor(child(group, str(i)), room) for i in range(count)]


def by_name(root: Group) -> Store:
    """`conv2d_1/kernel:0`, as `.h5` has them, each named in the attributes of its layer."""
    known = dict[str, dict[str, NDArray[Any]]]()
    for layer, name, value in _named(root):
        if name in known.setdefault(layer, {}):
            raise Refused(f"two layers that are called `{layer[:80]}`")
        known[layer][name] = value
    return lambda layer: _renamed(layer.kind, known.get(layer.name, {}))


def _renamed(kind: str, values: Values) -> Values:
    """In the order of the class; a depthwise kernel is called a kernel in Keras 3."""
    if kind == "DepthwiseConv2D" and "kernel" in values:
        values = {"depthwise_kernel" if n == "kernel" else n: v for n, v in values.items()}
    return values


def layer_list(root: Group) -> Tensors:
    """The tensors of a file without configuration, in the order of its list of layers."""
    layers = dict[str, dict[str, NDArray[Any]]]()
    for layer, name, value in _named(root):
        layers.setdefault(layer, {})[name] = value
    return {
        f"{layer}.{name}": value
        for layer, values in layers.items()
        for name, value in turned(_kind_of(values), values).items()
    }


def _kind_of(values: Values) -> str:
    """A class whose variables are called so: those of one kind lie alike."""
    if "pointwise_kernel" in values:
        return "SeparableConv2D"
    return "BatchNormalization" if "moving_mean" in values else ""


def legacy_group(root: Group) -> Group | None:
    """The group with the layers of a file before `.weights.h5`; None for another file."""
    if "layer_names" in root.attrs or "layer_names0" in root.attrs:
        return root
    return group_at(root, "model_weights")


def _named(root: Group) -> Iterator[tuple[str, str, NDArray[Any]]]:
    """Layer, name and numbers of each variable, in the order of the attributes."""
    group, room = legacy_group(root), [LARGEST]
    for layer in attribute(group, "layer_names"):
        inside = group_at(group, layer)
        for name in attribute(inside, "weight_names") if inside is not None else []:
            *path, last = name.split("/")
            at = group_at(inside, "/".join(path)) if path else inside
            value = tensor(child(at, last) if at is not None else None, room)
            yield (path[-1] if path else layer), last.partition(":")[0], value


def counted(root: Group) -> tuple[Tensors, tuple[str, ...]]:
    """The tensors of a `.weights.h5`: by path, classes after each other, each in its own order;
    and what is taken for granted of them.
    """
    room, found, assumed = [LARGEST], Tensors(), list[str]()
    stores = dict(_stores(root, "", _DEEPEST))
    for path in sorted(stores, key=_natural):
        values = _numbered(stores[path], room)
        kind = KINDS.get(re.sub(r"_\d+$", "", path.rpartition("/")[2]), "")
        names = variables(kind, {}, len(values))
        module = path.replace("layers/", "").replace("/", ".")
        tensors = turned(kind, dict(zip(names, values, strict=True))) if values else {}
        found |= {f"{module}.{part}": value for part, value in tensors.items()}
        if kind in NORMS and values and "gamma" not in names:
            assumed.append(module)
    if not assumed:
        return found, ()
    return found, (
        f"norms of one tensor less are taken for those without gamma: {listed(assumed, 3)}",
    )


def _natural(path: str) -> list[tuple[str, int]]:
    """`conv2d_10` behind `conv2d_9`, and all of a class together."""
    steps = (re.fullmatch(r"(.*?)(?:_(\d+))?", step) for step in path.split("/"))
    return [(step[1], int(step[2] or 0)) for step in steps if step]


def _stores(group: Group, path: str, depth: int) -> Iterator[tuple[str, Group]]:
    """Paths of layers with the group of their variables; those of an optimizer are none."""
    if not depth:
        raise Refused(f"groups in groups, deeper than {_DEEPEST}")
    for name, member in members(group):
        if not is_group(member) or (not path and name == "optimizer"):
            continue
        if name == "vars":
            yield path, member
        else:
            name = "layers" if name == "_layer_checkpoint_dependencies" else name
            yield from _stores(member, f"{path}/{name}".lstrip("/"), depth - 1)
