"""Winograd's minimal filtering for 3×3, stride 1: F(2×2) and F(4×4).

    D = tiles of x, [n², T, B, C];  V = (Bᵀ⊗Bᵀ)·D;  U = (G⊗G)·w;  M = V·U for each of the n² rows;
    y = (Aᵀ⊗Aᵀ)·M

All steps are plain products, so the gradient is the transposed chain. Source: Lavin & Gray 2016,
arXiv:1509.09308.
"""

from functools import cache
from math import prod

import numpy as np

from cnndsl.graph.tape import Tape, Value
from cnndsl.lower.conv.bilinear import Matrix, cook_toom
from cnndsl.lower.conv.table import GEMM, MOVE, ConvShape, algorithm
from cnndsl.lower.conv.transform import transformed, window_order
from cnndsl.lower.driver import Lowering
from cnndsl.lower.packed_image import Order, PackedImage, gather, with_row


@cache
def transforms(m: int) -> tuple[Matrix, Matrix, Matrix]:
    """Aᵀ⊗Aᵀ, its rows 2×2 window by window, then G⊗G and Bᵀ⊗Bᵀ."""
    a, g, b = cook_toom(m, 3)
    return np.kron(a, a)[window_order(m, m)], np.kron(g, g), np.kron(b, b)


def tiles_of(shape: ConvShape, m: int) -> tuple[int, int]:
    """Tiles down and across."""
    return -(-shape.out[0] // m), -(-shape.out[1] // m)


def applies(m: int, shape: ConvShape) -> bool:
    """A tile is worth it from m − 1 outputs along each axis on."""
    unit = shape.stride == shape.dilation == (1, 1)
    return shape.kernel == (3, 3) and unit and shape.groups == 1 and min(shape.out) >= m - 1


def _train_cost(m: int, shape: ConvShape) -> float:
    """Three products of n² rows, five passes over the tiles, five over the weights' transform."""
    tiles, n2 = prod(tiles_of(shape, m)) * shape.batch, (m + 2) ** 2
    product = tiles * n2 * shape.channels * shape.filters
    passes = 5 * tiles * n2 * (shape.channels + shape.filters)
    weights = 5 * n2 * shape.channels * shape.filters
    return 3 * product / GEMM + (passes + weights) / MOVE


def _register(name: str, m: int) -> None:
    @algorithm(name, lambda shape: applies(m, shape), train=lambda shape: _train_cost(m, shape))
    def emit(
        lowering: Lowering, shape: ConvShape, image: PackedImage, weight: Value
    ) -> PackedImage:
        return _emit(lowering, shape, image, weight, m)


_register("winograd2", 2)  # 4×4 tiles, 2.25 times fewer multiplications
_register("winograd4", 4)  # 6×6 tiles, 4 times fewer


def _emit(
    lowering: Lowering, shape: ConvShape, image: PackedImage, weight: Value, m: int
) -> PackedImage:
    """F(m×m, 3×3); names as in the formulas above."""
    tape, dtype = lowering.tape, np.dtype(image.value.dtype)
    a, g, b = transforms(m)
    n2, tiles = (m + 2) ** 2, prod(tiles_of(shape, m))
    count = tiles * shape.batch
    u = transformed(lowering, shape, weight, g)
    u = tape.reshape(u, n2, shape.channels, shape.filters)
    source = with_row(tape, image.value, 0.0)
    d = gather(tape, source, tile_slots(shape, image, m).reshape(-1))
    d = tape.reshape(d, n2, count * shape.channels)
    v = tape.op("MatMul", tape.const(b.astype(dtype)), d)
    v = tape.reshape(v, n2, count, shape.channels)
    product = tape.reshape(tape.op("MatMul", v, u), n2, count * shape.filters)
    y = tape.op("MatMul", tape.const(a.astype(dtype)), product)
    y = tape.reshape(y, m * m * tiles, shape.batch, shape.filters)
    return trimmed(tape, shape, y, tile_pixels(shape, m, window_order(m, m)).reshape(-1))


def _corner(shape: ConvShape, m: int) -> tuple[Order, Order]:
    down, across = tiles_of(shape, m)
    tile = np.arange(down * across)
    return tile // across * m, tile % across * m


def tile_slots(shape: ConvShape, image: PackedImage, m: int) -> Order:
    """[n², tiles]: the slot of each pixel of each tile; P outside of the image."""
    (height, width), (top, left) = shape.size, _corner(shape, m)
    at = np.arange((m + 2) ** 2)[:, None]
    rows = top + shape.start[0] + at // (m + 2)
    columns = left + shape.start[1] + at % (m + 2)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    pixel = np.where(inside, rows * width + columns, height * width)
    return np.append(image.slots(), len(image.order))[pixel]


def tile_pixels(shape: ConvShape, m: int, order: Order) -> Order:
    """[m², tiles]: the output pixel of each place of each tile; −1 beyond the image.

    `order` says in which order the places of a tile come.
    """
    top, left = _corner(shape, m)
    at = order[:, None]
    rows, columns = top + at // m, left + at % m
    inside = (rows < shape.out[0]) & (columns < shape.out[1])
    return np.where(inside, rows * shape.out[1] + columns, -1)


def trimmed(tape: Tape, shape: ConvShape, value: Value, pixels: Order) -> PackedImage:
    """Without the slots of ragged tiles that lie beyond the image."""
    kept = np.flatnonzero(pixels >= 0)
    if len(kept) < len(pixels):
        value = gather(tape, value, kept)
    return PackedImage(value, pixels[kept], shape.out)
