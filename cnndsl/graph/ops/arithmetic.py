"""Arithmetic of one and more operands. y is the output, dy its gradient, [·] is 1 or 0."""

from math import pi, sqrt

from cnndsl.graph.ops.base import (
    BROADCASTS,
    ELEMENTWISE,
    IN_PLACE,
    MONOTONE,
    VIEW,
    WIDE,
    Trait,
    broadcasting,
    define,
    same,
)
from cnndsl.graph.ops.grad import Expr, Grad, masked

OPERANDS = ELEMENTWISE | BROADCASTS
CONSTANT = None  # an input that no gradient flows into: a constant on every tape


def _extreme(g: Grad) -> Expr:
    """dx = dy · [x = y]."""
    return masked(g.dy, g.input.op("Equal", g.y))


def _abs(g: Grad) -> Expr:
    """dx = dy · ([x > 0] − [x < 0])."""
    above, below = g.x > 0, g.x < 0
    return masked(g.dy, above) - masked(g.dy, below)


def _pow(g: Grad) -> Expr:
    """da = dy · b · a^(b−1)."""
    less = g.b - 1.0
    return g.dy * (g.b * g.a**less)


define("Add", broadcasting, OPERANDS | IN_PLACE, each=lambda g: g.dy)
define("Sum", broadcasting, OPERANDS, each=lambda g: g.dy)
define("Sub", broadcasting, OPERANDS | IN_PLACE, lambda g: g.dy, lambda g: -g.unbroadcast(g.dy))
define("Mul", broadcasting, OPERANDS | IN_PLACE, lambda g: g.dy * g.b, lambda g: g.dy * g.a)
define("Div", broadcasting, OPERANDS | IN_PLACE,
       lambda g: g.dy / g.b, lambda g: -g.unbroadcast(g.dy * (g.y / g.b)))  # fmt: skip
define("Pow", broadcasting, OPERANDS | WIDE, _pow, CONSTANT)
define("Max", broadcasting, OPERANDS | IN_PLACE, each=_extreme)
define("Min", broadcasting, OPERANDS | IN_PLACE, each=_extreme)
define("Where", broadcasting, OPERANDS, CONSTANT,
       lambda g: masked(g.dy, g.x), lambda g: masked(g.dy, ~g.x),
       dtype=lambda call: call.x(1).dtype)  # fmt: skip

define("Identity", same, ELEMENTWISE | MONOTONE | VIEW, lambda g: g.dy)
define("Cast", same, ELEMENTWISE, lambda g: g.dy.cast(g.x.dtype),
       dtype=lambda call: call.attrs["to"])  # fmt: skip
define("Neg", same, ELEMENTWISE | IN_PLACE, lambda g: -g.dy)
define("Abs", same, ELEMENTWISE | IN_PLACE, _abs)
define("Exp", same, ELEMENTWISE | MONOTONE | IN_PLACE | WIDE, lambda g: g.dy * g.y)
define("Log", same, ELEMENTWISE | MONOTONE | IN_PLACE | WIDE, lambda g: g.dy / g.x)
define("Sqrt", same, ELEMENTWISE | MONOTONE | IN_PLACE, lambda g: g.dy / g.y * 0.5)
define("Reciprocal", same, ELEMENTWISE, lambda g: -(g.dy * (g.y * g.y)))
define("Erf", same, ELEMENTWISE | MONOTONE | IN_PLACE,
       lambda g: g.dy * ((-(g.x * g.x)).op("Exp") * (2 / sqrt(pi))))  # fmt: skip


STEP = "a step is flat"
define("Floor", same, ELEMENTWISE | MONOTONE, constant=STEP)
define("Sign", same, ELEMENTWISE | MONOTONE, constant=STEP)
define(
    "StopGradient", same, ELEMENTWISE, constant="by its writer's word; `drop_stops` takes it away"
)
# The first input; what flows into the second is what the writer's `rule` says, in place of what
# made the first. Further inputs are read by that rule alone. `drop_stops` takes it away.
define("CustomGradient", same, Trait.NONE, lambda g: g.dy, lambda g: g.attr("rule")(g))
