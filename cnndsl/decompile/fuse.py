"""Several operators that are one word: `x · sigmoid(x)` is silu. Patterns are data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import inf, isclose, sqrt
from typing import Any

import numpy as np

from cnndsl.decompile.graph import Array, Graph, Op
from cnndsl.shapes import Pads

Pattern = tuple[Any, ...]
"""An operator's kind, its inputs (a pattern, a number, or a name that stands for a tensor) and
perhaps a dict of attributes."""

_HARD = {"alpha": 1 / 6, "beta": 0.5}
_SIX = ("Div", ("Clip", ("Add", "x", 3.0), 0.0, 6.0), 6.0)
_CDF = ("Add", ("Erf", ("Div", "x", sqrt(2))), 1.0)
_GROUPS = ("Reshape", ("InstanceNormalization", ("Reshape", "x", "s"), "one", "zero"), "t")


@dataclass
class Match:
    """What a pattern's names stand for, and the inner operators by kind (the innermost wins)."""

    names: dict[str, str] = field(default_factory=dict[str, str])
    ops: dict[str, Op] = field(default_factory=dict[str, Op])


Rule = Callable[[Graph, Op, Match], Op | None]
Rules = tuple[tuple[Pattern, Rule], ...]


def _named(kind: str) -> Rule:
    def rule(graph: Graph, op: Op, match: Match) -> Op:
        return replace(op, kind=kind, inputs=(match.names["x"],), attrs={})

    return rule


def _biased(graph: Graph, op: Op, match: Match) -> Op | None:
    """A constant for each channel behind a product without bias."""
    inner = next(iter(o for k, o in match.ops.items() if k != "Add"))
    weight, bias = (graph.constants.get(match.names[name]) for name in "wb")
    if weight is None or bias is None:
        return None
    shape = graph.shapes.get(op.output, ())
    flat = per_channel(bias, shape[1], len(shape)) if len(shape) > 1 else None
    if flat is None:
        return None
    name = f"{op.output}/bias"
    graph.constants[name] = flat
    kind = "Gemm" if inner.kind == "MatMul" else inner.kind
    return replace(inner, kind=kind, inputs=(*inner.inputs[:2], name), outputs=op.outputs)


def _grouped(graph: Graph, op: Op, match: Match) -> Op | None:
    """Group normalisation as the instance normalisation of its groups."""
    inner = match.ops["InstanceNormalization"]
    x, one, zero = (match.names[name] for name in ("x", "one", "zero"))
    shape, within = graph.shapes.get(x, ()), graph.shapes.get(inner.inputs[0], ())
    scale, shift = graph.constants.get(one), graph.constants.get(zero)
    plain = scale is not None and shift is not None and bool((scale == 1).all())
    if not plain or shift is None or shift.any() or len(shape) != 4 or len(within) != 3:
        return None
    if within[0] != shape[0] or graph.shapes.get(op.output) != shape:
        return None
    attrs = {**inner.attrs, "num_groups": within[1]}
    inputs = (x, match.names["w"], match.names["b"])
    return Op("GroupNormalization", inner.name, inputs, op.outputs, attrs)


def _shuffled(graph: Graph, op: Op, match: Match) -> Op | None:
    """The channels as a table, turned."""
    shape, turn = graph.shapes.get(match.names["x"], ()), match.ops["Transpose"]
    table, perm = graph.shapes.get(turn.inputs[0], ()), turn.attrs.get("perm", ())
    if perm[:3] != (0, 2, 1) or perm[3:] != tuple(range(3, len(perm))) or len(shape) != 4:
        return None
    if len(table) < 3 or table[0] != shape[0] or table[1] * table[2] != shape[1]:
        return None
    return replace(op, kind="Shuffle", inputs=(match.names["x"],), attrs={"groups": table[1]})


def _in_order(graph: Graph, op: Op, match: Match) -> Op | None:
    """All values of a row, each once and in order, in the shape that they had before."""
    x = match.names["x"]
    shape, row = graph.shapes.get(x, ()), graph.shapes.get(match.ops["Reshape"].output, ())
    places = graph.constants.get(match.names["i"])
    if places is None or places.shape != shape or row != (places.size,) or op.attrs.get("axis", 0):
        return None
    is_all = np.array_equal(places.reshape(-1), np.arange(places.size))
    return replace(op, kind="Identity", inputs=(x,), attrs={}) if is_all else None


def _counted(graph: Graph, op: Op, match: Match) -> Op | None:
    """Zeros that count in an average."""
    pads = _constant_pads(graph, match.ops["Pad"], 0.0)
    if pads is None or (op.attrs.get("count_include_pad") and any(op.attrs.get("pads", ()))):
        return None
    return replace(op, inputs=(match.names["x"],), attrs={**op.attrs, "counted": pads})


def _open(graph: Graph, op: Op, match: Match) -> Op | None:
    """Minus infinity around a max-pool: padding that never wins."""
    pads = _constant_pads(graph, match.ops["Pad"], -inf)
    if pads is None or op.attrs.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return None
    return replace(op, inputs=(match.names["x"],), attrs={**op.attrs, "open": pads})


def _constant_pads(graph: Graph, op: Op, number: float) -> Pads | None:
    constant = op.attrs.get("mode", "constant") == "constant"
    return pads_of(graph, op, number) if constant else None


def _whole_mean(graph: Graph, op: Op, match: Match) -> Op | None:
    """A mean over rows of a mean over columns, or over all positions in one row, as one mean."""
    x = match.names["x"]
    shape, between = graph.shapes.get(x, ()), graph.shapes.get(op.inputs[0], ())
    first = match.ops.get("Reshape", match.ops["ReduceMean"])
    if len(shape) != 4 or not between or first.output != op.inputs[0]:
        return None
    if first.kind == "Reshape":
        is_whole = between == (*shape[:2], shape[2] * shape[3]) and axes_of(graph, op) == {2}
    else:
        before, behind = axes_of(graph, first), axes_of(graph, op)
        is_whole = behind == ({2} if len(between) == 3 else {2, 3} - before)
        is_whole = is_whole and before in ({2}, {3})
    keeps = len(graph.shapes.get(op.output, ())) == len(shape)
    attrs = {"axes": (2, 3), "keepdims": int(keeps)}
    return replace(op, inputs=(x,), attrs=attrs) if is_whole else None


def axes_of(graph: Graph, op: Op) -> set[int]:
    """The axes that are reduced, counted from the first; none where they are not known."""
    given = graph.constants.get((*op.inputs, "")[1])
    axes: Any = op.attrs.get("axes", () if given is None else given.reshape(-1).tolist())
    rank = len(graph.shapes.get(op.inputs[0], ()))
    return {int(axis) % rank for axis in axes} if rank else set()


RULES: Rules = (
    (("Mul", "x", ("Sigmoid", "x")), _named("Silu")),
    (("Mul", "x", ("HardSigmoid", "x", _HARD)), _named("HardSwish")),
    (("Mul", "x", _SIX), _named("HardSwish")),
    (("Div", ("Mul", "x", ("Clip", ("Add", "x", 3.0), 0.0, 6.0)), 6.0), _named("HardSwish")),
    (_SIX, _named("HardSigmoid6")),
    (("HardSigmoid", "x", _HARD), _named("HardSigmoid6")),
    (("Mul", "x", ("Tanh", ("Softplus", "x"))), _named("Mish")),
    (("Mul", "x", ("Add", ("Mul", ("Erf", ("Mul", "x", sqrt(0.5))), 0.5), 0.5)), _named("Gelu")),
    (("Mul", ("Mul", "x", _CDF), 0.5), _named("Gelu")),
    (("Mul", "x", ("Mul", _CDF, 0.5)), _named("Gelu")),
    (("Add", ("MatMul", "y", "w"), "b"), _biased),
    (("Add", ("Conv", "y", "w"), "b"), _biased),
    (("Add", ("ConvTranspose", "y", "w"), "b"), _biased),
    (("Add", ("Mul", _GROUPS, "w"), "b"), _grouped),
    (("Reshape", ("Transpose", ("Reshape", "x", "s")), "t"), _shuffled),
    (("Gather", ("Reshape", "x", "s"), "i"), _in_order),
    (("AveragePool", ("Pad", "x", "...")), _counted),
    (("MaxPool", ("Pad", "x", "...")), _open),
    (("ReduceMean", ("ReduceMean", "x", "..."), "..."), _whole_mean),
    (("ReduceMean", ("Reshape", "x", "s"), "..."), _whole_mean),
)


def fuse(graph: Graph, rules: Rules = RULES) -> None:
    """Rewrite in place, the last operators first; then drop what no output needs."""
    producers = graph.makers
    for i in reversed(range(len(graph.ops))):
        made = _fused(graph, producers, graph.ops[i], rules)
        if made is not None:
            graph.ops[i] = made
    graph.drop_unread()


_RENAMING = ("Flatten", "Reshape", "Squeeze", "Unsqueeze")


def merge_reshapes(graph: Graph) -> None:
    """Of operators behind one another that keep all values in order, the last alone; in place."""
    source = dict[str, str]()
    for i, op in enumerate(graph.ops):
        if op.kind in _RENAMING:
            x = source.get(op.inputs[0], op.inputs[0])
            source[op.output] = x
            graph.ops[i] = replace(op, inputs=(x, *op.inputs[1:]))
    graph.drop_unread()


def _fused(graph: Graph, producers: Mapping[str, Op], op: Op, rules: Rules) -> Op | None:
    for pattern, rule in rules:
        if pattern[0] == op.kind:
            match = Match()
            if _fits_op(graph, producers, pattern, op, match):
                made = rule(graph, op, match)
                if made is not None:
                    return made
    return None


def _fits_op(
    graph: Graph, producers: Mapping[str, Op], pattern: Pattern, op: Op | None, match: Match
) -> bool:
    kind, *wanted = pattern
    if op is None or op.kind != kind:
        return False
    match.ops[kind] = op
    if wanted and isinstance(wanted[-1], dict) and not _fits_attributes(wanted.pop(), op):
        return False
    given = [name for name in op.inputs if name]
    if wanted and wanted[-1] == "...":
        wanted, given = wanted[:-1], given[: len(wanted) - 1]
    if len(wanted) != len(given):
        return False
    orders = [given, given[::-1]] if kind in ("Add", "Mul") else [given]
    for order in orders:
        trial = Match(dict(match.names), dict(match.ops))
        pairs = zip(wanted, order, strict=True)
        if all(_fits(graph, producers, part, name, trial) for part, name in pairs):
            match.names, match.ops = trial.names, trial.ops
            return True
    return False


def _fits(graph: Graph, producers: Mapping[str, Op], pattern: Any, name: str, match: Match) -> bool:
    if isinstance(pattern, float):
        return (found := scalar(graph, name)) is not None and isclose(found, pattern, rel_tol=1e-5)
    if isinstance(pattern, str):
        return match.names.setdefault(pattern, name) == name
    return _fits_op(graph, producers, pattern, producers.get(name), match)


def _fits_attributes(wanted: Mapping[str, float], op: Op) -> bool:
    defaults = {"alpha": 0.2, "beta": 0.5}  # of HardSigmoid
    found = {name: op.attrs.get(name, defaults[name]) for name in wanted}
    return all(isclose(found[name], wanted[name], rel_tol=1e-5) for name in wanted)


def scalar(graph: Graph, name: str) -> float | None:
    """The number that a constant holds, if it is one."""
    value = graph.constants.get(name)
    return float(value.reshape(-1)[0]) if value is not None and value.size == 1 else None


def per_channel(value: Array, channels: int, rank: int) -> Array | None:
    """A constant as (channels,), where it broadcasts over axis 1 of a tensor of that rank only."""
    shape = (*(1 for _ in range(rank - value.ndim)), *value.shape)
    if len(shape) != rank or any(d != 1 for i, d in enumerate(shape) if i != 1):
        return None
    if shape[1] not in (1, channels):
        return None
    return np.array(np.broadcast_to(value.reshape(-1), (channels,)), np.float32)


def pads_of(graph: Graph, op: Op, number: float = 0.0) -> Pads | None:
    """Rows and columns of a Pad of images, in ONNX's order; None where they are filled with
    another number, or where it pads other axes or cuts.
    """
    pads = all_pads(graph, op, number)
    if pads is None or any(pads[i] for i in (0, 1, 4, 5)):
        return None
    return pads[2], pads[3], pads[6], pads[7]


def all_pads(graph: Graph, op: Op, number: float = 0.0) -> list[int] | None:
    """What a Pad adds before, then behind each of four axes; None as `pads_of`."""
    _, sizes, fill, axes, *_ = (*op.inputs, "", "", "")
    is_filled = op.attrs.get("mode", "constant") == "constant"
    filled = (scalar(graph, fill) if fill else 0.0) if is_filled else number
    given = graph.constants.get(sizes)
    pads = [] if given is None or axes else [int(n) for n in given.reshape(-1)]
    return pads if filled == number and len(pads) == 8 and min(pads) >= 0 else None
