"""Winograd's filtering one axis at a time: tiles, borders, overlaps and strides are in matrices.

    V = B_H · x · B_Wᵀ  ([n·t, n·t, B, C]);  M = V·U, place by place;  y = A_H · M · A_Wᵀ

B_H is Bᵀ of all t tiles of an axis as one band [n·t, H], whose columns follow the order of x. So
nothing is gathered, padded or cut, and the gradient is products with the same matrices. A band is
mostly zeros: it pays where images are not large.
"""

import numpy as np

from cnndsl.graph.tape import Value
from cnndsl.lower.bilinear import MOST_PLACES, Axis, Matrix, axis, phases, places
from cnndsl.lower.convs import GEMM, MOVE, ConvShape, Pair, algorithm
from cnndsl.lower.driver import Lowering
from cnndsl.lower.laid import Laid, Order, arranged, row_major
from cnndsl.lower.winograd import transformed

_LARGEST = 128  # pixels of an axis: the band of a larger one would be slow and take memory
_LOCAL = 6  # tiles of an axis from which Aᵀ is applied tile by tile


def _applies(m: Pair, s: ConvShape) -> bool:
    taps = [t for i in range(2) for t in phases(s.kernel[i], s.stride[i])]
    is_known = s.dilation == (1, 1) and (s.groups == 1 or s.is_depthwise)
    return is_known and max(s.size) <= _LARGEST and 1 < max(taps) <= MOST_PLACES + 1 - max(m)


def _tile(m: Pair, s: ConvShape, i: int) -> int:
    """Outputs of a tile along an axis: no more than there are, and one where nothing is won."""
    return min(m[i], s.out[i]) if s.kernel[i] > 1 else 1


def _cost(m: Pair, s: ConvShape) -> float:
    each = [places(_tile(m, s, i), s.kernel[i], s.stride[i]) for i in range(2)]
    tiles = [-(-s.out[i] // _tile(m, s, i)) for i in range(2)]
    down, across = each[0] * tiles[0], each[1] * tiles[1]
    inward = down * s.size[0] * s.size[1] + down * s.size[1] * across
    outward = down * across * s.out[1] + down * s.out[1] * s.out[0]
    product = down * across * s.channels * s.filters / s.groups
    flops = 3 * product + 2 * (inward * s.channels + outward * s.filters)
    passes = 2.5 * down * across * (s.channels + s.filters)
    passes += 6 * s.positions * s.filters if s.pooled else 0  # put in the pool's order
    summed = 3.5 + (1.2 * tiles[0] if tiles[0] > 1 else 0)  # over the tiles down
    weights = summed * each[0] * each[1] * s.channels * (s.filters if s.groups == 1 else s.batch)
    return flops * s.batch / GEMM + (passes * s.batch + weights) / MOVE


def _register(name: str, m: Pair) -> None:
    @algorithm(name, lambda s: _applies(m, s), lambda s: _cost(m, s))
    def emit(lo: Lowering, s: ConvShape, x: Laid, w: Value) -> Laid:
        return _emit(lo, s, x, w, m)


_register("winograd2-axes", (2, 2))
_register("winograd4-axes", (4, 4))
_register("winograd4x2-axes", (4, 2))  # few tiles down, whose weights' gradients are summed


def _emit(lo: Lowering, s: ConvShape, x: Laid, w: Value, m: Pair) -> Laid:
    tape = lo.tape
    down, across = (
        axis(_tile(m, s, i), s.kernel[i], s.stride[i], s.start[i], s.size[i], s.out[i])
        for i in range(2)
    )
    x, rows, columns = _separated(lo, x)
    row = s.batch * s.channels
    v = _product(lo, down.band[:, rows], x.value, s.size[0], s.size[1] * row)
    v = _product(lo, across.band[:, columns], v, len(down.band), s.size[1], row)
    rest = (across.tiles * s.batch, s.channels) if s.groups == 1 else (across.tiles, row)
    v = tape.reshape(v, down.places, down.tiles, across.places, *rest)
    u = _weights(lo, s, w, down, across)
    y = tape.op("MatMul" if s.groups == 1 else "Mul", v, u)
    a, shape, columns = _outward(across, s.out[1], s.batch * s.filters)
    y = _product(lo, a, y, len(down.band), *shape)
    a, shape, rows = _outward(down, s.out[0], s.out[1] * s.batch * s.filters)
    y = _product(lo, a, y, *shape)
    order = (rows[:, None] * s.out[1] + columns).reshape(-1)
    return Laid(tape.reshape(y, len(order), s.batch, s.filters), order, s.out)


def _product(lo: Lowering, matrix: Matrix, value: Value, *shape: int) -> Value:
    value = lo.tape.reshape(value, *shape)
    if matrix.shape[0] == matrix.shape[1] and np.array_equal(matrix, np.eye(len(matrix))):
        return value
    return lo.tape.op("MatMul", lo.tape.const(matrix.astype(np.dtype(value.dtype))), value)


def _weights(lo: Lowering, s: ConvShape, w: Value, down: Axis, across: Axis) -> Value:
    """U for each place, [n, 1, n, C, O]; of a depthwise convolution [n, 1, n, 1, B·C]."""
    g = np.kron(down.g, across.g)
    u = transformed(lo, s, w, g)
    if s.groups == 1:
        return lo.tape.reshape(u, down.places, 1, across.places, s.channels, s.filters)
    wide = lo.tape.ints((len(g), s.batch, s.channels))
    u = lo.tape.op("Expand", lo.tape.reshape(u, len(g), 1, s.channels), wide)
    return lo.tape.reshape(u, down.places, 1, across.places, 1, s.batch * s.channels)


def _separated(lo: Lowering, x: Laid) -> tuple[Laid, Order, Order]:
    """The image in an order of rows times an order of columns, and these."""
    grid = x.order.reshape(x.size)
    rows, columns = grid[:, 0] // x.size[1], grid[0] % x.size[1]
    if np.array_equal(rows[:, None] * x.size[1] + columns, grid):
        return x, rows, columns
    return arranged(lo.tape, x, row_major(x.size)), np.arange(x.size[0]), np.arange(x.size[1])


def _outward(line: Axis, out: int, rest: int) -> tuple[Matrix, tuple[int, int], Order]:
    """Aᵀ of an axis, the shape that it wants, and the order that it leaves.

    Of many tiles: of all at once, [m, n] times [n, t·rest], which leaves the places of a tile
    outermost. Of few, or with a ragged tile: a band [out, n·t].
    """
    n, t = line.places, line.tiles
    if t >= _LOCAL and line.m * t == out:
        return line.a, (n, t * rest), np.arange(out).reshape(t, line.m).T.reshape(-1)
    band = np.zeros((t, line.m, n, t))
    band[np.arange(t), :, :, np.arange(t)] = line.a
    return band.reshape(t * line.m, n * t)[:out], (n * t, rest), np.arange(out)
