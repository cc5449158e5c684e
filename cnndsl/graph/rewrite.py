"""The walk that most passes share: each node is kept, or replaced by others."""

from collections.abc import Callable
from dataclasses import replace

from cnndsl.graph.tape import Node, Tape, Value

Transform = Callable[[Tape, Node], list[Value] | None]


def rewrite(tape: Tape, transform: Transform) -> Tape:
    """Offer each node to a transform, which may write others instead and return their values.

    The transform writes on the new tape; the inputs of the node that it sees are there already.
    """
    new, swap = tape.replaced([]), dict[Value, Value]()
    for node in tape.nodes:
        current = replace(node, inputs=tuple(swap.get(v, v) if v else None for v in node.inputs))
        new.path, new.line = node.path, node.line
        values = transform(new, current)
        if values is None:
            new.keep(current)
        else:
            swap.update(zip(node.outputs, values, strict=True))
    new.outputs = {name: swap.get(v, v) for name, v in tape.outputs.items()}
    return new
