"""Reverse-mode differentiation of a tape, on the same tape.

A gradient is one entry, a vector-Jacobian product keyed by operator and input:

    @vjp("Mul", 0)  # da = dy · b
    def _(g: Grad) -> Value:
        return g.fit(g.mul(g.dy, g.x(1)), 0)

The engine knows no operator. What has no gradient is declared with `no_gradient`; a missing rule is
an error that names operator, path and line, never a silent zero.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cnndsl.graph.tape import Node, Tape, Value

Rule = Callable[["Grad"], Value]

VJP: dict[tuple[str, int], Rule] = {}
VARIADIC: dict[str, Rule] = {}
NO_GRADIENT: dict[str, str] = {}


class MissingRule(Exception):  # noqa: N818
    """An operator on the way from a parameter to the loss has no gradient."""


def vjp(op: str, *inputs: int) -> Callable[[Rule], Rule]:
    """Register the gradient of an operator for some inputs; for all of them if none is named."""

    def register(rule: Rule) -> Rule:
        VJP.update({(op, i): rule for i in inputs})
        if not inputs:
            VARIADIC[op] = rule
        return rule

    return register


def no_gradient(reason: str, *ops: str) -> None:
    """Declare that operators have no gradient, and why."""
    NO_GRADIENT.update(dict.fromkeys(ops, reason))


def gradients(tape: Tape, loss: Value, wrt: Sequence[Value]) -> list[Value]:
    """d loss / d v for each v of `wrt`, written on the tape; zeros where the loss ignores v."""
    reached = _downstream(tape, wrt)
    parts: dict[Value, list[Value]] = {loss: [_filled(tape, loss, 1.0)]}
    for node in reversed(tape.nodes[:]):
        if not any(y in parts for y in node.outputs) or reached.isdisjoint(node.outputs):
            continue
        tape.path, tape.line = f"{node.path}.grad", node.line
        dys = [tape.sum(parts.pop(y)) if y in parts else None for y in node.outputs]
        for i, x in enumerate(node.inputs):
            if x is not None and x in reached:
                dx = _rule(node, i)(Grad(tape, node, i, dys))
                assert dx.shape == x.shape, f"{node.op}: gradient {dx.shape} of {x.shape}"
                parts.setdefault(x, []).append(dx)
    return [tape.sum(parts[v]) if v in parts else _filled(tape, v, 0.0) for v in wrt]


def _downstream(tape: Tape, wrt: Sequence[Value]) -> set[Value]:
    reached = set(wrt)
    for node in tape.nodes:
        if node.op not in NO_GRADIENT and not reached.isdisjoint(node.inputs):
            reached.update(y for y in node.outputs if y.dtype.startswith("float"))
    return reached


def _rule(node: Node, i: int) -> Rule:
    rule = VJP.get((node.op, i)) or VARIADIC.get(node.op)
    if rule is None:
        place = f"{node.path} at line {node.line}"
        raise MissingRule(f"no gradient for input {i} of {node.op} ({place})")
    return rule


def _filled(tape: Tape, like: Value, number: float) -> Value:
    import numpy as np

    return tape.const(np.full([int(d) for d in like.shape], number, np.dtype(like.dtype)))


@dataclass(frozen=True)
class Grad:
    """What a rule sees: one node, the input that is asked for, and the gradients of the outputs."""

    tape: Tape
    node: Node
    index: int
    dys: list[Value | None]

    def x(self, i: int) -> Value:
        """An input of the node."""
        value = self.node.inputs[i]
        assert value is not None
        return value

    @property
    def y(self) -> Value:
        """The first output of the node."""
        return self.node.outputs[0]

    @property
    def me(self) -> Value:
        """The input whose gradient is asked for."""
        return self.x(self.index)

    @property
    def dy(self) -> Value:
        """The gradient of the first output."""
        return self.dy_of(0)

    def dy_of(self, i: int) -> Value:
        """The gradient of an output; zeros where the loss ignores it."""
        return self.dys[i] or _filled(self.tape, self.node.outputs[i], 0.0)

    def attr(self, name: str, default: Any = None) -> Any:
        """An attribute of the node."""
        return self.node.attrs.get(name, default)

    def op(self, op: str, *inputs: Value | None, **attrs: Any) -> Value:
        """Write an operator."""
        return self.tape.op(op, *inputs, **attrs)

    def number(self, number: float) -> Value:
        """A scalar of the gradient's type."""
        return self.tape.scalar(number, self.dy.dtype)

    def mul(self, a: Value, b: Value) -> Value:
        """a · b."""
        return self.op("Mul", a, b)

    def scaled(self, a: Value, number: float) -> Value:
        """a · number."""
        return self.op("Mul", a, self.number(number))

    def gate(self, condition: Value, a: Value) -> Value:
        """a where the condition holds, else 0: Mul(Cast) is ten times faster than Where."""
        return self.mul(self.op("Cast", condition, to=a.dtype), a)

    def fit(self, gradient: Value, i: int) -> Value:
        """A broadcast gradient summed back to the shape of input i."""
        return unbroadcast(self.tape, gradient, self.x(i).shape)


def unbroadcast(tape: Tape, value: Value, shape: tuple[int | str, ...]) -> Value:
    """The sum over all axes along which `shape` was stretched to `value`'s shape."""
    if value.shape == shape:
        return value
    extra = len(value.shape) - len(shape)
    padded = (1,) * extra + shape
    axes = [i for i, d in enumerate(padded) if d == 1 and value.shape[i] != 1]
    summed = tape.op("ReduceSum", value, tape.ints(axes), keepdims=1) if axes else value
    return summed if not extra else tape.reshape(summed, *(int(d) for d in shape))
