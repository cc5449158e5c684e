"""Gradients of elementwise operators. y is the output, dy its gradient, [·] is 1 or 0."""

from math import pi, sqrt

from cnndsl.graph.tape import Value
from cnndsl.graph.vjp import Grad, no_gradient, vjp

no_gradient("steps and truth values", "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual",
            "Not", "And", "Or", "IsNaN", "IsInf", "Floor", "Sign", "ArgMax", "OneHot")  # fmt: skip
no_gradient("by its writer's word; `simplify` takes it away", "StopGradient")


@vjp("Identity", 0)  # dx = dy
def _identity(g: Grad) -> Value:
    return g.dy


@vjp("Cast", 0)  # dx = dy
def _cast(g: Grad) -> Value:
    return g.op("Cast", g.dy, to=g.me.dtype)


@vjp("Add")  # da = dy
@vjp("Sum")
def _add(g: Grad) -> Value:
    return g.fit(g.dy, g.index)


@vjp("Sub", 0)  # da = dy
def _sub_a(g: Grad) -> Value:
    return g.fit(g.dy, 0)


@vjp("Sub", 1)  # db = −dy
def _sub_b(g: Grad) -> Value:
    return g.op("Neg", g.fit(g.dy, 1))


@vjp("Mul", 0)  # da = dy · b
def _mul_a(g: Grad) -> Value:
    return g.fit(g.mul(g.dy, g.x(1)), 0)


@vjp("Mul", 1)  # db = dy · a
def _mul_b(g: Grad) -> Value:
    return g.fit(g.mul(g.dy, g.x(0)), 1)


@vjp("Div", 0)  # da = dy / b
def _div_a(g: Grad) -> Value:
    return g.fit(g.op("Div", g.dy, g.x(1)), 0)


@vjp("Div", 1)  # db = −dy · y / b
def _div_b(g: Grad) -> Value:
    return g.op("Neg", g.fit(g.mul(g.dy, g.op("Div", g.y, g.x(1))), 1))


@vjp("Pow", 0)  # da = dy · b · a^(b−1)
def _pow(g: Grad) -> Value:
    less = g.op("Sub", g.x(1), g.number(1.0))
    return g.fit(g.mul(g.dy, g.mul(g.x(1), g.op("Pow", g.x(0), less))), 0)


@vjp("Max")  # dx = dy · [x = y]
@vjp("Min")
def _extreme(g: Grad) -> Value:
    return g.fit(g.gate(g.op("Equal", g.me, g.y), g.dy), g.index)


@vjp("Where", 1)  # da = dy · [c]
def _where_a(g: Grad) -> Value:
    return g.fit(g.gate(g.x(0), g.dy), 1)


@vjp("Where", 2)  # db = dy · [not c]
def _where_b(g: Grad) -> Value:
    return g.fit(g.gate(g.op("Not", g.x(0)), g.dy), 2)


@vjp("Neg", 0)  # dx = −dy
def _neg(g: Grad) -> Value:
    return g.op("Neg", g.dy)


@vjp("Abs", 0)  # dx = dy · ([x > 0] − [x < 0])
def _abs(g: Grad) -> Value:
    zero = g.number(0.0)
    above, below = g.op("Greater", g.x(0), zero), g.op("Less", g.x(0), zero)
    return g.op("Sub", g.gate(above, g.dy), g.gate(below, g.dy))


@vjp("Exp", 0)  # dx = dy · y
def _exp(g: Grad) -> Value:
    return g.mul(g.dy, g.y)


@vjp("Log", 0)  # dx = dy / x
def _log(g: Grad) -> Value:
    return g.op("Div", g.dy, g.x(0))


@vjp("Sqrt", 0)  # dx = ½ · dy / y
def _sqrt(g: Grad) -> Value:
    return g.scaled(g.op("Div", g.dy, g.y), 0.5)


@vjp("Reciprocal", 0)  # dx = −dy · y²
def _reciprocal(g: Grad) -> Value:
    return g.op("Neg", g.mul(g.dy, g.mul(g.y, g.y)))


@vjp("Erf", 0)  # dx = dy · 2/√π · e^(−x²)
def _erf(g: Grad) -> Value:
    bell = g.op("Exp", g.op("Neg", g.mul(g.x(0), g.x(0))))
    return g.mul(g.dy, g.scaled(bell, 2 / sqrt(pi)))


@vjp("Relu", 0)  # dx = dy · [y > 0]
def _relu(g: Grad) -> Value:
    return g.gate(g.op("Greater", g.y, g.number(0.0)), g.dy)


@vjp("Clip", 0)  # dx = dy · [low < x] · [x < high]
def _clip(g: Grad) -> Value:
    inside = g.op("And", g.op("Greater", g.x(0), g.x(1)), g.op("Less", g.x(0), g.x(2)))
    return g.gate(inside, g.dy)


@vjp("LeakyRelu", 0)  # dx = dy · ([x > 0] · (1 − alpha) + alpha)
def _leaky(g: Grad) -> Value:
    return g.mul(g.dy, _step(g, g.op("Greater", g.x(0), g.number(0.0)), g.attr("alpha", 0.01)))


def _step(g: Grad, condition: Value, low: float) -> Value:
    """1 where the condition holds, else `low`."""
    ones = g.scaled(g.op("Cast", condition, to=g.dy.dtype), 1 - low)
    return g.op("Add", ones, g.number(low))


@vjp("PRelu", 0)  # dx = dy · ([x > 0] + w · [x ≤ 0])
def _prelu_x(g: Grad) -> Value:
    above = g.op("Cast", g.op("Greater", g.x(0), g.number(0.0)), to=g.dy.dtype)
    below = g.op("Sub", g.number(1.0), above)
    return g.mul(g.dy, g.op("Add", above, g.mul(below, g.x(1))))


@vjp("PRelu", 1)  # dw = Σ dy · min(x, 0)
def _prelu_w(g: Grad) -> Value:
    return g.fit(g.mul(g.dy, g.op("Min", g.x(0), g.number(0.0))), 1)


@vjp("Elu", 0)  # dx = dy · ([x > 0] + [x ≤ 0] · (y + alpha))
def _elu(g: Grad) -> Value:
    shifted = g.op("Add", g.y, g.number(g.attr("alpha", 1.0)))
    return g.mul(g.dy, _either(g, g.number(1.0), shifted))


@vjp("Selu", 0)  # dx = dy · ([x > 0] · gamma + [x ≤ 0] · (y + gamma·alpha))
def _selu(g: Grad) -> Value:
    gamma, alpha = g.attr("gamma"), g.attr("alpha")
    shifted = g.op("Add", g.y, g.number(gamma * alpha))
    return g.mul(g.dy, _either(g, g.number(gamma), shifted))


def _either(g: Grad, above: Value, below: Value) -> Value:
    """`above` where x > 0, else `below`."""
    positive = g.op("Greater", g.x(0), g.number(0.0))
    return g.op("Add", g.gate(positive, above), g.gate(g.op("Not", positive), below))


@vjp("Sigmoid", 0)  # dx = dy · y · (1 − y)
def _sigmoid(g: Grad) -> Value:
    return g.mul(g.dy, g.op("Sub", g.y, g.mul(g.y, g.y)))


@vjp("HardSigmoid", 0)  # dx = dy · alpha · [0 < y < 1]
def _hard_sigmoid(g: Grad) -> Value:
    low, high = g.op("Greater", g.y, g.number(0.0)), g.op("Less", g.y, g.number(1.0))
    return g.gate(g.op("And", low, high), g.scaled(g.dy, g.attr("alpha", 0.2)))


@vjp("Tanh", 0)  # dx = dy · (1 − y²)
def _tanh(g: Grad) -> Value:
    return g.op("Sub", g.dy, g.mul(g.dy, g.mul(g.y, g.y)))


@vjp("Softplus", 0)  # dx = dy · σ(x)
def _softplus(g: Grad) -> Value:
    return g.mul(g.dy, g.op("Sigmoid", g.x(0)))


def _axis_sum(g: Grad, value: Value) -> Value:
    axis = g.attr("axis", -1) % len(value.shape)
    return g.op("ReduceSum", value, g.tape.ints([axis]), keepdims=1)


@vjp("Softmax", 0)  # dx = y · (dy − Σ dy·y)
def _softmax(g: Grad) -> Value:
    return g.mul(g.y, g.op("Sub", g.dy, _axis_sum(g, g.mul(g.dy, g.y))))


@vjp("LogSoftmax", 0)  # dx = dy − e^y · Σ dy
def _log_softmax(g: Grad) -> Value:
    return g.op("Sub", g.dy, g.mul(g.op("Exp", g.y), _axis_sum(g, g.dy)))
