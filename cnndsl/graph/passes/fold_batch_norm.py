"""Batch-norm folding: BatchNormalization behind a constant Conv, ConvTranspose or Gemm vanishes.

y = γ·(w∗x + b − μ)/√(σ² + ε) + β  =  (γ/√(σ² + ε)·w)∗x + (b − μ)·γ/√(σ² + ε) + β
"""

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cnndsl.graph.tape import Node, Tape, Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FOLDABLE = ("Conv", "ConvTranspose", "Gemm")


def fold_batch_norm(tape: Tape) -> Tape:
    """Scale the weights instead of the output; results agree to rounding."""
    tape = tape.replaced(tape.nodes)
    readers = Counter(v for node in tape.nodes for v in node.inputs if v is not None)
    readers.update(tape.outputs.values())
    producers = {node.outputs[0]: i for i, node in enumerate(tape.nodes)}
    nodes: list[Node | None] = list(tape.nodes)
    folded: dict[tuple[Value | None, ...], tuple[Value, Value]] = {}  # micro-batches share tensors
    for i, node in enumerate(tape.nodes):
        x = node.inputs[0] if node.inputs else None
        source = producers.get(x) if x else None
        if node.op != "BatchNormalization" or not x or source is None or readers[x] > 1:
            continue
        linear = tape.nodes[source]
        if linear.op in _FOLDABLE and all(v in tape.consts for v in linear.inputs[1:]):
            nodes[source] = None
            tensors = (*linear.inputs[1:], *node.inputs[1:])
            if tensors not in folded:
                folded[tensors] = _folded(tape, linear, node)
            inputs = (linear.inputs[0], *folded[tensors])
            nodes[i] = replace(linear, inputs=inputs, outputs=node.outputs)
    for tensors in folded:
        for replaced in tensors[:-4]:
            tape.consts.pop(cast(Value, replaced))
    return tape.replaced([node for node in nodes if node is not None])


def _folded(tape: Tape, linear: Node, norm: Node) -> tuple[Value, Value]:
    """Weight and bias of the two as one."""
    scale, shift = _affine(tape, norm)
    _, w, *b = linear.inputs
    weight = _array(tape, w)
    axis = _output_axis(linear)
    groups = linear.attrs.get("group", 1) if linear.op == "ConvTranspose" else 1
    bias = _array(tape, b[0]) if b else 0.0
    new_weight = _scaled(weight, scale, axis, groups)
    return (
        _constant(tape, new_weight, f"{linear.path}.weight"),
        _constant(tape, bias * scale + shift, f"{linear.path}.bias"),
    )


def _affine(tape: Tape, norm: Node) -> tuple["NDArray[Any]", "NDArray[Any]"]:
    gamma, beta, mean, var = (_array(tape, v).astype(np.float64) for v in norm.inputs[1:5])
    scale = gamma / np.sqrt(var + norm.attrs["epsilon"])
    return scale, beta - mean * scale


def _output_axis(linear: Node) -> int:
    if linear.op == "ConvTranspose":
        return 1
    return 0 if linear.op == "Conv" or linear.attrs.get("transB") else 1


def _scaled(
    weight: "NDArray[Any]", scale: "NDArray[Any]", axis: int, groups: int
) -> "NDArray[Any]":
    if groups == 1:
        return weight * scale.reshape([-1 if i == axis else 1 for i in range(weight.ndim)])
    per_group = scale.reshape(groups, 1, -1, 1, 1)
    blocks = weight.reshape(groups, -1, *weight.shape[1:]) * per_group
    return blocks.reshape(weight.shape)


def _array(tape: Tape, value: Value | None) -> "NDArray[Any]":
    assert value is not None
    return tape.consts[value]


def _constant(tape: Tape, array: "NDArray[Any]", name: str) -> Value:
    """A constant under a layer's own name; the tensor that it replaces is no longer read."""
    value = Value(name, array.shape, "float32")
    tape.consts[value] = np.asarray(array, np.float32)
    return value
