"""Winograd's minimal filtering for 3×3, stride 1: F(2×2) and F(4×4).

    D = tiles of x, [n², T, B, C];  V = (Bᵀ⊗Bᵀ)·D;  U = (G⊗G)·w;  M = V·U for each of the n² rows;
    y = (Aᵀ⊗Aᵀ)·M

All steps are plain products, so the gradient is the transposed chain. Source: Lavin & Gray 2016,
arXiv:1509.09308.
"""

from functools import cache
from math import prod

import numpy as np

from cnndsl.graph.tape import Value
from cnndsl.lower.bilinear import Matrix, cook_toom
from cnndsl.lower.convs import GEMM, MOVE, ConvShape, algorithm
from cnndsl.lower.driver import Lowering
from cnndsl.lower.gemm import columns_layout
from cnndsl.lower.laid import Laid, Order, gather, with_row


@cache
def transforms(m: int) -> tuple[Matrix, Matrix, Matrix]:
    """Aᵀ⊗Aᵀ, its rows 2×2 window by window, then G⊗G and Bᵀ⊗Bᵀ."""
    a, g, b = cook_toom(m, 3)
    return np.kron(a, a)[window_order(m, m)], np.kron(g, g), np.kron(b, b)


def window_order(down: int, across: int) -> Order:
    """The outputs of a tile, 2×2 window by window: what follows may be a pooling."""
    at = np.arange(down * across)
    row, column = at // across, at % across
    return np.lexsort((column % 2, row % 2, column // 2, row // 2))


def _tiles(s: ConvShape, m: int) -> tuple[int, int]:
    return -(-s.out[0] // m), -(-s.out[1] // m)


def _applies(s: ConvShape) -> bool:
    return s.kernel == (3, 3) and s.stride == s.dilation == (1, 1) and s.groups == 1


def _cost(m: int, s: ConvShape) -> float:
    """Three products of n² rows, five passes over the tiles, five over the weights' transform."""
    tiles, n2 = prod(_tiles(s, m)) * s.batch, (m + 2) ** 2
    product = tiles * n2 * s.channels * s.filters
    passes = 5 * tiles * n2 * (s.channels + s.filters)
    weights = 5 * n2 * s.channels * s.filters
    return 3 * product / GEMM + (passes + weights) / MOVE


@algorithm("winograd2", _applies, lambda s: _cost(2, s))
def winograd2(lo: Lowering, s: ConvShape, x: Laid, w: Value) -> Laid:
    """F(2×2, 3×3): 4×4 tiles, 2.25 times fewer multiplications."""
    return _emit(lo, s, x, w, 2)


@algorithm("winograd4", lambda s: _applies(s) and min(s.out) >= 3, lambda s: _cost(4, s))
def winograd4(lo: Lowering, s: ConvShape, x: Laid, w: Value) -> Laid:
    """F(4×4, 3×3): 6×6 tiles, 4 times fewer multiplications."""
    return _emit(lo, s, x, w, 4)


def _emit(lo: Lowering, s: ConvShape, x: Laid, w: Value, m: int) -> Laid:
    dtype = np.dtype(x.value.dtype)
    a, b = (matrix.astype(dtype) for matrix in (transforms(m)[0], transforms(m)[2]))
    n2, tiles = (m + 2) ** 2, prod(_tiles(s, m))
    count = tiles * s.batch
    u = lo.tape.reshape(transformed(lo, s, w, transforms(m)[1]), n2, s.channels, s.filters)
    source = with_row(lo.tape, x.value, 0.0)
    d = gather(lo.tape, source, _tile_slots(s, x, m).reshape(-1))
    flat = lo.tape.reshape(d, n2, count * s.channels)
    v = lo.tape.reshape(lo.tape.op("MatMul", lo.tape.const(b), flat), n2, count, s.channels)
    product = lo.tape.reshape(lo.tape.op("MatMul", v, u), n2, count * s.filters)
    y = lo.tape.op("MatMul", lo.tape.const(a), product)
    y = lo.tape.reshape(y, m * m * tiles, s.batch, s.filters)
    return _trimmed(lo, s, y, _tile_pixels(s, m))


def transformed(lo: Lowering, s: ConvShape, w: Value, g: Matrix) -> Value:
    """G·w, [places, C·O]: the weights of each place, written once for all pieces of the batch."""

    def write() -> Value:
        stored = lo.tape.reshape(lo.param(w, columns_layout(s)), s.taps, -1)
        return lo.tape.op("MatMul", lo.tape.const(g.astype(np.dtype(w.dtype))), stored)

    return lo.once(w, g.tobytes(), write)


def _corner(s: ConvShape, m: int) -> tuple[Order, Order]:
    down, across = _tiles(s, m)
    tile = np.arange(down * across)
    return tile // across * m, tile % across * m


def _tile_slots(s: ConvShape, x: Laid, m: int) -> Order:
    """[n², tiles]: the slot of each pixel of each tile; P outside of the image."""
    top, left = _corner(s, m)
    at = np.arange((m + 2) ** 2)[:, None]
    rows = top + s.start[0] + at // (m + 2)
    columns = left + s.start[1] + at % (m + 2)
    inside = (rows >= 0) & (rows < s.size[0]) & (columns >= 0) & (columns < s.size[1])
    pixel = np.where(inside, rows * s.size[1] + columns, prod(s.size))
    return np.append(x.slots(), len(x.order))[pixel]


def _tile_pixels(s: ConvShape, m: int) -> Order:
    """The output pixel in each slot, place in the tile first; −1 beyond the image."""
    top, left = _corner(s, m)
    at = window_order(m, m)[:, None]
    rows, columns = top + at // m, left + at % m
    inside = (rows < s.out[0]) & (columns < s.out[1])
    return np.where(inside, rows * s.out[1] + columns, -1).reshape(-1)


def _trimmed(lo: Lowering, s: ConvShape, value: Value, pixels: Order) -> Laid:
    """Without the slots of ragged tiles that lie beyond the image."""
    kept = np.flatnonzero(pixels >= 0)
    if len(kept) < len(pixels):
        value = gather(lo.tape, value, kept)
    return Laid(value, pixels[kept], s.out)
