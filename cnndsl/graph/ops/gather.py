"""Gather: rows by number. Its gradient is a gather too, of each row's readers."""

import numpy as np
from numpy.typing import NDArray

from cnndsl.graph.ops.base import Call, Trait, define
from cnndsl.graph.ops.grad import Expr, Grad
from cnndsl.graph.rows import with_zero_row
from cnndsl.graph.value import Dims

Ints = NDArray[np.int64]


def _gather(call: Call) -> list[Dims]:
    shape, axis = call.shape(), call.attrs.get("axis", 0)
    return [(*shape[:axis], *call.shape(1), *shape[axis + 1 :])]


def _scatter(g: Grad) -> Expr:
    """dx[p] = Σ dy[r] over the rows r that read p.

    A constant index makes the scatter a gather of each row's few readers, and their sum.
    """
    assert g.b.value in g.tape.consts, "Gather needs a constant index"
    axis, index = g.attr("axis", 0), g.tape.consts[g.b.value].reshape(-1)
    shape = [int(d) for d in g.x.shape]
    dy = g.dy.reshape(*shape[:axis], len(index), *shape[axis + 1 :])
    readers = _readers(index, _live_rows(g, axis))
    source, zero = dy.value, 0
    if (readers < 0).any():
        source, zero = with_zero_row(g.tape, dy.value, axis)
    where = np.where(readers < 0, zero, readers).T.astype(np.int32)
    return _completed(g, _summed(Expr(g.tape, source), where, axis), axis)


def _summed(source: Expr, where: NDArray[np.int32], axis: int) -> Expr:
    """[row, reader] of rows of the source, summed over the readers."""
    if where.shape[1] == 1:
        return source.op("Gather", source.tape.const(where[:, 0]), axis=axis)
    parts = source.op("Gather", source.tape.const(where), axis=axis)
    return parts.sum(axis + 1, keepdims=0)


def _completed(g: Grad, total: Expr, axis: int) -> Expr:
    """Zeros for the constant rows."""
    rest = int(g.x.shape[axis]) - int(total.shape[axis])
    if not rest:
        return total
    shape = [rest if i == axis else int(d) for i, d in enumerate(g.x.shape)]
    zeros = g.tape.const(np.zeros(shape, np.dtype(total.dtype)))
    return total.op("Concat", zeros, axis=axis)


def _live_rows(g: Grad, axis: int) -> int:
    """Rows before the constant ones (the zero row that borders read), which need no gradient."""
    rows = int(g.x.shape[axis])
    made = g.tape.producer(g.x.value)
    if made is None or made.op != "Concat" or made.attrs["axis"] != axis:
        return rows
    constant = [v in g.tape.consts for v in made.inputs]
    sizes = [int(v.shape[axis]) for v in made.inputs if v is not None and v not in g.tape.consts]
    return sum(sizes) if constant == sorted(constant) else rows


def _readers(index: Ints, rows: int) -> Ints:
    """[k, row]: the k-th reader of each row, −1 where there are fewer."""
    wanted = np.flatnonzero(index < rows)
    order = wanted[np.argsort(index[wanted], kind="stable")]
    read = index[order]
    counts = np.bincount(read, minlength=rows)
    rank = np.arange(len(read)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.full((max(1, int(counts.max(initial=0))), rows), -1, np.int64)
    table[rank, read] = order
    return table


define("Gather", _gather, Trait.NONE, _scatter)
