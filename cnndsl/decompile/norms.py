"""Layer norms that exporters and nets write out, as one operator each."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from cnndsl.decompile.fuse import Match, Pattern, fuse, per_channel, scalar
from cnndsl.decompile.graph import Array, Graph, Op, shortest

Axis = tuple[str, int]
"""A tensor, and over which of its axes a mean was taken; 0 where that is not clear."""
_NO_AXIS: Axis = ("", 0)
_SAME = ("Identity", "Reshape")


def _patterns(square: Pattern) -> tuple[Pattern, ...]:
    """As it is defined, and as TensorFlow computes it: x · w/s + (b − mean · w/s)."""
    deviation = ("Sqrt", ("Add", ("ReduceMean", square, "..."), "eps"))
    factor = ("Mul", ("Reciprocal", deviation), "w")
    return (
        ("Add", ("Mul", ("Div", "centred", deviation), "w"), "b"),
        ("Add", ("Mul", "x", factor), ("Add", ("Mul", ("Neg", "mean"), factor), "b")),
    )


def fuse_norms(graph: Graph) -> None:
    """Rewrite (x − mean) / √(variance + ε) · weight + bias in place: over axis 1, or the last."""
    rule = partial(_norm, graph.makers)
    for square in (("Pow", "c", 2.0), ("Mul", "c", "c")):
        fuse(graph, tuple((pattern, rule) for pattern in _patterns(square)))


def _norm(makers: Mapping[str, Op], graph: Graph, op: Op, match: Match) -> Op | None:
    names = match.names
    x, axis = _centred(graph, makers, names["c"])
    if "mean" in names:
        others = _mean(graph, makers, names["mean"]) if names["x"] == x else _NO_AXIS
    else:
        others = _centred(graph, makers, names["centred"])
    spread, eps = _axis(graph, x, match.ops["Sqrt"].output), scalar(graph, names["eps"])
    weight, bias = (_per_axis(graph, names[name], x, axis) for name in "wb")
    if others != (x, axis) or spread != axis or eps is None or weight is None or bias is None:
        return None
    made = (f"{op.output}/weight", f"{op.output}/bias")
    graph.constants |= {made[0]: weight, made[1]: bias}
    is_last = axis == len(graph.shapes[x]) - 1
    kind = "LayerNormalization" if is_last else "ChannelNormalization"
    return Op(kind, op.name, (x, *made), op.outputs, {"epsilon": shortest(eps)})


def _centred(graph: Graph, makers: Mapping[str, Op], name: str) -> Axis:
    """What a value is less its mean."""
    op = makers.get(name)
    if op is None or op.kind != "Sub":
        return _NO_AXIS
    found = _mean(graph, makers, op.inputs[1])
    return found if found[0] == op.inputs[0] else _NO_AXIS


def _mean(graph: Graph, makers: Mapping[str, Op], name: str) -> Axis:
    """Of what a value is the mean."""
    op, shape = makers.get(name), graph.shapes.get(name)
    while op is not None and op.kind in _SAME and graph.shapes.get(op.inputs[0]) == shape:
        op = makers.get(op.inputs[0])
    if op is None or op.kind != "ReduceMean":
        return _NO_AXIS
    return op.inputs[0], _axis(graph, op.inputs[0], op.output)


def _axis(graph: Graph, x: str, reduced: str) -> int:
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
