"""What stock onnxruntime does slowly on the CPU, written as what it does fast.

Measured, float32, 2 threads: a sum over leading axes is five times faster as a product with ones.
"""

from math import prod

import numpy as np

from cnndsl.graph.simplify import rewrite
from cnndsl.graph.tape import Node, Tape, Value

_WORTH = 32  # rows from which a product with ones wins


def use_fast_idioms(tape: Tape) -> None:
    """Rewrite in place; every output keeps its value to rounding."""
    rewrite(tape, _faster)


def _faster(tape: Tape, node: Node) -> list[Value] | None:
    if node.op in ("ReduceSum", "ReduceMean", "ReduceSumSquare"):
        return _leading_sum(tape, node)
    return None


def _axes(tape: Tape, node: Node) -> list[int]:
    x, axes = node.inputs[0], node.inputs[1] if len(node.inputs) > 1 else None
    assert x is not None
    found = range(len(x.shape)) if axes is None else tape.consts[axes]
    return sorted(int(a) % len(x.shape) for a in found)


def _leading_sum(tape: Tape, node: Node) -> list[Value] | None:
    x, axes = node.inputs[0], _axes(tape, node)
    assert x is not None
    sizes = [int(d) for d in x.shape]
    rows, columns = prod(sizes[: len(axes)]), prod(sizes[len(axes) :])
    if axes != list(range(len(axes))) or rows < _WORTH or columns < 8 or x.dtype != "float32":
        return None
    if node.op == "ReduceSumSquare":
        x = tape.op("Mul", x, x)
    weight = 1 / rows if node.op == "ReduceMean" else 1.0
    ones = tape.const(np.full((1, rows), weight, np.float32))
    total = tape.op("MatMul", ones, tape.reshape(x, rows, columns))
    return [tape.reshape(total, *(int(d) for d in node.outputs[0].shape))]
