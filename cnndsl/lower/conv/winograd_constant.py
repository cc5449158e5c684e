"""Winograd's minimal filtering of constant weights, for inference: 3×3, stride 1.

The formulas are those of `winograd`, and the tiles are taken in parts as there. U is computed while
compiling. Large U are one matrix a place: onnxruntime brings these, and no others, into the form
that its products read, once and not in every run (2 to 4 times faster for 512 channels).
"""

from functools import cache, partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.graph.tape import Value
from cnndsl.lower.conv.bilinear import cook_toom
from cnndsl.lower.conv.table import PASS, PRODUCT, WEIGHTS, ConvShape, algorithm
from cnndsl.lower.conv.windows import columns_layout
from cnndsl.lower.conv.winograd import applies, filtered, tiles_of
from cnndsl.lower.driver import Lowering
from cnndsl.lower.packed_image import PackedImage

_LARGE = 1 << 18  # bytes of a place's weights: they leave the cache before they are read again
_TILES = 13e6  # values of tiles a millisecond, gathered or transformed within the cache
_ROWS = 128  # of a part's products, at least: fewer are slow


def _cost(m: int, shape: ConvShape) -> float:
    """One product; a gather and two transforms before it, two behind; a row for what is outside."""
    n2, rows = (m + 2) ** 2, prod(tiles_of(shape, m)) * shape.batch
    weights = _weights(m, shape)
    moved = rows * n2 * (4 * shape.channels + 2 * shape.filters)
    ends = shape.batch * prod(shape.size) * shape.channels
    return rows * weights / PRODUCT + moved / _TILES + weights / WEIGHTS + ends / PASS


def _weights(m: int, shape: ConvShape) -> int:
    return (m + 2) ** 2 * shape.channels * shape.filters


def _register(name: str, m: int) -> None:
    @algorithm(
        name, lambda shape: applies(m, shape), infer=lambda shape: _cost(m, shape),
        weights=lambda shape: _weights(m, shape),
    )  # fmt: skip
    def emit(
        lowering: Lowering, shape: ConvShape, image: PackedImage, weight: Value
    ) -> PackedImage:
        return _emit(lowering, shape, image, weight, m)


_register("winograd2-constant", 2)
_register("winograd4-constant", 4)


def _emit(
    lowering: Lowering, shape: ConvShape, image: PackedImage, weight: Value, m: int
) -> PackedImage:
    multiply = partial(_product, lowering, _places(lowering, shape, weight, m))
    return filtered(lowering.tape, shape, image, multiply, m, _cuts(shape, m))


def _cuts(shape: ConvShape, m: int) -> list[slice]:
    """A part has as many rows as its weights have: these are read again for each."""
    tiles = prod(tiles_of(shape, m))
    rows = max(_ROWS, min(shape.channels, shape.filters))
    count = max(1, min(tiles, tiles * shape.batch // rows))
    ends = [tiles * i // count for i in range(count + 1)]
    return [slice(ends[i], ends[i + 1]) for i in range(count)]


def _places(lowering: Lowering, shape: ConvShape, weight: Value, m: int) -> list[Value]:
    """U: [n², C, O], or n² matrices [C, O] where they are large; once for all micro-batches."""
    tape, layout = lowering.tape, columns_layout(shape)
    made = cache(partial(_transformed, lowering, shape, weight, m))
    name, itemsize = f"{weight.name}.winograd", lowering.source.consts[weight].itemsize
    is_large = itemsize * shape.channels * shape.filters >= _LARGE

    def place(i: int | None) -> Value:
        return tape.const(made(), name) if i is None else tape.const(made()[i], f"{name}.{i}")

    places = range((m + 2) ** 2) if is_large else [None]
    return [lowering.once(weight, (m, layout, i), partial(place, i)) for i in places]


def _transformed(
    lowering: Lowering, shape: ConvShape, weight: Value, m: int
) -> NDArray[np.floating[Any]]:
    """U in double precision, [n², C, O]."""
    array, g = lowering.source.consts[weight], cook_toom(m, 3)[1]
    taps = columns_layout(shape).to_packed(array).reshape(shape.taps, -1)
    u = (np.kron(g, g) @ taps).astype(array.dtype)
    return u.reshape(-1, shape.channels, shape.filters)


def _product(lowering: Lowering, places: list[Value], v: Value) -> Value:
    """M = V·U for each place, [n²·rows, O]."""
    tape, (count, rows, channels) = lowering.tape, (int(d) for d in v.shape)
    if len(places) == 1:
        return tape.op("MatMul", v, places[0])
    flat = tape.reshape(v, count * rows, channels)
    parts = tape.ops("Split", flat, tape.ints([rows] * count), axis=0)
    each = [tape.op("MatMul", part, u) for part, u in zip(parts, places, strict=True)]
    return tape.op("Concat", *each, axis=0)
