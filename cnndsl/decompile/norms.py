"""Layer norms that exporters and nets write out, as one operator each."""

from collections.abc import Mapping

import numpy as np

from cnndsl.decompile.fuse import Match, Rule, fuse, per_channel, scalar
from cnndsl.decompile.graph import Array, Graph, Op, shortest

_SQUARES = (("Pow", "c", 2.0), ("Mul", "c", "c"))
_NO_AXIS = ("", 0)


def fuse_norms(graph: Graph) -> None:
    """Rewrite (x − mean) / √(variance + ε) · weight + bias in place: over axis 1, or the last."""
    rule = _rule(graph.makers)
    for square in _SQUARES:
        deviation = ("Sqrt", ("Add", ("ReduceMean", square, "..."), "eps"))
        fuse(graph, ((("Add", ("Mul", ("Div", "d", deviation), "w"), "b"), rule),))


def _rule(makers: Mapping[str, Op]) -> Rule:
    def rule(graph: Graph, op: Op, match: Match) -> Op | None:
        x, axis = _centred(graph, makers, match.names["c"])
        others = _centred(graph, makers, match.names["d"])
        spread = _axis(graph, x, match.ops["Sqrt"].output)
        eps = scalar(graph, match.names["eps"])
        weight, bias = (_per_axis(graph, match.names[name], x, axis) for name in "wb")
        if others != (x, axis) or spread != axis or eps is None or weight is None or bias is None:
            return None
        names = (f"{op.output}/weight", f"{op.output}/bias")
        graph.constants |= {names[0]: weight, names[1]: bias}
        is_last = axis == len(graph.shapes[x]) - 1
        kind = "LayerNormalization" if is_last else "ChannelNormalization"
        return Op(kind, op.name, (x, *names), op.outputs, {"epsilon": shortest(eps)})

    return rule


def _centred(graph: Graph, makers: Mapping[str, Op], name: str) -> tuple[str, int]:
    """The tensor that a value is less its mean, and over which axis."""
    op = makers.get(name)
    if op is None or op.kind != "Sub":
        return _NO_AXIS
    x, mean = op.inputs
    by = makers.get(mean)
    is_mean = by is not None and by.kind == "ReduceMean" and by.inputs[0] == x
    return (x, _axis(graph, x, mean)) if is_mean else _NO_AXIS


def _axis(graph: Graph, x: str, reduced: str) -> int:
    """The one axis over which a mean was taken; 0, which is none, where it is not clear."""
    shape, other = graph.shapes.get(x, ()), graph.shapes.get(reduced, ())
    if len(shape) != len(other):
        return 0
    changed = [i for i, size in enumerate(shape) if other[i] != size]
    return changed[0] if changed in ([1], [len(shape) - 1]) else 0


def _per_axis(graph: Graph, name: str, x: str, axis: int) -> Array | None:
    """A constant as one number for each position of an axis."""
    value, shape = graph.constants.get(name), graph.shapes.get(x, ())
    if value is None or not axis:
        return None
    if axis == 1:
        return per_channel(value, shape[1], len(shape))
    is_last = value.ndim > 0 and value.size == value.shape[-1] == shape[-1]
    return np.array(value.reshape(-1), np.float32) if is_last else None
