"""Which convolutions of an inference graph are worth packed images: a search over their costs.

A packed image costs a change of layout where it begins and ends, and operators between are passes
of their own, which onnxruntime else does within its Conv. So what is best for a convolution depends
on its neighbours: from what is best for each alone, single changes are made while they help.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from math import inf, prod

from cnndsl.graph.export import MAX_BYTES
from cnndsl.graph.ops import has
from cnndsl.graph.ops.base import Trait
from cnndsl.graph.tape import Node, Tape, Value
from cnndsl.lower.conv.operator import conv_shape
from cnndsl.lower.conv.table import PASS, ConvShape, choose, fitting
from cnndsl.lower.driver import Lowering, Plan, is_lowered

_WORTH = 0.9  # of the plain graph's cost: predictions of less than a tenth were not always true
_SHARE = 0.9  # of the bytes that a file has left


@dataclass(frozen=True)
class _Choice:
    """The best algorithm of a convolution on packed images; what it and ONNX's own Conv cost.

    `more` are the bytes by which its weights grow.
    """

    algorithm: str
    packed: float
    plain: float
    more: int


def best_choices(tape: Tape, plan: Plan, growth: float = inf) -> dict[str, str]:
    """The algorithm of each convolution, by path, that is not ONNX's own; none if little is won.

    A plan that names an algorithm gets it wherever it applies. Weights grow by at most a share of
    all constants, `growth`.
    """
    lowering = Lowering(tape, plan, {}, "infer")
    if plan.conv != "auto":
        return _named(lowering, plan)
    choices = {n.path: _choice(conv_shape(lowering, n)) for n in _convolutions(tape)}
    held = sum(a.nbytes for a in tape.consts.values())
    choices = _within(choices, min(MAX_BYTES - held, growth * held / _SHARE))
    taken = _improved(tape, choices, {p for p, c in choices.items() if c.packed < c.plain})
    if _cost(tape, choices, taken) > _WORTH * _cost(tape, choices, set()):
        return {}
    return {path: choice.algorithm for path, choice in choices.items() if path in taken}


def _named(lowering: Lowering, plan: Plan) -> dict[str, str]:
    nodes = _convolutions(lowering.source)
    names = {n.path: choose(lowering, n.path, conv_shape(lowering, n)).name for n in nodes}
    return {
        path: name
        for path, name in names.items()
        if name != "direct" and name.startswith(plan.conv)
    }


def _convolutions(tape: Tape) -> list[Node]:
    return [n for n in tape.nodes if n.op == "Conv" and n.inputs[1] in tape.consts]


def _choice(shape: ConvShape) -> _Choice:
    fit = {a.name: a for a in fitting(shape, "infer")}
    plain = fit.pop("direct").costs["infer"](shape)
    if not fit:
        return _Choice("direct", float("inf"), plain, 0)
    best = min(fit.values(), key=lambda a: a.costs["infer"](shape))
    bias = shape.batch * shape.positions * shape.filters / PASS
    more = 4 * (int(best.weights(shape)) - shape.weights)
    return _Choice(best.name, best.costs["infer"](shape) + bias, plain, more)


def _within(choices: Mapping[str, _Choice], free: float) -> dict[str, _Choice]:
    """Those that grow most ruled out, so that the rest fits into the bytes a file has left."""
    total = sum(choice.more for choice in choices.values())
    kept = dict(choices)
    for path in sorted(choices, key=lambda p: -choices[p].more):
        if total > _SHARE * free:
            total -= kept[path].more
            kept[path] = replace(kept[path], packed=float("inf"))
    return kept


def _improved(tape: Tape, choices: Mapping[str, _Choice], taken: set[str]) -> set[str]:
    """Changed by one convolution at a time while the whole costs less."""
    cost, changed = _cost(tape, choices, taken), True
    while changed:
        changed = False
        for path in choices:
            other = taken ^ {path}
            if (less := _cost(tape, choices, other)) < cost:
                taken, cost, changed = other, less, True
    return taken


def _cost(tape: Tape, choices: Mapping[str, _Choice], taken: Set[str]) -> float:
    """Milliseconds of a graph, as far as they depend on the choice."""
    packed, fused, changed = set[Value](), set[Value](), set[Value]()
    total = 0.0
    for node in tape.nodes:
        is_packed = node.path in taken
        choice = choices.get(node.path) if node.op == "Conv" else None
        if choice is not None:
            total += choice.packed if is_packed else choice.plain
        else:
            is_packed = is_lowered(node.op) and not packed.isdisjoint(node.inputs)
            total += _pass(node, is_packed, fused)
        changed |= {v for v in _images(tape, node) if (v in packed) != is_packed}
        if is_packed:
            packed.update(node.outputs)
        elif node.op == "Conv" or not fused.isdisjoint(node.inputs):
            fused.update(node.outputs if node.op == "Conv" or _fuses(node) else ())
    changed |= packed & {*tape.outputs.values()}
    return total + sum(v.size for v in changed) / PASS


def _pass(node: Node, is_packed: bool, fused: Set[Value]) -> float:
    """An operator that is not a convolution, over the values that it reads."""
    if not is_packed and _fuses(node) and not fused.isdisjoint(node.inputs):
        return 0.0
    read = _windows(node) if is_packed else 0
    return max(read, *(v.size for v in (*node.inputs, *node.outputs) if v is not None)) / PASS


def _windows(node: Node) -> int:
    """Values that a packed pool gathers: where windows overlap, more than its image has."""
    is_pool = node.op in ("MaxPool", "AveragePool")
    return prod(node.attrs["kernel_shape"]) * node.outputs[0].size if is_pool else 0


def _fuses(node: Node) -> bool:
    """Whether onnxruntime computes it within the Conv before it."""
    return node.op == "Add" or has(node.op, Trait.MONOTONE)


def _images(tape: Tape, node: Node) -> list[Value]:
    return [v for v in node.inputs if v and v not in tape.consts and len(v.shape) == 4]
