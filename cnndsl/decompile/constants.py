"""Operators of constants and sizes alone: their values, computed once."""

from math import prod
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cnndsl.decompile.graph import Array, Graph, op_of
from cnndsl.source import UserError

if TYPE_CHECKING:
    from onnx import NodeProto

_FOLD_LIMIT = 1 << 23  # elements: constants are folded, not inflated
_MOVED = {"Cast", "Concat", "Gather", "Identity", "Slice", "Squeeze", "Unsqueeze"}  # no arithmetic
_FOLDED = {
    "Abs", "Add", "And", "BatchNormalization", "Cast", "Ceil", "Clip", "Concat", "ConstantOfShape",
    "Div", "Equal", "Exp", "Expand", "Floor", "Gather", "Greater", "Identity", "Less", "Log",
    "MatMul", "Max", "Min", "Mul", "Neg", "Not", "Or", "Pow", "Range", "Reciprocal", "ReduceL2",
    "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "Relu", "Reshape",
    "Sigmoid", "Sign", "Slice", "Softmax", "Softplus", "Sqrt", "Squeeze", "Sub", "Tanh", "Tile",
    "Transpose", "Unsqueeze", "Where",
}  # fmt: skip


def fold(graph: Graph, node: "NodeProto", opsets: dict[str, int], batch: dict[str, Array]) -> bool:
    """Whether an operator computes the same for every picture; the value is then a constant.

    `batch` tells which numbers of constants may depend on the batch: none becomes a number of the
    net.
    """
    if node.op_type == "Shape" and node.input[0] in graph.shapes:
        value = _size(graph, node)
    elif _is_constant(graph, node):
        value = _evaluated(node, [graph.constants.get(x) for x in node.input], opsets)
    else:
        return False
    marks = _of_batch(graph, node, opsets, batch, value)
    if marks.any():
        if value.dtype.kind == "f":
            return False
        batch[node.output[0]] = marks
    graph.constants[node.output[0]] = value
    graph.room -= value.size
    if graph.room < 0:
        raise UserError("its constants would fill the memory when they are computed")
    return True


def _of_batch(
    graph: Graph, node: "NodeProto", opsets: dict[str, int], batch: dict[str, Array], value: Array
) -> Array:
    """Which of the numbers of a value may depend on the batch."""
    if node.op_type == "Shape":
        first = next((a.i for a in node.attribute if a.name == "start"), 0)
        return (np.arange(value.size) == 0) & (first % len(graph.shapes[node.input[0]]) == 0)
    marked = [x in batch for x in node.input]
    is_moved = node.op_type in _MOVED and (node.op_type == "Concat" or not any(marked[1:]))
    if not is_moved or not any(marked):
        return np.full(value.shape, any(marked))
    moved = node.input if node.op_type == "Concat" else node.input[:1]
    given = [_marks(graph.constants[x], batch.get(x)) if i < len(moved) else graph.constants.get(x)
             for i, x in enumerate(node.input)]  # fmt: skip
    return _evaluated(node, given, opsets) != 0


def _marks(value: Array, found: Array | None) -> Array:
    """Zeros and ones in the place of numbers."""
    return np.zeros_like(value) if found is None else found.astype(value.dtype)


def _size(graph: Graph, node: "NodeProto") -> Array:
    ends = {a.name: a.i for a in node.attribute}
    shape = graph.shapes[node.input[0]][ends.get("start", 0) : ends.get("end")]
    return np.array(shape, np.int64)


def _is_constant(graph: Graph, node: "NodeProto") -> bool:
    """Whether all is known, and the result about as large as what is there already, at most."""
    if node.op_type == "Constant":
        return True
    if node.op_type not in _FOLDED or any(x and x not in graph.constants for x in node.input):
        return False
    shape = graph.shapes.get(node.output[0])
    there = sum(graph.constants[x].size for x in node.input if x)
    return shape is not None and prod(shape) <= max(_FOLD_LIMIT, there)


def _evaluated(node: "NodeProto", given: list[Array | None], opsets: dict[str, int]) -> Array:
    from onnx.reference import ReferenceEvaluator

    named = {x: value for x, value in zip(node.input, given, strict=True) if x}
    try:
        result = cast(Any, ReferenceEvaluator)(node, opsets=opsets).run(None, named)[0]
    except Exception as error:  # several unrelated types
        op_of(node).refuse(f"onnx cannot compute this constant: {error}")
    return np.asarray(result)
