"""Winograd's minimal filtering for 3×3, stride 1: F(2×2) and F(4×4).

    D = tiles of x, [n², T, B, C];  V = (Bᵀ⊗Bᵀ)·D;  U = (G⊗G)·w;  M = V·U for each of the n² rows;
    y = (Aᵀ⊗Aᵀ)·M

All steps are plain products, so the gradient is the transposed chain. The matrices come from
Cook–Toom interpolation in exact fractions; the points 0, 1, −1, ½, −2, ∞ halve the rounding error
of the usual 0, ±1, ±2. Source: Lavin & Gray 2016, arXiv:1509.09308; points: Barabasz et al. 2020,
arXiv:1803.10986.
"""

from fractions import Fraction
from functools import cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.graph.tape import Value
from cnndsl.lower.convs import GEMM, MOVE, ConvShape, algorithm
from cnndsl.lower.driver import Lowering
from cnndsl.lower.gemm import columns_layout
from cnndsl.lower.laid import Laid, Order, gather, with_row

Matrix = NDArray[np.floating[Any]]
_POINTS = {2: (0, 1, -1), 4: (0, 1, -1, Fraction(1, 2), -2)}


def cook_toom(m: int, points: tuple[Fraction | int, ...]) -> tuple[Matrix, Matrix, Matrix]:
    """Aᵀ (m×n), G (n×3), Bᵀ (n×n) for m outputs of a 3-tap filter, n = m + 2; the last point: ∞."""
    p = [Fraction(point) for point in points]
    n = len(p) + 1
    denominators = [prod((a - b for b in p if b != a), start=Fraction(1)) for a in p]
    a_t = [[x**i for x in p] + [Fraction(int(i == m - 1))] for i in range(m)]
    g = [[x**j / d for j in range(3)] for x, d in zip(p, denominators, strict=True)]
    g.append([Fraction(0), Fraction(0), Fraction(1)])
    b_t = [_coefficients([b for b in p if b != a], n) for a in p] + [_coefficients(p, n)]
    return _floats(a_t), _floats(g), _floats(b_t)


def _coefficients(roots: list[Fraction], length: int) -> list[Fraction]:
    """Of Π (x − r), lowest power first."""
    c = [Fraction(1)]
    for root in roots:
        shifted, scaled = [Fraction(0), *c], [-root * v for v in c] + [Fraction(0)]
        c = [a + b for a, b in zip(shifted, scaled, strict=True)]
    return c + [Fraction(0)] * (length - len(c))


def _floats(rows: list[list[Fraction]]) -> Matrix:
    return np.array([[float(v) for v in row] for row in rows])


@cache
def transforms(m: int) -> tuple[Matrix, Matrix, Matrix]:
    """Aᵀ⊗Aᵀ, its rows 2×2 window by window, then G⊗G and Bᵀ⊗Bᵀ."""
    a, g, b = cook_toom(m, _POINTS[m])
    return np.kron(a, a)[_phases(m)], np.kron(g, g), np.kron(b, b)


def _phases(m: int) -> Order:
    """The places of a tile, 2×2 window by window: what follows may be a pooling."""
    at = np.arange(m * m)
    row, column = at // m, at % m
    return np.lexsort((column % 2, row % 2, column // 2, row // 2))


def _tiles(s: ConvShape, m: int) -> tuple[int, int]:
    return -(-s.out[0] // m), -(-s.out[1] // m)


def _applies(s: ConvShape) -> bool:
    return s.kernel == (3, 3) and s.stride == s.dilation == (1, 1) and s.groups == 1


def _cost(m: int, s: ConvShape) -> float:
    """Three products of n² rows, four passes over the tiles, five over the weights' transform."""
    tiles, n2 = prod(_tiles(s, m)) * s.batch, (m + 2) ** 2
    product = tiles * n2 * s.channels * s.filters
    passes = 4 * tiles * n2 * (s.channels + s.filters)
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
    a, g, b = (matrix.astype(dtype) for matrix in transforms(m))
    n2, tiles = (m + 2) ** 2, prod(_tiles(s, m))
    stored = lo.tape.reshape(lo.param(w, columns_layout(s)), 9, s.channels * s.filters)
    u = lo.tape.reshape(lo.tape.op("MatMul", lo.tape.const(g), stored), n2, s.channels, s.filters)
    source = with_row(lo.tape, x.value, 0.0)
    parts, pixels = list[Value](), list[Order]()
    for chunk in np.array_split(np.arange(tiles), _chunks(lo, s, n2, tiles)):
        count = len(chunk) * s.batch
        d = gather(lo.tape, source, _tile_slots(s, x, m, chunk).reshape(-1))
        flat = lo.tape.reshape(d, n2, count * s.channels)
        v = lo.tape.reshape(lo.tape.op("MatMul", lo.tape.const(b), flat), n2, count, s.channels)
        product = lo.tape.reshape(lo.tape.op("MatMul", v, u), n2, count * s.filters)
        y = lo.tape.op("MatMul", lo.tape.const(a), product)
        parts.append(lo.tape.reshape(y, m * m * len(chunk), s.batch, s.filters))
        pixels.append(_tile_pixels(s, m, chunk))
    whole = parts[0] if len(parts) == 1 else lo.tape.op("Concat", *parts, axis=0)
    return _trimmed(lo, s, whole, np.concatenate(pixels))


def _chunks(lo: Lowering, s: ConvShape, n2: int, tiles: int) -> int:
    """So many parts that the tiles of one stay in the cache."""
    whole = 4 * n2 * tiles * s.batch * max(s.channels, s.filters)
    return max(1, min(tiles, round(whole / lo.plan.chunk_bytes)))


def _corner(s: ConvShape, m: int, chunk: Order) -> tuple[Order, Order]:
    across = _tiles(s, m)[1]
    return chunk // across * m, chunk % across * m


def _tile_slots(s: ConvShape, x: Laid, m: int, chunk: Order) -> Order:
    """[n², tiles]: the slot of each pixel of each tile; P outside of the image."""
    top, left = _corner(s, m, chunk)
    at = np.arange((m + 2) ** 2)[:, None]
    rows = top + s.start[0] + at // (m + 2)
    columns = left + s.start[1] + at % (m + 2)
    inside = (rows >= 0) & (rows < s.size[0]) & (columns >= 0) & (columns < s.size[1])
    pixel = np.where(inside, rows * s.size[1] + columns, prod(s.size))
    return np.append(x.slots(), len(x.order))[pixel]


def _tile_pixels(s: ConvShape, m: int, chunk: Order) -> Order:
    """The output pixel in each slot, place in the tile first; −1 beyond the image."""
    top, left = _corner(s, m, chunk)
    at = _phases(m)[:, None]
    rows, columns = top + at // m, left + at % m
    inside = (rows < s.out[0]) & (columns < s.out[1])
    return np.where(inside, rows * s.out[1] + columns, -1).reshape(-1)


def _trimmed(lo: Lowering, s: ConvShape, value: Value, pixels: Order) -> Laid:
    """Without the slots of ragged tiles that lie beyond the image."""
    kept = np.flatnonzero(pixels >= 0)
    if len(kept) < len(pixels):
        value = gather(lo.tape, value, kept)
    return Laid(value, pixels[kept], s.out)
