"""Winograd's filtering one axis at a time: tiles, borders, overlaps and strides are in matrices.

    V = B_H · x · B_Wᵀ  ([t, n, n, t·B, C]);  M = V·U, place by place;  y = (A_H ⊗ A_W) · M

B_H is Bᵀ of all t tiles of an axis as one band [t·n, H], whose columns follow the order of x. So
nothing is gathered, padded or cut, and the gradient is products with the same matrices. A band is
mostly zeros: it pays where images are not large. Tiles down are outermost, tiles across innermost:
the n² places of a tile are neighbours, and one product takes them to its outputs.
"""

import numpy as np

from cnndsl.graph.tape import Value
from cnndsl.lower.bilinear import MOST_PLACES, Axis, Matrix, axis, phases, places
from cnndsl.lower.convs import GEMM, MOVE, ConvShape, Pair, algorithm
from cnndsl.lower.driver import Lowering
from cnndsl.lower.laid import Laid, Order, arranged, row_major
from cnndsl.lower.winograd import transformed, window_order

_LARGEST = 128  # pixels of an axis: the band of a larger one would be slow and take memory
_JOINT = 36  # places of a tile up to which one product takes both axes; more would be read slowly


def _applies(m: Pair, s: ConvShape) -> bool:
    taps = [t for i in range(2) for t in phases(s.kernel[i], s.stride[i])]
    is_known = s.dilation == (1, 1) and (s.groups == 1 or s.is_depthwise)
    return is_known and max(s.size) <= _LARGEST and 1 < max(taps) <= MOST_PLACES + 1 - max(m)


def _tile(m: Pair, s: ConvShape, i: int) -> int:
    """Outputs of a tile along an axis: no more than there are, and one where nothing is won."""
    return min(m[i], s.out[i]) if s.kernel[i] > 1 else 1


def _is_ragged(m: Pair, s: ConvShape) -> bool:
    """Whether the last tile of an axis reaches beyond the image."""
    return any(s.out[i] % _tile(m, s, i) for i in range(2))


def _cost(m: Pair, s: ConvShape) -> float:
    each = [places(_tile(m, s, i), s.kernel[i], s.stride[i]) for i in range(2)]
    tiles = [-(-s.out[i] // _tile(m, s, i)) for i in range(2)]
    down, across = each[0] * tiles[0], each[1] * tiles[1]
    inward = down * s.size[0] * s.size[1] + down * s.size[1] * across
    outward = down * across * (s.out[1] if _is_ragged(m, s) else _tile(m, s, 0) * _tile(m, s, 1))
    product = down * across * s.channels * s.filters / s.groups
    flops = 3 * product + 2 * (inward * s.channels + outward * s.filters)
    passes = 2.5 * down * across * (s.channels + s.filters)
    if s.pooled and _is_ragged(m, s):
        passes += 6 * s.positions * s.filters  # put in the pool's order
    summed = 3.5 + (2.4 * tiles[0] if tiles[0] > 1 else 0)  # over the tiles down
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
    v = _product(lo, _tile_first(down)[:, rows], x.value, s.size[0], s.size[1] * row)
    v = _product(lo, across.band[:, columns], v, len(down.band), s.size[1], row)
    rest = (across.tiles * s.batch, s.channels) if s.groups == 1 else (across.tiles, row)
    v = tape.reshape(v, down.tiles, down.places, across.places, *rest)
    y = tape.op("MatMul" if s.groups == 1 else "Mul", v, _weights(lo, s, w, down, across))
    return (_by_axis if _is_ragged(m, s) else _by_tile)(lo, s, y, down, across)


def _product(lo: Lowering, matrix: Matrix, value: Value, *shape: int) -> Value:
    value = lo.tape.reshape(value, *shape)
    if matrix.shape[0] == matrix.shape[1] and np.array_equal(matrix, np.eye(len(matrix))):
        return value
    return lo.tape.op("MatMul", lo.tape.const(matrix.astype(np.dtype(value.dtype))), value)


def _weights(lo: Lowering, s: ConvShape, w: Value, down: Axis, across: Axis) -> Value:
    """U for each place, [n, n, C, O]; of a depthwise convolution [n, n, 1, B·C]."""
    g = np.kron(down.g, across.g)
    u = transformed(lo, s, w, g)
    if s.groups == 1:
        return lo.tape.reshape(u, down.places, across.places, s.channels, s.filters)
    wide = lo.tape.ints((len(g), s.batch, s.channels))
    u = lo.tape.op("Expand", lo.tape.reshape(u, len(g), 1, s.channels), wide)
    return lo.tape.reshape(u, down.places, across.places, 1, s.batch * s.channels)


def _separated(lo: Lowering, x: Laid) -> tuple[Laid, Order, Order]:
    """The image in an order of rows times an order of columns, and these."""
    grid = x.order.reshape(x.size)
    rows, columns = grid[:, 0] // x.size[1], grid[0] % x.size[1]
    if np.array_equal(rows[:, None] * x.size[1] + columns, grid):
        return x, rows, columns
    return arranged(lo.tape, x, row_major(x.size)), np.arange(x.size[0]), np.arange(x.size[1])


def _tile_first(line: Axis) -> Matrix:
    """The band with its rows [t·n]."""
    return line.band.reshape(line.places, line.tiles, -1).swapaxes(0, 1).reshape(len(line.band), -1)


def _by_tile(lo: Lowering, s: ConvShape, y: Value, down: Axis, across: Axis) -> Laid:
    """(A_H ⊗ A_W) · M of each tile; before a pooling its outputs come 2×2 window by window."""
    at = window_order(down.m, across.m) if s.pooled else np.arange(down.m * across.m)
    rest = across.tiles * s.batch * s.filters
    if s.pooled or down.places * across.places <= _JOINT:
        matrix = np.kron(down.a, across.a)[at]
        y = _product(lo, matrix, y, down.tiles, matrix.shape[1], rest)
    else:
        y = _product(lo, across.a, y, down.tiles * down.places, across.places, rest)
        y = _product(lo, down.a, y, down.tiles, down.places, across.m * rest)
    rows = np.arange(down.tiles)[:, None, None] * down.m + at[:, None] // across.m
    columns = np.arange(across.tiles) * across.m + at[:, None] % across.m
    order = (rows * s.out[1] + columns).reshape(-1)
    return Laid(lo.tape.reshape(y, len(order), s.batch, s.filters), order, s.out)


def _by_axis(lo: Lowering, s: ConvShape, y: Value, down: Axis, across: Axis) -> Laid:
    """A_H · M · A_Wᵀ by bands, which leave out what ragged tiles have beyond the image."""
    rest = s.batch * s.filters
    y = _product(lo, _outward(across, s.out[1]), y, len(down.band), len(across.band), rest)
    band = _outward(down, s.out[0]).reshape(s.out[0], down.places, down.tiles)
    y = _product(lo, band.swapaxes(1, 2).reshape(s.out[0], -1), y, len(down.band), s.out[1] * rest)
    return Laid(lo.tape.reshape(y, s.positions, s.batch, s.filters), row_major(s.out), s.out)


def _outward(line: Axis, out: int) -> Matrix:
    """Aᵀ of all tiles, [out, n·t]."""
    n, t = line.places, line.tiles
    band = np.zeros((t, line.m, n, t))
    band[np.arange(t), :, :, np.arange(t)] = line.a
    return band.reshape(t * line.m, n * t)[:out]
