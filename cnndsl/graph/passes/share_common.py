"""Equal expressions are computed once."""

from cnndsl.graph.rewrite import rewrite
from cnndsl.graph.tape import Node, Tape, Value


def share_common(tape: Tape) -> Tape:
    """Compute equal expressions once: the same operator, inputs and attributes."""
    seen: dict[object, tuple[Value, ...]] = {}

    def transform(tape: Tape, node: Node) -> list[Value] | None:
        key = (node.op, node.inputs, tuple(sorted((k, repr(v)) for k, v in node.attrs.items())))
        if key in seen:
            return list(seen[key])
        seen[key] = node.outputs
        return None

    return rewrite(tape, transform)
