"""A chain of reshapes is one."""

from cnndsl.graph.rewrite import rewrite
from cnndsl.graph.tape import Node, Tape, Value


def merge_reshapes(tape: Tape) -> Tape:
    """One Reshape for a chain of them, none where the shape is there already."""
    return rewrite(tape, _merged)


def _merged(tape: Tape, node: Node) -> list[Value] | None:
    source = node.inputs[0] if node.op == "Reshape" else None
    while source is not None and (made := tape.producer(source)) and made.op == "Reshape":
        source = made.inputs[0]
    if source is None or (source is node.inputs[0] and source.shape != node.outputs[0].shape):
        return None
    if source.shape == node.outputs[0].shape:
        return [source]
    return [tape.reshape(source, *(int(d) for d in node.outputs[0].shape))]
