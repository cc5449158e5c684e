"""Reductions over axes."""

from cnndsl.graph.ops.base import WIDE, Call, Trait, define
from cnndsl.graph.ops.grad import Expr, Grad
from cnndsl.graph.value import Dims


def _reduce(call: Call) -> list[Dims]:
    shape = call.shape()
    axes = call.ints(1) if len(call.inputs) > 1 else call.attrs.get("axes", range(len(shape)))
    axes = {axis % len(shape) for axis in axes}
    if call.attrs.get("keepdims", 1):
        return [tuple(1 if i in axes else d for i, d in enumerate(shape))]
    return [tuple(d for i, d in enumerate(shape) if i not in axes)]


def _axes(g: Grad) -> list[int]:
    return g.ints(1) if len(g.node.inputs) > 1 else list(range(len(g.x.shape)))


def _kept(g: Grad, value: Expr) -> Expr:
    """A reduced value with its reduced axes as ones."""
    if g.attr("keepdims", 1):
        return value
    axes = {a % len(g.x.shape) for a in _axes(g)}
    return value.reshape(*(1 if i in axes else int(d) for i, d in enumerate(g.x.shape)))


def _stretched(g: Grad, value: Expr) -> Expr:
    """A reduced value in x's shape."""
    return value.op("Expand", g.tape.ints(int(d) for d in g.x.shape))


def _mean(g: Grad) -> Expr:
    """dx = dy / n, stretched."""
    count = g.x.value.size // g.y.value.size
    return _stretched(g, _kept(g, g.dy) * (1 / count))


def _extreme(g: Grad) -> Expr:
    """dx = dy · [x = y] / how many are equal.

    Equals share: flat areas of an image, and copies that overlapping pools leave, tie often.
    """
    best = g.x.op("Equal", _kept(g, g.y)).cast(g.dy.dtype)
    count = best.sum(*_axes(g))
    return best * (_kept(g, g.dy) / count)


define("ReduceSum", _reduce, WIDE, lambda g: _stretched(g, _kept(g, g.dy)))
define("ReduceMean", _reduce, WIDE, _mean)
define("ReduceSumSquare", _reduce, WIDE,
       lambda g: _stretched(g, _kept(g, g.dy) * 2.0) * g.x)  # fmt: skip
define("ReduceMax", _reduce, Trait.NONE, _extreme)
define("ReduceMin", _reduce, Trait.NONE, _extreme)
