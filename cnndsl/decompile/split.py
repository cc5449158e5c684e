"""A tensor cut into parts, as one `Slice` a part: that is what the language has a word for."""

from itertools import accumulate, pairwise

import numpy as np

from cnndsl.decompile.graph import Graph, Op


def split_to_slices(graph: Graph) -> None:
    """Rewrite each `Split` of known sizes in place; parts that nothing reads are left out."""
    graph.ops[:] = [part for op in graph.ops for part in _parts(graph, op)]


def _parts(graph: Graph, op: Op) -> list[Op]:
    sizes = _sizes(graph, op) if op.kind == "Split" else None
    if sizes is None:
        return [op]
    ends = pairwise(accumulate(sizes, initial=0))
    return [_slice(graph, op, *part) for part in zip(op.outputs, ends, strict=True) if part[0]]


def _sizes(graph: Graph, op: Op) -> list[int] | None:
    """How much of the axis each part has: as the file says, or as much as the others."""
    if len(op.inputs) > 1:
        given = graph.constants.get(op.inputs[1])
        sizes = None if given is None else given.reshape(-1).tolist()
        return sizes if sizes is not None and len(sizes) == len(op.outputs) else None
    total, count = _length(graph, op), len(op.outputs)
    if total is None or op.attrs.get("num_outputs", count) != count:
        return None
    each = -(-total // count)
    return [min(each, total - each * i) for i in range(count)]


def _length(graph: Graph, op: Op) -> int | None:
    """How much there is to split."""
    shape, axis = graph.shapes.get(op.inputs[0]), int(op.attrs.get("axis", 0))
    return shape[axis] if shape else None


def _slice(graph: Graph, op: Op, output: str, ends: tuple[int, int]) -> Op:
    numbers = (*ends, op.attrs.get("axis", 0))
    names = tuple(f"{output}/{what}" for what in ("start", "end", "axis"))
    graph.constants |= {n: np.array([v], np.int64) for n, v in zip(names, numbers, strict=True)}
    return Op("Slice", op.name, (op.inputs[0], *names), (output,), {})
