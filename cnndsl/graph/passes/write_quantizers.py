"""Rounding to eight bits as ONNX's operators, once gradients have gone straight through it."""

from cnndsl.graph.rewrite import rewrite
from cnndsl.graph.tape import Node, Tape, Value

_STEPS = 127.0  # of a weight on either side of 0
_TINY = 1.2e-38  # the smallest normal float32


def write_quantizers(tape: Tape) -> Tape:
    """Activations by QuantizeLinear and DequantizeLinear, weights by arithmetic."""
    return rewrite(tape, _written)


def _written(tape: Tape, node: Node) -> list[Value] | None:
    if node.op == "FakeQuantize":
        _, scale, zero = node.inputs
        return [tape.op("DequantizeLinear", tape.op("QuantizeLinear", *node.inputs), scale, zero)]
    if node.op == "FakeQuantizeWeight":
        return [_rounded(tape, node)]
    return [_extremes(tape, node)] if node.op == "Extremes" else None


def _rounded(tape: Tape, node: Node) -> Value:
    """The nearest of 255 values for each channel, of which the largest is exact.

    This is onnxruntime's quantiser for weights: int8, symmetric. Batch norm, folded into a channel,
    scales its weights and their steps alike, so that rounding before or behind it is the same.
    """
    (w,) = node.inputs
    assert w is not None
    largest = tape.op("ReduceMax", tape.op("Abs", w), tape.ints(node.attrs["axes"]), keepdims=1)
    step = tape.op("Div", largest, tape.scalar(_STEPS, w.dtype))
    step = tape.op("Max", step, tape.scalar(_TINY, w.dtype))
    return tape.op("Mul", tape.op("Round", tape.op("Div", w, step)), step)


def _extremes(tape: Tape, node: Node) -> Value:
    """−least and largest value: of several such pairs the largest of each count."""
    (x,) = node.inputs
    assert x is not None
    flat, axis = tape.reshape(x, -1), tape.ints([0])
    least, most = (tape.op(op, flat, axis, keepdims=1) for op in ("ReduceMin", "ReduceMax"))
    return tape.op("Concat", tape.op("Neg", least), most, axis=0)
