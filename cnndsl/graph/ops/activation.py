"""Activations. y is the output, dy its gradient, [·] is 1 or 0."""

from cnndsl.graph.ops.base import ELEMENTWISE, IN_PLACE, MONOTONE, WIDE, define, same
from cnndsl.graph.ops.grad import Expr, Grad, masked

RISING = ELEMENTWISE | MONOTONE


def _clip(g: Grad) -> Expr:
    """dx = dy · [low < x] · [x < high]."""
    inside = (g.x > g.b) & (g.x < g.x_of(2))
    return masked(g.dy, inside)


def _leaky(g: Grad) -> Expr:
    """dx = dy · ([x > 0] · (1 − alpha) + alpha)."""
    alpha = g.attr("alpha", 0.01)
    return g.dy * ((g.x > 0).cast(g.dy.dtype) * (1 - alpha) + alpha)


def _prelu_x(g: Grad) -> Expr:
    """dx = dy · ([x > 0] + w · [x ≤ 0])."""
    above = (g.x > 0).cast(g.dy.dtype)
    return g.dy * (above + (1.0 - above) * g.b)


def _elu(g: Grad) -> Expr:
    """dx = dy · ([x > 0] + [x ≤ 0] · (y + alpha))."""
    shifted = g.y + g.attr("alpha", 1.0)
    return g.dy * _either(g, g.dy.number(1.0), shifted)


def _selu(g: Grad) -> Expr:
    """dx = dy · ([x > 0] · gamma + [x ≤ 0] · (y + gamma·alpha))."""
    gamma, alpha = g.attr("gamma"), g.attr("alpha")
    shifted = g.y + gamma * alpha
    return g.dy * _either(g, g.dy.number(gamma), shifted)


def _either(g: Grad, above: Expr, below: Expr) -> Expr:
    """`above` where x > 0, else `below`."""
    positive = g.x > 0
    return masked(above, positive) + masked(below, ~positive)


def _hard_sigmoid(g: Grad) -> Expr:
    """dx = dy · alpha · [0 < y < 1]."""
    inside = (g.y > 0) & (g.y < 1)
    return masked(g.dy * g.attr("alpha", 0.2), inside)


def _axis_sum(g: Grad, x: Expr) -> Expr:
    return x.sum(g.attr("axis", -1) % len(x.shape))


define("Relu", same, RISING | IN_PLACE, lambda g: masked(g.dy, g.y > 0))
define("Clip", same, RISING | IN_PLACE, _clip)
define("LeakyRelu", same, RISING | IN_PLACE, _leaky)
define("PRelu", same, ELEMENTWISE,
       _prelu_x, lambda g: g.unbroadcast(g.dy * g.x.op("Min", 0.0)))  # fmt: skip
define("Elu", same, RISING, _elu)
define("Selu", same, RISING, _selu)
define("Sigmoid", same, RISING | IN_PLACE, lambda g: g.dy * (g.y - g.y * g.y))
define("HardSigmoid", same, RISING | IN_PLACE, _hard_sigmoid)
define("Tanh", same, RISING | IN_PLACE, lambda g: g.dy - g.dy * (g.y * g.y))
define("Softplus", same, RISING | WIDE, lambda g: g.dy * g.x.op("Sigmoid"))
define("Softmax", same, IN_PLACE | WIDE, lambda g: g.y * (g.dy - _axis_sum(g, g.dy * g.y)))
define("LogSoftmax", same, WIDE, lambda g: g.dy - g.y.op("Exp") * _axis_sum(g, g.dy))
