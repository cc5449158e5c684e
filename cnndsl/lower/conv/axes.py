"""Winograd's filtering one axis at a time: tiles, borders, overlaps and strides are in matrices.

    V = B_H · x · B_Wᵀ  ([t, n, n, t·B, C]);  M = V·U, place by place;  y = (A_H ⊗ A_W) · M

B_H is Bᵀ of all t tiles of an axis as one band [t·n, H], whose columns follow the order of x. So
nothing is gathered, padded or cut, and the gradient is products with the same matrices. A band is
mostly zeros: it pays where images are not large. Tiles down are outermost, tiles across innermost:
the n² places of a tile are neighbours, and one product takes them to its outputs.
"""

import numpy as np

from cnndsl.graph.tape import Tape, Value
from cnndsl.lower.conv.bilinear import MOST_PLACES, Axis, Matrix, axis, places, taps_by_residue
from cnndsl.lower.conv.table import GEMM, MOVE, ConvShape, Pair, algorithm
from cnndsl.lower.conv.transform import transformed, window_order
from cnndsl.lower.driver import Lowering
from cnndsl.lower.packed_image import Order, PackedImage, reordered, row_major

_LARGEST = 128  # pixels of an axis: the band of a larger one would be slow and take memory
_JOINT = 36  # places of a tile up to which one product takes both axes; more would be read slowly


def _applies(m: Pair, shape: ConvShape) -> bool:
    taps = [t for i in range(2) for t in taps_by_residue(shape.kernel[i], shape.stride[i])]
    is_known = shape.dilation == (1, 1) and (shape.groups == 1 or shape.is_depthwise)
    return is_known and max(shape.size) <= _LARGEST and 1 < max(taps) <= MOST_PLACES + 1 - max(m)


def _tile(m: Pair, shape: ConvShape, i: int) -> int:
    """Outputs of a tile along an axis: no more than there are, and one where nothing is won."""
    return min(m[i], shape.out[i]) if shape.kernel[i] > 1 else 1


def _is_ragged(m: Pair, shape: ConvShape) -> bool:
    """Whether the last tile of an axis reaches beyond the image."""
    return any(shape.out[i] % _tile(m, shape, i) for i in range(2))


def _work(m: Pair, shape: ConvShape) -> tuple[float, float, int]:
    """Multiply-accumulates an image of the product and of the transforms, places of all tiles."""
    tile = [_tile(m, shape, i) for i in range(2)]
    down, across = (
        places(tile[i], shape.kernel[i], shape.stride[i]) * -(-shape.out[i] // tile[i])
        for i in range(2)
    )
    inward = down * shape.size[0] * shape.size[1] + down * shape.size[1] * across
    outward = down * across * (shape.out[1] if _is_ragged(m, shape) else tile[0] * tile[1])
    product = down * across * shape.channels * shape.filters / shape.groups
    return product, inward * shape.channels + outward * shape.filters, down * across


def _train_cost(m: Pair, shape: ConvShape) -> float:
    """Three products, transforms there and back, and the gradients of U summed over the tiles."""
    product, transforms, all_places = _work(m, shape)
    passes = 2.5 * all_places * (shape.channels + shape.filters)
    if shape.pooled and _is_ragged(m, shape):
        passes += 6 * shape.positions * shape.filters  # put in the pool's order
    tiles_down = -(-shape.out[0] // _tile(m, shape, 0))
    summed = 3.5 + (2.4 * tiles_down if tiles_down > 1 else 0)
    each = [places(_tile(m, shape, i), shape.kernel[i], shape.stride[i]) for i in range(2)]
    columns = shape.filters if shape.groups == 1 else shape.batch
    weights = summed * each[0] * each[1] * shape.channels * columns
    flops = 3 * product + 2 * transforms
    return flops * shape.batch / GEMM + (passes * shape.batch + weights) / MOVE


def _register(name: str, m: Pair) -> None:
    @algorithm(name, lambda shape: _applies(m, shape), train=lambda shape: _train_cost(m, shape))
    def emit(
        lowering: Lowering, shape: ConvShape, image: PackedImage, weight: Value
    ) -> PackedImage:
        return _emit(lowering, shape, image, weight, m)


_register("winograd2-axes", (2, 2))
_register("winograd4-axes", (4, 4))
_register("winograd4x2-axes", (4, 2))  # few tiles down, whose weights' gradients are summed


def _emit(
    lowering: Lowering, shape: ConvShape, image: PackedImage, weight: Value, m: Pair
) -> PackedImage:
    tape = lowering.tape
    down, across = (
        axis(
            _tile(m, shape, i), shape.kernel[i], shape.stride[i], shape.start[i], shape.size[i],
            shape.out[i],
        )
        for i in range(2)
    )  # fmt: skip
    image, rows, columns = _separated(tape, image)
    row, width = shape.batch * shape.channels, shape.size[1]
    v = _product(tape, _tile_first(down)[:, rows], image.value, shape.size[0], width * row)
    v = _product(tape, across.band[:, columns], v, len(down.band), width, row)
    rest = (across.tiles * shape.batch, shape.channels)
    if shape.groups > 1:
        rest = (across.tiles, row)
    v = tape.reshape(v, down.tiles, down.places, across.places, *rest)
    u = _weights(lowering, shape, weight, down, across)
    y = tape.op("MatMul" if shape.groups == 1 else "Mul", v, u)
    return (_by_axis if _is_ragged(m, shape) else _by_tile)(tape, shape, y, down, across)


def _product(tape: Tape, matrix: Matrix, value: Value, *shape: int) -> Value:
    value = tape.reshape(value, *shape)
    if matrix.shape[0] == matrix.shape[1] and np.array_equal(matrix, np.eye(len(matrix))):
        return value
    return tape.op("MatMul", tape.const(matrix.astype(np.dtype(value.dtype))), value)


def _weights(
    lowering: Lowering, shape: ConvShape, weight: Value, down: Axis, across: Axis
) -> Value:
    """U for each place, [n, n, C, O]; of a depthwise convolution [n, n, 1, B·C]."""
    tape, g = lowering.tape, np.kron(down.g, across.g)
    u = transformed(lowering, shape, weight, g)
    if shape.groups == 1:
        return tape.reshape(u, down.places, across.places, shape.channels, shape.filters)
    wide = tape.ints((len(g), shape.batch, shape.channels))
    u = tape.op("Expand", tape.reshape(u, len(g), 1, shape.channels), wide)
    return tape.reshape(u, down.places, across.places, 1, shape.batch * shape.channels)


def _separated(tape: Tape, image: PackedImage) -> tuple[PackedImage, Order, Order]:
    """The image in an order of rows times an order of columns, and these."""
    height, width = image.size
    grid = image.order.reshape(image.size)
    rows, columns = grid[:, 0] // width, grid[0] % width
    if np.array_equal(rows[:, None] * width + columns, grid):
        return image, rows, columns
    return reordered(tape, image, row_major(image.size)), np.arange(height), np.arange(width)


def _tile_first(line: Axis) -> Matrix:
    """The band with its rows [t·n]."""
    return line.band.reshape(line.places, line.tiles, -1).swapaxes(0, 1).reshape(len(line.band), -1)


def _by_tile(tape: Tape, shape: ConvShape, y: Value, down: Axis, across: Axis) -> PackedImage:
    """(A_H ⊗ A_W) · M of each tile; before a pooling its outputs come 2×2 window by window."""
    at = window_order(down.m, across.m) if shape.pooled else np.arange(down.m * across.m)
    rest = across.tiles * shape.batch * shape.filters
    if shape.pooled or down.places * across.places <= _JOINT:
        matrix = np.kron(down.a, across.a)[at]
        y = _product(tape, matrix, y, down.tiles, matrix.shape[1], rest)
    else:
        y = _product(tape, across.a, y, down.tiles * down.places, across.places, rest)
        y = _product(tape, down.a, y, down.tiles, down.places, across.m * rest)
    rows = np.arange(down.tiles)[:, None, None] * down.m + at[:, None] // across.m
    columns = np.arange(across.tiles) * across.m + at[:, None] % across.m
    order = (rows * shape.out[1] + columns).reshape(-1)
    value = tape.reshape(y, len(order), shape.batch, shape.filters)
    return PackedImage(value, order, shape.out)


def _by_axis(tape: Tape, shape: ConvShape, y: Value, down: Axis, across: Axis) -> PackedImage:
    """A_H · M · A_Wᵀ by bands, which leave out what ragged tiles have beyond the image."""
    (height, width), rest = shape.out, shape.batch * shape.filters
    y = _product(tape, _outward(across, width), y, len(down.band), len(across.band), rest)
    band = _outward(down, height).reshape(height, down.places, down.tiles).swapaxes(1, 2)
    y = _product(tape, band.reshape(height, -1), y, len(down.band), width * rest)
    value = tape.reshape(y, shape.positions, shape.batch, shape.filters)
    return PackedImage(value, row_major(shape.out), shape.out)


def _outward(line: Axis, out: int) -> Matrix:
    """Aᵀ of all tiles, [out, n·t]."""
    n, t = line.places, line.tiles
    band = np.zeros((t, line.m, n, t))
    band[np.arange(t), :, :, np.arange(t)] = line.a
    return band.reshape(t * line.m, n * t)[:out]
