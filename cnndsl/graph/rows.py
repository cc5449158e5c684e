"""Rows of a tensor, cheaply: a zero row behind it, a part of it."""

from math import prod

import numpy as np

from cnndsl.graph.value import Node, Value, Writer


def with_zero_row(tape: Writer, x: Value, axis: int = 0) -> tuple[Value, int]:
    """A tensor with the rows of x along an axis and, from the returned row on, zeros.

    Behind a product with a constant matrix the zeros cost no copy: the matrix gets a zero row.
    """
    rows = int(x.shape[axis])
    product = _behind_reshapes(tape, x)
    if axis == 0 and product is not None and product.op == "MatMul":
        longer = _taller(tape, product, x)
        if longer is not None:
            return longer, rows
    shape = [1 if i == axis else int(d) for i, d in enumerate(x.shape)]
    zeros = tape.const(np.zeros(shape, np.dtype(x.dtype)))
    return tape.op("Concat", x, zeros, axis=axis), rows


def _behind_reshapes(tape: Writer, x: Value) -> Node | None:
    made = tape.producer(x)
    while made is not None and made.op == "Reshape" and made.inputs[0] is not None:
        made = tape.producer(made.inputs[0])
    return made


def _taller(tape: Writer, product: Node, x: Value) -> Value | None:
    """The same product with a zero row under its constant matrix, in x's shape but longer."""
    matrix, right = product.inputs
    assert matrix is not None
    assert right is not None
    if matrix not in tape.consts or len(matrix.shape) != 2 or len(right.shape) != 2:
        return None
    array, columns = tape.consts[matrix], prod(int(d) for d in x.shape[1:])
    if x.size != array.shape[0] * int(right.shape[1]) or int(right.shape[1]) % columns:
        return None
    taller = np.vstack([array, np.zeros((1, array.shape[1]), array.dtype)])
    longer = tape.op("MatMul", tape.const(taller), right)
    return tape.reshape(longer, -1, *(int(d) for d in x.shape[1:]))


def cut_rows(tape: Writer, x: Value, axis: int, start: int, end: int) -> Value:
    """x[start:end] along an axis; the operand itself where x is a Concat of it."""
    if (start, end) == (0, int(x.shape[axis])):
        return x
    made = tape.producer(x)
    if made is not None and made.op == "Concat" and made.attrs["axis"] == axis:
        at = 0
        for part in made.inputs:
            assert part is not None
            if (at, at + int(part.shape[axis])) == (start, end):
                return part
            at += int(part.shape[axis])
    return tape.op("Slice", x, tape.ints([start]), tape.ints([end]), tape.ints([axis]))
