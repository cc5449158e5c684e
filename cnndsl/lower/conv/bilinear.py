"""One axis of a convolution as a bilinear algorithm: y = A · (G·w ∘ B·x).

Winograd's F(m, r) for stride 1. With a stride s, the taps whose positions are equal modulo s are a
filter of fewer taps on those pixels of the axis that are equal modulo s, and the places of these
filters stand side by side: F(4, 3) with stride 2 is F(4, 2) beside four plain products, 9
multiplications in place of 12.

The matrices come from Cook-Toom interpolation in exact fractions; the points 0, 1, −1, ½, −2, ∞
halve the rounding error of the usual 0, ±1, ±2. Source: Lavin & Gray 2016, arXiv:1509.09308;
points: Barabasz et al. 2020, arXiv:1803.10986.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.floating[Any]]
_POINTS = (0, 1, -1, Fraction(1, 2), -2)
MOST_PLACES = len(_POINTS) + 1


@cache
def cook_toom(m: int, taps: int) -> tuple[Matrix, Matrix, Matrix]:
    """Aᵀ (m×n), G (n×taps), Bᵀ (n×n) for m outputs, n = m + taps − 1; the last point is ∞."""
    if taps == 1:
        return np.eye(m), np.ones((m, 1)), np.eye(m)
    p = [Fraction(point) for point in _POINTS[: m + taps - 2]]
    n = len(p) + 1
    denominators = [prod((a - b for b in p if b != a), start=Fraction(1)) for a in p]
    a_t = [[x**i for x in p] + [Fraction(int(i == m - 1))] for i in range(m)]
    g = [[x**j / d for j in range(taps)] for x, d in zip(p, denominators, strict=True)]
    g.append([Fraction(int(j == taps - 1)) for j in range(taps)])
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


def taps_by_residue(kernel: int, stride: int) -> list[int]:
    """How many taps of a kernel have each position modulo the stride, where any has."""
    return [len(range(p, kernel, stride)) for p in range(min(stride, kernel))]


def places(m: int, kernel: int, stride: int) -> int:
    """Multiplications for m outputs."""
    return sum(m + taps - 1 for taps in taps_by_residue(kernel, stride))


@dataclass(frozen=True, eq=False)
class Axis:
    """The matrices of one axis, tiles of m outputs, n places each."""

    m: int
    tiles: int
    a: Matrix
    """[m, n]"""
    g: Matrix
    """[n, kernel]"""
    band: Matrix
    """[n·tiles, size]: B of all tiles, place first; what is outside of the image has no column."""

    @property
    def places(self) -> int:
        """Multiplications of a tile."""
        return len(self.g)


@cache
def axis(m: int, kernel: int, stride: int, start: int, size: int, out: int) -> Axis:
    """An axis of `size` and what a convolution makes of it; `start` is minus its padding."""
    tiles = -(-out // m)
    a, rows, bands = list[Matrix](), list[Matrix](), list[Matrix]()
    for residue, taps in enumerate(taps_by_residue(kernel, stride)):
        a_t, g, b_t = cook_toom(m, taps)
        spread = np.zeros((len(g), kernel))
        spread[:, residue::stride] = g
        band = np.zeros((len(b_t), tiles, size))
        for tile in range(tiles):
            reads = start + residue + stride * (tile * m + np.arange(len(b_t)))
            inside = (reads >= 0) & (reads < size)
            band[:, tile, reads[inside]] = b_t[:, inside]
        a.append(a_t)
        rows.append(spread)
        bands.append(band.reshape(-1, size))
    return Axis(m, tiles, np.hstack(a), np.vstack(rows), np.vstack(bands))
