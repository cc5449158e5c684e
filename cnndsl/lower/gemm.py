"""Convolutions as one matrix product: 1×1, im2col, grouped, and the first layer."""

import numpy as np

from cnndsl.graph.tape import Value
from cnndsl.lower.convs import GEMM, MOVE, ConvShape, algorithm
from cnndsl.lower.driver import Lowering
from cnndsl.lower.laid import Laid, Order, gather, lay, plain, readable, row_major, window_slots
from cnndsl.lower.layout import Layout, as_it_is


def columns_layout(s: ConvShape) -> Layout:
    """O×C×kh×kw to [kh·kw·C, O]: what im2col, 1×1 and Winograd share; C of a group."""
    each = s.channels // s.groups
    shape = (s.filters, each, *s.kernel)
    return Layout(shape, shape, (2, 3, 1, 0), (s.taps * each, s.filters))


def _windows(s: ConvShape, x: Laid) -> Order:
    return window_slots(x, s.kernel, s.stride, s.dilation, s.start, s.out)


def _is_pointwise(s: ConvShape) -> bool:
    return s.taps == 1 and s.groups == 1 and s.start == (0, 0)


@algorithm("gemm", _is_pointwise, lambda s: 3 * s.flops / GEMM)
def pointwise(lo: Lowering, s: ConvShape, x: Laid, w: Value) -> Laid:
    """1×1: one product; a stride first gathers the positions that are read."""
    rows, order = x.value, x.order
    if s.stride != (1, 1) or s.out != s.size:
        slots = _windows(s, x)[0]
        order = np.argsort(slots, kind="stable")
        rows = gather(lo.tape, x.value, slots[order])
    flat = lo.tape.reshape(rows, len(order) * s.batch, s.channels)
    y = lo.tape.op("Gemm", flat, lo.param(w, columns_layout(s)))
    return Laid(lo.tape.reshape(y, len(order), s.batch, s.filters), order, s.out)


def _im2col_cost(s: ConvShape) -> float:
    columns = s.batch * s.positions * s.taps * s.channels
    ends = s.batch * (s.size[0] * s.size[1] * s.channels + s.positions * s.filters)
    weights = s.taps * s.channels * s.filters
    return 3 * s.flops / GEMM + (5 * columns + 6 * ends + 4 * weights) / MOVE


@algorithm("im2col", lambda s: s.groups == 1, _im2col_cost)
def im2col(lo: Lowering, s: ConvShape, x: Laid, w: Value) -> Laid:
    """All windows side by side, [B·P', taps·C], times the weights.

    Gathered from [B, P, C], where a window's taps are rows of C floats that land side by side.
    """
    index = _windows(s, x)
    by_batch = lo.tape.op("Transpose", x.value, perm=(1, 0, 2))
    by_batch = readable(lo.tape, x, by_batch, index, axis=1)
    flat_index = lo.tape.const(index.T.reshape(-1).astype(np.int32))
    windows = lo.tape.op("Gather", by_batch, flat_index, axis=1)
    columns = lo.tape.reshape(windows, s.batch * s.positions, s.taps * s.channels)
    y = lo.tape.op("Gemm", columns, lo.param(w, columns_layout(s)))
    split = lo.tape.reshape(y, s.batch, s.positions, s.filters)
    return Laid(lo.tape.op("Transpose", split, perm=(1, 0, 2)), row_major(s.out), s.out)


def _is_thin(s: ConvShape) -> bool:
    return s.first and s.channels <= 4 and s.groups == 1


@algorithm("im2col-planar", _is_thin, lambda s: _im2col_cost(s) / 2)
def planar(lo: Lowering, s: ConvShape, x: Laid, w: Value) -> Laid:
    """The first layer, from [C, P, B]: rows of C = 3 floats are too short to copy one by one.

    Gathered as [G, C·taps, P'/G, B]: long products in G parts, which the weights' gradient likes.
    """
    shape = (s.filters, s.channels, *s.kernel)
    layout = Layout(shape, shape, (1, 2, 3, 0), (s.channels * s.taps, s.filters))
    index, order = _phased(s, _windows(s, x)) if s.pooled else (_windows(s, x), row_major(s.out))
    planes = lo.tape.op("Transpose", x.value, perm=(2, 0, 1))
    planes = readable(lo.tape, x, planes, index, axis=1)
    each = int(planes.shape[1])
    parts = _parts(s)
    index = (np.arange(s.channels)[:, None, None] * each + index).reshape(
        s.channels * s.taps, parts, -1
    )
    rows = lo.tape.reshape(planes, s.channels * each, s.batch)
    windows = gather(lo.tape, rows, index.swapaxes(0, 1).reshape(-1))
    columns = lo.tape.reshape(windows, parts, s.channels * s.taps, -1)
    turned = lo.tape.op("Transpose", columns, perm=(0, 2, 1))
    y = lo.tape.op("MatMul", turned, lo.param(w, layout))
    return Laid(lo.tape.reshape(y, s.positions, s.batch, s.filters), order, s.out)


_LONG = 4096  # rows of a product that is not cut further


def _parts(s: ConvShape) -> int:
    """How many parts of `_LONG` rows or more the positions can be cut into."""
    most = max(1, s.positions * s.batch // _LONG)
    return next(n for n in range(most, 0, -1) if s.positions % n == 0)


def _phased(s: ConvShape, index: Order) -> tuple[Order, Order]:
    """Positions as [half of the image, place in a 2×2 window, rest]: pooling needs no gather."""
    at = np.arange(s.positions)
    row, column = at // s.out[1], at % s.out[1]
    lower_half = row >= s.out[0] // 4 * 2
    order = np.lexsort((at, row % 2 * 2 + column % 2, lower_half))
    return index[:, order], order


def _grouped_cost(s: ConvShape) -> float:
    columns = s.batch * s.positions * s.taps * s.channels
    return 6 * s.flops / GEMM + 8 * columns / MOVE


@algorithm("im2col-grouped", lambda s: s.groups > 1 and not s.is_depthwise, _grouped_cost)
def grouped(lo: Lowering, s: ConvShape, x: Laid, w: Value) -> Laid:
    """im2col for each group: [G, P'·B, taps·C/G] times [G, taps·C/G, O/G]."""
    each, filters = s.channels // s.groups, s.filters // s.groups
    layout = Layout(
        (s.filters, each, *s.kernel), (s.groups, filters, each, *s.kernel), (0, 3, 4, 2, 1),
        (s.groups, s.taps * each, filters),
    )  # fmt: skip
    index = _windows(s, x)
    source = readable(lo.tape, x, x.value, index)
    rows = gather(lo.tape, source, index.reshape(-1))
    count = s.positions * s.batch
    split = lo.tape.reshape(rows, s.taps, count, s.groups, each)
    turned = lo.tape.op("Transpose", split, perm=(2, 1, 0, 3))
    columns = lo.tape.reshape(turned, s.groups, count, s.taps * each)
    y = lo.tape.op("MatMul", columns, lo.param(w, layout))
    back = lo.tape.op("Transpose", y, perm=(1, 0, 2))
    return Laid(lo.tape.reshape(back, s.positions, s.batch, s.filters), row_major(s.out), s.out)


@algorithm("depthwise", lambda s: s.is_depthwise, lambda s: 12 * s.flops / MOVE + 1)
def depthwise(lo: Lowering, s: ConvShape, x: Laid, w: Value) -> Laid:
    """Each tap's rows times the tap's weights, summed."""
    shape = (s.filters, 1, *s.kernel)
    layout = Layout(shape, shape, (2, 3, 1, 0), (s.taps, 1, s.filters))
    index = _windows(s, x)
    source = readable(lo.tape, x, x.value, index)
    rows = gather(lo.tape, source, index.T.reshape(-1))
    taps = lo.tape.reshape(rows, s.positions, s.taps, s.batch, s.channels)
    weighted = lo.tape.op("Mul", taps, lo.param(w, layout))
    y = lo.tape.op("ReduceSum", weighted, lo.tape.ints([1]), keepdims=0)
    return Laid(y, row_major(s.out), s.out)


def _direct_cost(s: ConvShape) -> float:
    return (12 if s.groups == 1 else 400) * s.flops / GEMM + 1


@algorithm("direct", lambda s: True, _direct_cost)
def direct(lo: Lowering, s: ConvShape, x: Laid, w: Value) -> Laid:
    """ONNX's own Conv, between two changes of layout."""
    bottom = (s.out[0] - 1) * s.stride[0] + s.start[0] + (s.kernel[0] - 1) * s.dilation[0] + 1
    right = (s.out[1] - 1) * s.stride[1] + s.start[1] + (s.kernel[1] - 1) * s.dilation[1] + 1
    pads = (-s.start[0], -s.start[1], max(0, bottom - s.size[0]), max(0, right - s.size[1]))
    weight = lo.param(w, as_it_is((s.filters, s.channels // s.groups, *s.kernel)))
    y = lo.tape.op(
        "Conv", plain(lo.tape, x), weight, kernel_shape=s.kernel, strides=s.stride,
        dilations=s.dilation, pads=pads, group=s.groups,
    )  # fmt: skip
    return lay(lo.tape, y)
