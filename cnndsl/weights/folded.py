"""What a file leaves out: norms folded into the layers before, factors of one, biases of zero."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.ir import Model, Node
from cnndsl.layers.norm import BatchNorm

Shapes = Mapping[str, tuple[int, ...]]


def folded_shapes(model: Model) -> dict[str, tuple[int, ...]]:
    """The model's tensors where each norm behind a layer with kernels is folded into its bias."""
    shapes = {name: p.shape for name, p in model.tensors().items()}
    folded = {norm.path: before for norm, before in _pairs(model)}
    found = dict[str, tuple[int, ...]]()
    for node in model.nodes:
        if node.path not in folded:
            found |= {f"{node.path}.{p.name}": p.shape for p in node.params}
        elif f"{folded[node.path].path}.bias" not in shapes:
            found[f"{folded[node.path].path}.bias"] = node.shape[:1]
    return found


def unfolded(tensors: Mapping[str, NDArray[Any]], model: Model) -> dict[str, NDArray[Any]]:
    """With the norms that are missing: each only adds the bias that the layer before it has not."""
    found, own = dict(tensors), model.tensors()
    for norm, before in _pairs(model):
        name = f"{before.path}.bias"
        if f"{norm.path}.running_var" in found or f"{before.path}.weight" not in found:
            continue
        shift = np.zeros(norm.shape[:1], np.float32)
        if name not in own:
            shift = found.pop(name, shift)
        added = {f"{norm.path}.{part}": array for part, array in _adding(shift, norm).items()}
        found |= {part: array for part, array in added.items() if part in own}
    return found


def with_neutral(tensors: Mapping[str, NDArray[Any]], model: Model) -> dict[str, NDArray[Any]]:
    """With what a file leaves out because it changes nothing: zeros for the biases of layers whose
    other tensors are there, ones for the factors of norms.
    """
    there = {name.rpartition(".")[0] for name in tensors}
    neutral = {
        name: np.full(param.shape, float(name.endswith(".weight")), np.float32)
        for name, param in model.tensors().items()
        if name.endswith((".weight", ".bias")) and name.rpartition(".")[0] in there
        if len(param.shape) == 1
    }
    return neutral | dict(tensors)


def _adding(shift: NDArray[Any], norm: Node) -> dict[str, NDArray[Any]]:
    """Statistics of a norm that takes its mean away, and is divided by 1."""
    ones, eps = np.ones_like(shift), np.float32(getattr(norm.layer, "eps", 0.0))
    return {
        "weight": ones, "bias": ones * 0, "running_mean": -shift, "running_var": ones - eps,
    }  # fmt: skip


def _pairs(model: Model) -> Iterator[tuple[Node, Node]]:
    """Each norm with the layer before it, where that one has kernels and no other reader."""
    read = [i for node in model.nodes for i in node.inputs]
    for node in model.nodes:
        before = model.nodes[node.inputs[0]] if node.inputs else node
        if isinstance(node.layer, BatchNorm) and before.kernels and read.count(node.inputs[0]) == 1:
            yield node, before
