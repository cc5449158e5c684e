"""Winograd's minimal filtering for 3×3, stride 1: F(2×2) and F(4×4).

    D = tiles of x, [n², T, B, C];  V = (Bᵀ⊗Bᵀ)·D;  U = (G⊗G)·w;  M = V·U for each of the n² rows;
    y = (Aᵀ⊗Aᵀ)·M

V and y are made one axis at a time, with a third of the operations, and the tiles are taken in
parts, so that what is between D and y stays in the cache.

All steps are plain products, so the gradient could be the transposed chain. That of x is another
filtering where it costs less: dy filtered by the kernel turned round. The transposed chain has to
add up overlapping tiles, and changes the basis of C channels where the other one does of O.
Source: Lavin & Gray 2016, arXiv:1509.09308.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from cnndsl.graph.ops.grad import Expr, Grad
from cnndsl.graph.tape import Value
from cnndsl.graph.value import Writer
from cnndsl.lower.conv.bilinear import Matrix, cook_toom
from cnndsl.lower.conv.table import GEMM, MOVE, ConvShape, algorithm
from cnndsl.lower.conv.transform import transformed, window_order
from cnndsl.lower.driver import Lowering
from cnndsl.lower.packed_image import Order, PackedImage, gather, reordered, with_row

_PART = 16384  # values of a place of a part: what lies between two products stays in the cache
_PARTS = 16  # at most


def tiles_of(shape: ConvShape, m: int) -> tuple[int, int]:
    """Tiles down and across."""
    return -(-shape.out[0] // m), -(-shape.out[1] // m)


def applies(m: int, shape: ConvShape) -> bool:
    """A tile is worth it from m − 1 outputs along each axis on."""
    unit = shape.stride == shape.dilation == (1, 1)
    return shape.kernel == (3, 3) and unit and shape.groups == 1 and min(shape.out) >= m - 1


def _train_cost(m: int, shape: ConvShape) -> float:
    """Three products of n² rows, three passes and more over the tiles, five over the weights."""
    tiles, n2 = prod(tiles_of(shape, m)) * shape.batch, (m + 2) ** 2
    product = tiles * n2 * shape.channels * shape.filters
    passes = 3.2 * tiles * n2 * (shape.channels + shape.filters)
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
    """y; where it pays, with another filtering as the gradient of x."""
    tape = lowering.tape
    multiply = _by(tape, _places(lowering, shape, weight, m))
    if not _mirrors(shape, m):
        cuts = _cuts(shape, m) if shape.first else [slice(None)]
        return filtered(tape, shape, image, multiply, m, cuts)
    source = replace(image, value=tape.op("StopGradient", image.value))
    y = filtered(tape, shape, source, multiply, m, _cuts(shape, m))
    turned = tape.op("StopGradient", _places(lowering, shape, weight, m, turned=True))
    rule = _TurnedFilter(m, shape, image.order, y.order)
    value = tape.op("CustomGradient", y.value, image.value, turned, rule=rule)
    return replace(y, value=value)


def _places(
    lowering: Lowering, shape: ConvShape, weight: Value, m: int, turned: bool = False
) -> Value:
    """U, [n², C, O]; of the kernel turned round."""
    g = cook_toom(m, 3)[1]
    both = np.kron(g, g)
    u = transformed(lowering, shape, weight, both[:, ::-1] if turned else both)
    return lowering.tape.reshape(u, len(both), shape.channels, shape.filters)


def _mirrors(shape: ConvShape, m: int) -> bool:
    """Whether filtering dy costs less than the transposed chain: it transforms the weights anew."""
    rows = prod(tiles_of(shape, m)) * shape.batch
    return not shape.first and shape.filters <= shape.channels and rows >= 2 * shape.channels


@dataclass(frozen=True, eq=False)
class _TurnedFilter:
    """dx in the order of x, of dy in the order of y: dy filtered by the kernel turned round."""

    m: int
    shape: ConvShape = field(repr=False)
    x_order: Order = field(repr=False)
    y_order: Order = field(repr=False)

    def __call__(self, g: Grad) -> Expr:
        """The rule of a CustomGradient of y, x and the places of the turned kernel."""
        back, m = self._backward(), self.m
        dy = PackedImage(g.dy.value, self.y_order, back.size)
        u = g.x_of(2).op("Transpose", perm=(0, 2, 1)).value
        dx = filtered(g.tape, back, dy, _by(g.tape, u), m, _cuts(back, m))
        return Expr(g.tape, reordered(g.tape, dx, self.x_order).value)

    def _backward(self) -> ConvShape:
        forward = self.shape
        return replace(
            forward, channels=forward.filters, filters=forward.channels, size=forward.out,
            out=forward.size, start=(-2 - forward.start[0], -2 - forward.start[1]), pooled=False,
        )  # fmt: skip


def _cuts(shape: ConvShape, m: int) -> list[slice]:
    """Parts of equally many tiles."""
    tiles = prod(tiles_of(shape, m))
    wanted = tiles * shape.batch * max(shape.channels, shape.filters) / _PART
    count = max(n for n in range(1, _PARTS + 1) if tiles % n == 0 and n <= max(1, wanted))
    each = tiles // count
    return [slice(i * each, (i + 1) * each) for i in range(count)]


def _by(tape: Writer, u: Value) -> Callable[[Value], Value]:
    """M = V·U, as a function of V."""
    return lambda v: tape.op("MatMul", v, u)


def filtered(
    tape: Writer, shape: ConvShape, image: PackedImage,
    multiply: Callable[[Value], Value], m: int, cuts: list[slice],
) -> PackedImage:  # fmt: skip
    """y, of the tiles of one cut after the other. `multiply` makes M of V, [n², T·B, C]."""
    source = with_row(tape, image.value, 0.0)
    order = window_order(m, m) if shape.pooled else np.arange(m * m)
    slots, pixels = _tile_slots(shape, image, m), _tile_pixels(shape, m, order)
    ys = [_on_tiles(tape, shape, source, slots[:, cut], multiply, m) for cut in cuts]
    y = tape.op("Concat", *ys, axis=0) if len(ys) > 1 else ys[0]
    return _trimmed(tape, shape, y, np.concatenate([pixels[:, cut].reshape(-1) for cut in cuts]))


def _on_tiles(
    tape: Writer, shape: ConvShape, source: Value, slots: Order,
    multiply: Callable[[Value], Value], m: int,
) -> Value:  # fmt: skip
    """[m²·T, B, O]: the outputs of the tiles whose pixels stand in `slots`, [n², T]."""
    a, _, b = cook_toom(m, 3)
    tiles = slots.shape[1]
    rows = tiles * shape.batch
    d = gather(tape, source, slots.reshape(-1))
    v = _both_axes(tape, b, d, rows * shape.channels)
    product = multiply(tape.reshape(v, -1, rows, shape.channels))
    if shape.pooled:  # the outputs come window by window: one product for both axes
        matrix = np.kron(a, a)[window_order(m, m)]
        y = _left(tape, matrix, tape.reshape(product, -1, rows * shape.filters))
    else:
        y = _both_axes(tape, a, product, rows * shape.filters)
    return tape.reshape(y, m * m * tiles, shape.batch, shape.filters)


def _left(tape: Writer, matrix: Matrix, value: Value) -> Value:
    return tape.op("MatMul", tape.const(matrix.astype(np.dtype(value.dtype))), value)


def _both_axes(tape: Writer, matrix: Matrix, value: Value, rest: int) -> Value:
    """(A⊗A)·X of X: [n², rest], as A along one axis after the other."""
    m, n = matrix.shape
    down = _left(tape, matrix, tape.reshape(value, n, n * rest))
    return _left(tape, matrix, tape.reshape(down, m, n, rest))


def _corner(shape: ConvShape, m: int) -> tuple[Order, Order]:
    down, across = tiles_of(shape, m)
    tile = np.arange(down * across)
    return tile // across * m, tile % across * m


def _tile_slots(shape: ConvShape, image: PackedImage, m: int) -> Order:
    """[n², tiles]: the slot of each pixel of each tile; P outside of the image."""
    (height, width), (top, left) = shape.size, _corner(shape, m)
    at = np.arange((m + 2) ** 2)[:, None]
    rows = top + shape.start[0] + at // (m + 2)
    columns = left + shape.start[1] + at % (m + 2)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    pixel = np.where(inside, rows * width + columns, height * width)
    return np.append(image.slots(), len(image.order))[pixel]


def _tile_pixels(shape: ConvShape, m: int, order: Order) -> Order:
    """[m², tiles]: the output pixel of each place of each tile; −1 beyond the image.

    `order` says in which order the places of a tile come.
    """
    top, left = _corner(shape, m)
    at = order[:, None]
    rows, columns = top + at // m, left + at % m
    inside = (rows < shape.out[0]) & (columns < shape.out[1])
    return np.where(inside, rows * shape.out[1] + columns, -1)


def _trimmed(tape: Writer, shape: ConvShape, value: Value, pixels: Order) -> PackedImage:
    """Without the slots of ragged tiles that lie beyond the image."""
    kept = np.flatnonzero(pixels >= 0)
    if len(kept) < len(pixels):
        value = gather(tape, value, kept)
    return PackedImage(value, pixels[kept], shape.out)
