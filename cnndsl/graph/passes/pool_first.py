"""Pooling before a rising activation: max(f(a), f(b)) = f(max(a, b)), on a quarter of the data."""

from collections import Counter

from cnndsl.graph.ops import has
from cnndsl.graph.ops.base import Trait
from cnndsl.graph.passes.drop_dead import drop_dead
from cnndsl.graph.rewrite import rewrite
from cnndsl.graph.tape import Node, Tape, Value


def pool_first(tape: Tape) -> Tape:
    """Exchange each rising activation with the max-pool that is its only reader."""
    readers = Counter(v for node in tape.nodes for v in node.inputs if v is not None)
    readers.update(tape.outputs.values())

    def transform(tape: Tape, node: Node) -> list[Value] | None:
        if node.op != "MaxPool" or node.inputs[0] is None:
            return None
        before = tape.producer(node.inputs[0])
        if before is None or not _rises(before) or readers[node.inputs[0]] > 1:
            return None
        top = tape.op("MaxPool", before.inputs[0], **node.attrs)
        tape.path, tape.line = before.path, before.line
        return [tape.op(before.op, top, *before.inputs[1:], **before.attrs)]

    return drop_dead(rewrite(tape, transform))


def _rises(node: Node) -> bool:
    """A leaky slope may be negative."""
    return has(node.op, Trait.MONOTONE) and node.attrs.get("alpha", 0) >= 0
