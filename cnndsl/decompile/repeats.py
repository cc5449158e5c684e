"""Pixels that are repeated: several operators that only move values, as one `Resize`.

TensorFlow's exporter writes `UpSampling2D` as Unsqueeze, Tile, Transpose and Reshape, in orders of
its own. What such a chain does is seen on the numbers of the positions.
"""

from collections.abc import Container, Iterator, Mapping

import numpy as np

from cnndsl.decompile.graph import FIRST, LAST, Array, Graph, Op
from cnndsl.shapes import Pair

_MOVES = {"Expand", "Reshape", "Squeeze", "Tile", "Transpose", "Unsqueeze"}
_REPEATS = {"Expand", "Tile"}
_SAME = (0, 1, 2, 3)
_ORDERS = ((_SAME, _SAME), (_SAME, FIRST), (FIRST, _SAME), (FIRST, FIRST))
_LARGEST = 1 << 24  # positions


def resized(
    graph: Graph, makers: Mapping[str, Op], op: Op, last: Container[str]
) -> list[Op] | None:  # fmt: skip
    """What repeats the pixels of the image before a chain which ends in an operator; None where no
    chain does. `last` tells which images have their channels last.
    """
    chain = _chain(graph, makers, op)
    if not any(link.kind in _REPEATS for link in chain):
        return None
    x = chain[0].inputs[0]
    _, *sides = graph.shapes[x]
    before = np.arange(np.prod(sides)).reshape(1, *sides)
    after = _moved(graph, chain, before)
    for given, made in _ORDERS[::-1] if x in last else _ORDERS:
        found = None if after is None else _factor(before.transpose(given), after.transpose(made))
        if found is not None:
            return list(_written(graph, op, x, found, (given, made)))
    return None


def _chain(graph: Graph, makers: Mapping[str, Op], op: Op) -> list[Op]:
    """From an image to an image, by operators that only move values; empty where it is none."""
    links, ranks = list[Op](), (4,)
    while op.kind in _MOVES and len(graph.shapes.get(op.output, ())) in ranks:
        links.insert(0, op)
        source = graph.shapes.get(op.inputs[0], ())
        if len(source) == 4:
            return links if np.prod(source[1:]) < _LARGEST else []
        if op.inputs[0] not in makers:
            break
        op, ranks = makers[op.inputs[0]], (5, 6)
    return []


def _moved(graph: Graph, chain: list[Op], x: Array) -> Array | None:
    """What the operators make of one sample; None where they move samples, or nobody knows."""
    for op in chain:
        batch, *sides = graph.shapes[op.output]
        if batch != graph.batch or np.prod(sides) > _LARGEST:
            return None
        perm, given = op.attrs.get("perm"), graph.constants.get((*op.inputs, "")[1])
        if op.kind == "Transpose":
            x = x.transpose(perm or ()) if perm and perm[0] == 0 else x[:0]
        elif op.kind == "Tile":
            x = np.tile(x, given) if given is not None and given[0] == 1 else x[:0]
        if op.kind == "Expand":
            x = np.broadcast_to(x, (1, *sides))
        if x.size != np.prod(sides):
            return None
        x = x.reshape(1, *sides)
    return x


def _factor(before: Array, after: Array) -> Pair | None:
    """How often each row and each column of images N×C×H×W stands in others."""
    rows, columns = (after.shape[i] // before.shape[i] for i in (2, 3))
    repeated = before.repeat(rows, 2).repeat(columns, 3)
    return (rows, columns) if np.array_equal(repeated, after) else None


def _written(
    graph: Graph, op: Op, x: str, factor: Pair, orders: tuple[tuple[int, ...], tuple[int, ...]]
) -> Iterator[Op]:
    """`Resize`, between transpositions where the channels are last."""
    first, large, scales = (f"{op.output}/{what}" for what in ("first", "large", "scales"))
    graph.constants[scales] = np.array([1, 1, *factor], np.float32)
    given, made = orders
    graph.shapes[first] = tuple(graph.shapes[x][i] for i in given)
    graph.shapes[large] = tuple(graph.shapes[op.output][i] for i in made)
    attrs = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    yield _turned(op, x, first, given)
    yield Op("Resize", op.name, (first, "", scales), (large,), attrs)
    yield _turned(op, large, op.output, LAST if made == FIRST else _SAME)


def _turned(op: Op, x: str, y: str, perm: tuple[int, ...]) -> Op:
    kind, attrs = ("Identity", {}) if perm == _SAME else ("Transpose", {"perm": perm})
    return Op(kind, op.name, (x,), (y,), attrs)
