"""Sums of float16 in float32, in the backward pass, too.

The gradient of a bias is a sum over all places of a batch: in float16 it would be the first to
overflow. Where float32 is wanted of it in the end, it is never rounded between.
"""

from cnndsl.graph.ops import has
from cnndsl.graph.ops.base import Trait
from cnndsl.graph.passes.half_precision import HALF
from cnndsl.graph.rewrite import rewrite
from cnndsl.graph.tape import Node, Tape, Value


def wide_sums(tape: Tape) -> Tape:
    """Compute in float32 what has the trait WIDE and float16 inputs."""
    exact = dict[Value, Value]()  # rounded sums: what they were before

    def transform(tape: Tape, node: Node) -> list[Value] | None:
        x, *others = node.inputs or (None,)
        if x is None:
            return None
        if has(node.op, Trait.WIDE) and x.dtype == HALF:
            wide = tape.op("Cast", x, to="float32")
            return _rounded(tape, tape.op(node.op, wide, *others, **node.attrs), exact)
        if node.op == "Reshape" and x in exact:
            return _rounded(tape, tape.op("Reshape", exact[x], *others), exact)
        if node.op == "Cast" and x in exact and node.attrs["to"] == "float32":
            return [exact[x]]
        return None

    return rewrite(tape, transform)


def _rounded(tape: Tape, value: Value, exact: dict[Value, Value]) -> list[Value]:
    rounded = tape.op("Cast", value, to=HALF)
    exact[rounded] = value
    return [rounded]
