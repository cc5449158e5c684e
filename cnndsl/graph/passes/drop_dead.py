"""What no output needs is not computed."""

from cnndsl.graph.tape import Node, Tape


def drop_dead(tape: Tape) -> Tape:
    """Remove what no output needs."""
    needed = set(tape.outputs.values())
    kept = list[Node]()
    for node in reversed(tape.nodes):
        if not needed.isdisjoint(node.outputs):
            kept.append(node)
            needed.update(v for v in node.inputs if v is not None)
    return tape.replaced(kept[::-1])
