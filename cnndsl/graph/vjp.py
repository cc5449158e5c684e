"""Reverse-mode differentiation of a tape, on the same tape.

The engine knows no operator: each has its gradients (vector-Jacobian products) in its entry in
`cnndsl.graph.ops`. A missing one is an error that names operator, path and line, never a silent
zero.
"""

from collections.abc import Sequence

from cnndsl.graph.ops import has, operator
from cnndsl.graph.ops.base import Trait
from cnndsl.graph.ops.grad import Grad, filled, unbroadcast
from cnndsl.graph.tape import Tape
from cnndsl.graph.value import Node, Value


class MissingRule(Exception):  # noqa: N818
    """An operator on the way from a parameter to the loss has no gradient."""


def gradients(
    tape: Tape, loss: Value, wrt: Sequence[Value], scale: Value | None = None
) -> list[Value]:
    """d loss / d v for each v of `wrt`, written on the tape; zeros where the loss ignores v.

    With a `scale`, d (scale · loss) / d v.
    """
    reached = _downstream(tape, wrt)
    parts: dict[Value, list[Value]] = {loss: [scale or filled(tape, loss, 1.0)]}
    for node in reversed(tape.nodes[:]):
        if not any(y in parts for y in node.outputs) or reached.isdisjoint(node.outputs):
            continue
        tape.path, tape.line = f"{node.path}.grad", node.line
        dys = [tape.sum(parts.pop(y)) if y in parts else None for y in node.outputs]
        for i, x in enumerate(node.inputs):
            if x is not None and x in reached:
                parts.setdefault(x, []).append(_gradient(Grad(tape, node, i, dys)))
    return [tape.sum(parts[v]) if v in parts else filled(tape, v, 0.0) for v in wrt]


def _downstream(tape: Tape, wrt: Sequence[Value]) -> set[Value]:
    reached = set(wrt)
    for node in tape.nodes:
        if not operator(node.op).constant and not reached.isdisjoint(node.inputs):
            reached.update(y for y in node.outputs if y.dtype.startswith("float"))
    return reached


def _gradient(g: Grad) -> Value:
    """The gradient of one input by its rule, in the input's shape."""
    rule = operator(g.node.op).gradient(g.index)
    if rule is None:
        raise MissingRule(f"no gradient for input {g.index} of {g.node.op} ({_place(g.node)})")
    dx = rule(g).value
    if has(g.node.op, Trait.BROADCASTS):
        dx = unbroadcast(g.tape, dx, g.input.shape)
    assert dx.shape == g.input.shape, f"{g.node.op}: gradient {dx.shape} of {g.input.shape}"
    return dx


def _place(node: Node) -> str:
    return f"{node.path} at line {node.line}"
