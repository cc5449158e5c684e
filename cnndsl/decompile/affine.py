"""Constants that are added, subtracted, multiplied with or divided by: one `Affine` a chain.

Exporters fold a batch norm into `Mul` and `Add`; others write mean and deviation of the images as
`Sub` and `Div`. An `Affine` is weight · x + bias for each channel, both (C,) attributes.
"""

from collections import Counter
from dataclasses import replace

import numpy as np

from cnndsl.decompile.fuse import per_channel
from cnndsl.decompile.graph import Array, Graph, Op

Terms = tuple[str, Array, Array]
"""The input's name, weight and bias, float64 each."""


def merge_constants(graph: Graph) -> None:
    """Rewrite in place; operators in between that nothing reads are dropped."""
    readers = Counter([x for op in graph.ops for x in op.inputs] + graph.outputs)
    found = dict[str, Terms]()
    for i, op in enumerate(graph.ops):
        terms = _terms(graph, op)
        if terms is None:
            continue
        x, weight, bias = terms
        if x in found and readers[x] == 1:
            x, inner, shift = found[x]
            weight, bias = weight * inner, weight * shift + bias
        found[op.output] = x, weight, bias
        graph.ops[i] = replace(
            op, kind="Affine", inputs=(x,), attrs={"weight": weight, "bias": bias}
        )
    graph.drop_unread()


def _terms(graph: Graph, op: Op) -> Terms | None:
    """What an operator with one constant, a number for each channel, does to its other input."""
    if op.kind not in ("Add", "Sub", "Mul", "Div") or len(op.inputs) != 2:
        return None
    known = [name in graph.constants for name in op.inputs]
    if known.count(True) != 1:
        return None
    at = known.index(True)
    x = op.inputs[1 - at]
    shape = graph.shapes.get(x, ())
    value = per_channel(graph.constants[op.inputs[at]], shape[1], len(shape)) if shape[1:] else None
    if value is None or (op.kind == "Div" and (at == 0 or not value.all())):
        return None
    c, one, zero = value.astype(np.float64), np.ones(shape[1]), np.zeros(shape[1])
    match op.kind:
        case "Add":
            return x, one, c
        case "Sub":
            return (x, one, -c) if at == 1 else (x, -one, c)
        case "Mul":
            return x, c, zero
        case _:
            return x, one / c, zero
