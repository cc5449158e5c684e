"""Remove the named constants that nothing reads: large ones would take memory."""

from cnndsl.graph.tape import Tape


def drop_unread(tape: Tape) -> Tape:
    """Keep anonymous ones, which are small and found again by what they hold."""
    tape = tape.replaced(tape.nodes)
    read = {v for node in tape.nodes for v in node.inputs}.union(tape.outputs.values())
    named = [v for v in tape.consts if v not in read and not tape.is_anonymous(v)]
    for value in named:
        del tape.consts[value]
    return tape
