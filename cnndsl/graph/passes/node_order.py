"""The order of operators in the file, which decides the order in which onnxruntime runs them.

onnxruntime does not run a file from top to bottom. It walks back from the operators that nobody
reads, the last in the file first, and from each operator to its inputs, the last in the file first.
Written in the order of the tape, a training step would run the whole backward pass before the first
weight gradient, with every activation and gradient alive and out of the cache. Written as late as
their readers allow, the earliest wanted operators come first: weight gradients right behind the
gradients that they need, micro-batches one after the other.
"""

import heapq
from collections import defaultdict

from cnndsl.graph.tape import Node, Tape, Value


def node_order(tape: Tape) -> Tape:
    """Reorder the nodes, so that onnxruntime runs them in the order of `wanted_order`."""
    wanted = {id(node): at for at, node in enumerate(wanted_order(tape))}
    makers = {value: node for node in tape.nodes for value in node.outputs}
    readers: dict[int, int] = defaultdict(int)
    for node in tape.nodes:
        for maker in _makers(node, makers):
            readers[id(maker)] += 1
    ready = [(wanted[id(n)], n) for n in tape.nodes if not readers[id(n)]]
    heapq.heapify(ready)
    backwards = list[Node]()
    while ready:
        node = heapq.heappop(ready)[1]
        backwards.append(node)
        for maker in _makers(node, makers):
            readers[id(maker)] -= 1
            if not readers[id(maker)]:
                heapq.heappush(ready, (wanted[id(maker)], maker))
    return tape.replaced(backwards[::-1])


def _makers(node: Node, makers: dict[Value, Node]) -> list[Node]:
    """The nodes that make a node's inputs, each once."""
    found = {id(m): m for v in node.inputs if v is not None and (m := makers.get(v)) is not None}
    return list(found.values())


def wanted_order(tape: Tape) -> list[Node]:
    """The tape's order, micro-batch by micro-batch, and what needs several of them at the end.

    A view goes with what it views: where gradients are laid side by side, the last layer's come
    first, as they are made.
    """
    makers = {value: at for at, node in enumerate(tape.nodes) for value in node.outputs}
    micro_batch = {
        value: at
        for node in tape.nodes
        if _splits_input(tape, node)
        for at, value in enumerate(node.outputs)
    }
    keys = list[tuple[int, int, int]]()
    for at, node in enumerate(tape.nodes):
        own = {micro_batch[v] for v in node.inputs if v in micro_batch}
        mine = _SEVERAL if len(own) > 1 else max(own, default=-1)
        for value in node.outputs if own else ():
            micro_batch.setdefault(value, mine)
        viewed = makers.get(node.inputs[0], at) if node.op == "Reshape" and node.inputs[0] else at
        keys.append((mine, viewed, at))
    return [tape.nodes[at] for *_, at in sorted(keys)]


_SEVERAL = 1 << 30


def _splits_input(tape: Tape, node: Node) -> bool:
    """Whether a node cuts the batch."""
    return node.op == "Split" and node.inputs[0] in tape.inputs


def runtime_order(tape: Tape) -> list[Node]:
    """The order in which onnxruntime runs the nodes as they stand: its walk back, in full."""
    makers = {value: node for node in tape.nodes for value in node.outputs}
    place = {id(node): at for at, node in enumerate(tape.nodes)}
    read = {value for node in tape.nodes for value in node.inputs}
    waiting = [(n, False) for n in tape.nodes if not any(v in read for v in n.outputs)]
    seen, order = set[int](), list[Node]()
    while waiting:
        node, inputs_done = waiting.pop()
        if inputs_done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            waiting.append((node, True))
            before = sorted(_makers(node, makers), key=lambda n: place[id(n)])
            waiting += [(n, False) for n in before if id(n) not in seen]
    return order
