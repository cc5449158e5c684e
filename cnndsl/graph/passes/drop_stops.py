"""StopGradient is no operator of ONNX: behind the backward pass it has done its work."""

from cnndsl.graph.rewrite import rewrite
from cnndsl.graph.tape import Tape


def drop_stops(tape: Tape) -> Tape:
    """Take away what kept gradients from passing."""
    return rewrite(
        tape, lambda _, n: [v for v in n.inputs if v] if n.op == "StopGradient" else None
    )
