"""What an operator stretches by itself need not be stretched before."""

from cnndsl.graph.ops import has
from cnndsl.graph.ops.base import Trait, broadcast
from cnndsl.graph.rewrite import rewrite
from cnndsl.graph.tape import Node, Tape, Value


def unstretch(tape: Tape) -> Tape:
    """Leave out an Expand where the reader broadcasts by itself."""
    return rewrite(tape, _unstretched)


def _unstretched(tape: Tape, node: Node) -> list[Value] | None:
    if not has(node.op, Trait.BROADCASTS):
        return None
    inputs = list(node.inputs)
    for i, value in enumerate(inputs):
        made = tape.producer(value) if value is not None else None
        if made is not None and made.op == "Expand":
            trial = [*inputs[:i], made.inputs[0], *inputs[i + 1 :]]
            if broadcast(*(v.shape for v in trial if v)) == node.outputs[0].shape:
                inputs = trial
    if tuple(inputs) == node.inputs:
        return None
    return [tape.op(node.op, *inputs, **node.attrs)]
