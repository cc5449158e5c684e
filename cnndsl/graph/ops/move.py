"""What moves values: other shapes, orders and parts."""

from math import prod

import numpy as np

from cnndsl.graph.ops.base import VIEW, Call, Trait, broadcast, define
from cnndsl.graph.ops.grad import Expr, Grad
from cnndsl.graph.rows import cut_rows
from cnndsl.graph.value import Dims, factor_of, name_of, times


def _reshape(call: Call) -> list[Dims]:
    old, wanted = call.shape(), call.ints(1)
    new = [old[i] if d == 0 else d for i, d in enumerate(wanted)]
    if -1 in new:
        kept = [d for d in new if isinstance(d, int) and d != -1]
        names = [d for d in old if isinstance(d, str) and d not in new]
        rest = prod(factor_of(d) for d in old if isinstance(d, int) or d in names) // prod(kept)
        new[new.index(-1)] = times(name_of(names[0]), rest) if names else rest
    return [tuple(new)]


def _flatten(call: Call) -> list[Dims]:
    return [(call.shape()[0], prod(int(d) for d in call.shape()[1:]))]


def _squeeze(call: Call) -> list[Dims]:
    axes = call.ints(1)
    return [tuple(d for i, d in enumerate(call.shape()) if i not in axes)]


def _unsqueeze(call: Call) -> list[Dims]:
    shape = list(call.shape())
    for axis in sorted(call.ints(1)):
        shape.insert(axis, 1)
    return [tuple(shape)]


def _back(g: Grad) -> Expr:
    """dx = dy in x's shape."""
    return g.dy.reshape(*(int(d) for d in g.x.shape))


define("Reshape", _reshape, VIEW, _back)
define("Flatten", _flatten, VIEW, _back)
define("Squeeze", _squeeze, VIEW, _back)
define("Unsqueeze", _unsqueeze, VIEW, _back)


def _transpose(call: Call) -> list[Dims]:
    perm: tuple[int, ...] = call.attrs["perm"]
    return [tuple(call.shape()[i] for i in perm)]


def _transpose_back(g: Grad) -> Expr:
    """dx = dy, the axes moved back."""
    return g.dy.op("Transpose", perm=tuple(int(i) for i in np.argsort(g.attr("perm"))))


define("Transpose", _transpose, Trait.NONE, _transpose_back)
define("Expand", lambda call: [broadcast(call.shape(), tuple(call.ints(1)))], Trait.NONE,
       lambda g: g.unbroadcast(g.dy))  # fmt: skip


def _concat(call: Call) -> list[Dims]:
    shape = list(call.shape())
    axis: int = call.attrs["axis"]
    sizes = [value.shape[axis] for value in call.inputs if value is not None]
    total, name = sum(map(factor_of, sizes)), shape[axis]
    shape[axis] = total if isinstance(name, int) else times(name_of(name), total)
    return [tuple(shape)]


def _part(g: Grad) -> Expr:
    """dx = its part of dy."""
    axis: int = g.attr("axis") % len(g.input.shape)
    start = sum(int(g.x_of(i).shape[axis]) for i in range(g.index))
    end = start + int(g.input.shape[axis])
    return Expr(g.tape, cut_rows(g.tape, g.dy.value, axis, start, end))


def _split(call: Call) -> list[Dims]:
    shape, axis = call.shape(), call.attrs["axis"]
    return [(*shape[:axis], size, *shape[axis + 1 :]) for size in call.ints(1)]


def _joined(g: Grad) -> Expr:
    """dx = the dy side by side."""
    first, *others = [g.dy_of(i) for i in range(len(g.dys))]
    return first.op("Concat", *others, axis=g.attr("axis", 0))


define("Concat", _concat, each=_part)
define("Split", _split, Trait.NONE, _joined)


def _slice(call: Call) -> list[Dims]:
    shape = list(call.shape())
    starts, ends, axes = (call.ints(i) for i in (1, 2, 3))
    steps = call.ints(4) if len(call.inputs) > 4 else [1] * len(axes)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        shape[axis] = len(range(int(shape[axis]))[slice(start, end, step)])
    return [tuple(shape)]


def _among_zeros(g: Grad) -> Expr:
    """dx = dy among zeros."""
    starts, ends, axes = (g.ints(i) for i in (1, 2, 3))
    assert len(g.node.inputs) < 5, "Slice with steps"
    before, after = [0] * len(g.x.shape), [0] * len(g.x.shape)
    for start, end, axis in zip(starts, ends, axes, strict=True):
        size = int(g.x.shape[axis])
        first, last, _ = slice(start, end).indices(size)
        before[axis], after[axis] = first, size - last
    return g.dy.op("Pad", g.tape.ints([*before, *after]))


def _pad(call: Call) -> list[Dims]:
    pads, rank = call.ints(1), len(call.shape())
    grown = ((d, pads[i] + pads[i + rank]) for i, d in enumerate(call.shape()))
    return [tuple(int(d) + more if more else d for d, more in grown)]


def _without_borders(g: Grad) -> Expr:
    """dx = dy without its borders; borders that repeat the image are lowered to gathers before."""
    assert g.attr("mode", "constant") == "constant", "Pad that repeats the image"
    pads, rank = g.ints(1), len(g.x.shape)
    ends = [pads[i] + int(d) for i, d in enumerate(g.x.shape)]
    axes = g.tape.ints(range(rank))
    return g.dy.op("Slice", g.tape.ints(pads[:rank]), g.tape.ints(ends), axes)


def _depth_to_space(call: Call) -> list[Dims]:
    n, c, h, w = call.shape()
    side = call.attrs["blocksize"]
    return [(n, int(c) // side**2, int(h) * side, int(w) * side)]


define("DepthToSpace", _depth_to_space)
define("Slice", _slice, Trait.NONE, _among_zeros)
define("Pad", _pad, Trait.NONE, _without_borders)
