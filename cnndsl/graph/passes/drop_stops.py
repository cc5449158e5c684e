"""StopGradient and CustomGradient are no operators of ONNX: they only steer the backward pass."""

from cnndsl.graph.rewrite import rewrite
from cnndsl.graph.tape import Tape

_MARKS = ("StopGradient", "CustomGradient")


def drop_stops(tape: Tape) -> Tape:
    """Take away what only steered gradients."""
    return rewrite(tape, lambda _, n: [v for v in n.inputs[:1] if v] if n.op in _MARKS else None)
