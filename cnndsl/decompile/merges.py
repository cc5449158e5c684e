"""Merges of tensors: sums, products and channels side by side, and what can be written by these."""

from math import inf

from cnndsl.decompile.fuse import scalar
from cnndsl.decompile.graph import Op, shortest
from cnndsl.decompile.reader import Reader, reads
from cnndsl.layers import activation as act
from cnndsl.layers.clamp import Clamp
from cnndsl.layers.merge import Add, Concat, Mul

ENDLESS = 3e38
"""Beyond it a bound cuts nothing."""
_POWERS = (2, 3, 4)


@reads("Add", "Sum", "Mul", "Concat", "Mean")
def _merge(r: Reader, op: Op) -> int:
    if len(op.inputs) == 1:
        return r.x(op)
    inputs = _tensors(r, op)
    if op.kind == "Concat" and op.attrs.get("axis") not in (1, -len(r.shapes[inputs[0]])):
        op.refuse("`concat` joins channels")
    layer = {"Concat": Concat, "Mul": Mul}.get(op.kind, Add)()
    merged = r.add(op, layer, *inputs)
    return _times(r, op, merged, 1 / len(inputs)) if op.kind == "Mean" else merged


def _tensors(r: Reader, op: Op) -> tuple[int, ...]:
    """The steps that make the inputs, none of which is a constant."""
    if any(name in r.graph.constants for name in op.inputs):
        op.refuse("the language has constants that are one number for each channel only")
    return tuple(r.x(op, i) for i in range(len(op.inputs)))


def _times(r: Reader, op: Op, x: int, factor: float) -> int:
    return r.add(op, act.Scale(factor, fixed=True), x)


@reads("Neg")
def _negative(r: Reader, op: Op) -> int:
    return _times(r, op, r.x(op), -1.0)


@reads("Sub")
def _difference(r: Reader, op: Op) -> int:
    minuend, subtrahend = _tensors(r, op)
    return _minus(r, op, minuend, subtrahend)


def _minus(r: Reader, op: Op, minuend: int, subtrahend: int) -> int:
    return r.add(op, Add(), _times(r, op, subtrahend, -1.0), minuend)


@reads("Div")
def _quotient(r: Reader, op: Op) -> int:
    """What is left of them has no constant that could be merged."""
    op.refuse("the language has quotients only with one number for each channel")


@reads("Pow")
def _power(r: Reader, op: Op) -> int:
    x, exponent = r.x(op), r.number(op, 1, 1.0)
    if exponent not in _POWERS:
        op.refuse(f"the language has products of a tensor with itself, no power of {exponent:g}")
    return r.add(op, Mul(), *[x] * int(exponent))


@reads("Max", "Min")
def _extreme(r: Reader, op: Op) -> int:
    """max(a, b) = a + relu(b − a), min(a, b) = a − relu(a − b); a number is a bound."""
    if any(name in r.graph.constants for name in op.inputs):
        return _bounded(r, op)
    found, *others = _tensors(r, op)
    for other in others:
        pair = (other, found) if op.kind == "Max" else (found, other)
        above = r.add(op, act.Relu(), _minus(r, op, *pair))
        join = r.add(op, Add(), above, found) if op.kind == "Max" else _minus(r, op, found, above)
        found = join
    return found


def _bounded(r: Reader, op: Op) -> int:
    """The bound of a tensor by one number."""
    bounds = [scalar(r.graph, name) for name in op.inputs if name in r.graph.constants]
    others = [i for i, name in enumerate(op.inputs) if name not in r.graph.constants]
    if len(others) != 1 or len(bounds) != 1 or bounds[0] is None:
        op.refuse("bounds are one number for all channels")
    low, high = (bounds[0], inf) if op.kind == "Max" else (-inf, bounds[0])
    return bounded(r, op, r.x(op, others[0]), low, high)


def bounded(r: Reader, op: Op, x: int, low: float, high: float) -> int:
    """A step cut at two numbers."""
    if low == 0 and (high == 6 or high > ENDLESS):
        return r.add(op, act.Relu6() if high == 6 else act.Relu(), x)
    if -low > ENDLESS and high > ENDLESS:
        return x
    return r.add(op, Clamp(shortest(max(low, -ENDLESS)), shortest(min(high, ENDLESS))), x)
