"""Gradients of operators that move values: reshapes, slices, gathers, reductions."""

import numpy as np
from numpy.typing import NDArray

from cnndsl.graph.rows import cut_rows, with_zero_row
from cnndsl.graph.tape import Value
from cnndsl.graph.vjp import Grad, vjp

Ints = NDArray[np.int64]


def _known(g: Grad, i: int) -> list[int]:
    return [int(v) for v in g.tape.consts[g.x(i)].reshape(-1)]


@vjp("Reshape", 0)  # dx = dy in x's shape
@vjp("Flatten", 0)
@vjp("Squeeze", 0)
@vjp("Unsqueeze", 0)
def _reshape(g: Grad) -> Value:
    return g.tape.reshape(g.dy, *(int(d) for d in g.me.shape))


@vjp("Transpose", 0)  # dx = dy, the axes moved back
def _transpose(g: Grad) -> Value:
    return g.op("Transpose", g.dy, perm=tuple(int(i) for i in np.argsort(g.attr("perm"))))


@vjp("Expand", 0)  # dx = Σ dy over the stretched axes
def _expand(g: Grad) -> Value:
    return g.fit(g.dy, 0)


@vjp("Concat")  # dx = its part of dy
def _concat(g: Grad) -> Value:
    axis: int = g.attr("axis") % len(g.me.shape)
    start = sum(int(g.x(i).shape[axis]) for i in range(g.index))
    return cut_rows(g.tape, g.dy, axis, start, start + int(g.me.shape[axis]))


@vjp("Split", 0)  # dx = the dy side by side
def _split(g: Grad) -> Value:
    return g.op("Concat", *(g.dy_of(i) for i in range(len(g.dys))), axis=g.attr("axis", 0))


@vjp("Slice", 0)  # dx = dy among zeros
def _slice(g: Grad) -> Value:
    starts, ends, axes = (_known(g, i) for i in (1, 2, 3))
    assert len(g.node.inputs) < 5, "Slice with steps"
    before, after = [0] * len(g.me.shape), [0] * len(g.me.shape)
    for start, end, axis in zip(starts, ends, axes, strict=True):
        size = int(g.me.shape[axis])
        first, last, _ = slice(start, end).indices(size)
        before[axis], after[axis] = first, size - last
    return g.op("Pad", g.dy, g.tape.ints([*before, *after]))


@vjp("Pad", 0)  # dx = dy without its borders
def _pad(g: Grad) -> Value:
    pads, rank = _known(g, 1), len(g.me.shape)
    ends = [pads[i] + int(d) for i, d in enumerate(g.me.shape)]
    axes = g.tape.ints(range(rank))
    return g.op("Slice", g.dy, g.tape.ints(pads[:rank]), g.tape.ints(ends), axes)


@vjp("Gather", 0)  # dx[p] = Σ dy[r] over the rows r that read p
def _gather(g: Grad) -> Value:
    """A constant index makes the scatter a gather of each row's few readers, and their sum."""
    assert g.x(1) in g.tape.consts, "Gather needs a constant index"
    axis, index = g.attr("axis", 0), g.tape.consts[g.x(1)].reshape(-1)
    shape = [int(d) for d in g.me.shape]
    dy = g.tape.reshape(g.dy, *shape[:axis], len(index), *shape[axis + 1 :])
    live = _live_rows(g, axis)
    readers = _readers(index, live)
    source, zero = (dy, 0) if (readers >= 0).all() else with_zero_row(g.tape, dy, axis)
    where = np.where(readers < 0, zero, readers).T.astype(np.int32)
    if where.shape[1] == 1:
        total = g.op("Gather", source, g.tape.const(where[:, 0]), axis=axis)
    else:
        parts = g.op("Gather", source, g.tape.const(where), axis=axis)
        total = g.op("ReduceSum", parts, g.tape.ints([axis + 1]), keepdims=0)
    return _completed(g, total, axis)


def _completed(g: Grad, total: Value, axis: int) -> Value:
    """Zeros for the constant rows."""
    rest = int(g.me.shape[axis]) - int(total.shape[axis])
    if not rest:
        return total
    shape = [rest if i == axis else int(d) for i, d in enumerate(g.me.shape)]
    return g.op("Concat", total, g.tape.const(np.zeros(shape, np.dtype(g.dy.dtype))), axis=axis)


def _live_rows(g: Grad, axis: int) -> int:
    """Rows before the constant ones (the zero row that borders read), which need no gradient."""
    made = g.tape.producer(g.me)
    if made is None or made.op != "Concat" or made.attrs["axis"] != axis:
        return int(g.me.shape[axis])
    constant = [v in g.tape.consts for v in made.inputs]
    sizes = [int(v.shape[axis]) for v in made.inputs if v is not None and v not in g.tape.consts]
    return sum(sizes) if constant == sorted(constant) else int(g.me.shape[axis])


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


def _kept(g: Grad, value: Value) -> Value:
    """A reduced value with its reduced axes as ones."""
    if g.attr("keepdims", 1):
        return value
    axes = {a % len(g.me.shape) for a in _axes(g)}
    return g.tape.reshape(value, *(1 if i in axes else int(d) for i, d in enumerate(g.me.shape)))


def _axes(g: Grad) -> list[int]:
    return _known(g, 1) if len(g.node.inputs) > 1 else list(range(len(g.me.shape)))


def _spread(g: Grad, value: Value) -> Value:
    return g.op("Expand", value, g.tape.ints(int(d) for d in g.me.shape))


@vjp("ReduceSum", 0)  # dx = dy, stretched
def _reduce_sum(g: Grad) -> Value:
    return _spread(g, _kept(g, g.dy))


@vjp("ReduceMean", 0)  # dx = dy / n, stretched
def _reduce_mean(g: Grad) -> Value:
    count = g.me.size // g.y.size
    return _spread(g, g.scaled(_kept(g, g.dy), 1 / count))


@vjp("ReduceSumSquare", 0)  # dx = 2 · dy · x
def _reduce_sum_square(g: Grad) -> Value:
    return g.mul(_spread(g, g.scaled(_kept(g, g.dy), 2.0)), g.me)


@vjp("ReduceMax", 0)  # dx = dy · [x = y] / how many are equal
def _reduce_max(g: Grad) -> Value:
    """Equals share: flat areas of a picture, and copies that overlapping pools leave, tie often."""
    best = g.op("Cast", g.op("Equal", g.me, _kept(g, g.y)), to=g.dy.dtype)
    count = g.op("ReduceSum", best, g.tape.ints(_axes(g)), keepdims=1)
    return g.mul(best, g.op("Div", _kept(g, g.dy), count))
