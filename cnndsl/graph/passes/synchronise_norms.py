"""Batch norm over micro-batches: its statistics are those of the whole batch.

Everything else sees one micro-batch at a time, whose values are fewer to hold at once.
"""

import heapq
from collections import defaultdict

from cnndsl.graph.tape import Node, Tape, Value

OP = "SyncBatchNormalization"


def synchronise_norms(tape: Tape) -> Tape:
    """Join the batch norms that have their statistics in common: those of the micro-batches.

    Inputs: x of each micro-batch, then the parameters; outputs: y of each, then the statistics.
    """
    groups = defaultdict[tuple[Value | None, ...], list[Node]](list)
    for node in tape.nodes:
        if node.op == "BatchNormalization" and len(node.outputs) == 3:
            groups[node.inputs[3:]].append(node)
    joint = dict[int, Node]()
    for group in groups.values():
        if len(group) > 1:
            joint |= dict.fromkeys(map(id, group), _joint(group))
    nodes = {id(node): node for node in (joint.get(id(n), n) for n in tape.nodes)}
    return tape.replaced(_in_order(list(nodes.values())))


def _joint(group: list[Node]) -> Node:
    last = group[-1]
    inputs = (*(n.inputs[0] for n in group), *last.inputs[1:])
    outputs = (*(n.outputs[0] for n in group), *last.outputs[1:])
    return Node(OP, inputs, outputs, last.attrs, last.path, last.line)


def _in_order(nodes: list[Node]) -> list[Node]:
    """Each as soon as its inputs are there, otherwise as they stand."""
    made = {value for node in nodes for value in node.outputs}
    missing = [made.intersection(v for v in node.inputs if v is not None) for node in nodes]
    readers = defaultdict[Value, list[int]](list)
    for at, values in enumerate(missing):
        for value in values:
            readers[value].append(at)
    ready, order = [at for at, values in enumerate(missing) if not values], list[Node]()
    while ready:  # a sorted list is a heap
        order.append(nodes[heapq.heappop(ready)])
        for value in order[-1].outputs:
            for at in readers[value]:
                missing[at].discard(value)
                if not missing[at]:
                    heapq.heappush(ready, at)
    return order
