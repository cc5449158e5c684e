"""Pooling over gathered windows; for windows side by side the gather is often just the order."""

from math import prod

import numpy as np

from cnndsl.graph.tape import Node, Value
from cnndsl.lower.driver import Form, Lowering, lowers
from cnndsl.lower.laid import Laid, Order, arranged, gather, readable, row_major, window_slots
from cnndsl.shapes import window_2d


def _out(node: Node, x: Laid) -> tuple[int, int]:
    a = node.attrs
    return window_2d(
        x.size, a["kernel_shape"], a["strides"], a["pads"], (1, 1), bool(a.get("ceil_mode", 0))
    )


def _windows(lo: Lowering, node: Node, x: Laid, outside: float) -> tuple[Value, Order, Order]:
    """[G, taps, R, B, C] with its index [taps, P'] and the pixels of P' = G·R in their order.

    The taps stand between two axes because onnxruntime reduces such an axis several times faster
    than the first one.
    """
    out, a = _out(node, x), node.attrs
    start = (-a["pads"][0], -a["pads"][1])
    index = window_slots(x, a["kernel_shape"], a["strides"], (1, 1), start, out)
    order = np.argsort(index[0], kind="stable")
    index = index[:, order]
    taps, count = index.shape
    run = _run(index, len(x.order))
    rows = x.value
    if not run:
        source = readable(lo.tape, x, x.value, index, outside)
        rows, run = gather(lo.tape, source, index.T.reshape(-1)), 1
    return lo.tape.reshape(rows, count // run, taps, run, x.batch, x.channels), index, order


def _run(index: Order, slots: int) -> int:
    """R, where the slots are in the order [G, taps, R] already; else 0."""
    taps, count = index.shape
    run = int(index[1, 0] - index[0, 0]) if taps > 1 else count
    if run < 1 or count % run or taps * count != slots:
        return 0
    wanted = np.arange(slots).reshape(count // run, taps, run).transpose(1, 0, 2)
    return run if np.array_equal(index, wanted.reshape(taps, count)) else 0


def _reduced(lo: Lowering, op: str, windows: Value) -> Value:
    """[G, taps, R, B, C] to [P', B, C]."""
    one = lo.tape.op(op, windows, lo.tape.ints([1]), keepdims=0)
    return lo.tape.reshape(one, -1, int(one.shape[2]), int(one.shape[3]))


@lowers("MaxPool")
def _max_pool(lo: Lowering, node: Node) -> "Form | list[Form]":
    """A bias that still waits goes through: max(x + b) = max(x) + b."""
    x = lo.laid(node.inputs[0])
    windows, _, order = _windows(lo, node, x, -3.4e38)
    top = _reduced(lo, "ReduceMax", windows)
    return Laid(top, order, _out(node, x), x.bias)


@lowers("AveragePool")
def _average_pool(lo: Lowering, node: Node) -> "Form | list[Form]":
    x = lo.settled(node.inputs[0])
    windows, index, order = _windows(lo, node, x, 0.0)
    total = _reduced(lo, "ReduceSum", windows)
    share = (1 / _counts(node, x, index, order)).astype(np.dtype(x.value.dtype))
    return Laid(lo.tape.op("Mul", total, lo.tape.const(share)), order, _out(node, x))


def _counts(
    node: Node, x: Laid, index: Order, order: Order
) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """What each window divides by, [P', 1, 1]: its taps inside the image, or also the padding.

    Of a window that `ceil` lets hang over the padding, the overhang never counts (PyTorch's rule).
    """
    if not node.attrs.get("count_include_pad", 0):
        return (index < len(x.order)).sum(0).reshape(-1, 1, 1).astype(np.float64)
    a, out = node.attrs, _out(node, x)
    sides = list[np.ndarray[tuple[int, ...], np.dtype[np.int64]]]()
    for i in range(2):
        first = np.arange(out[i]) * a["strides"][i] - a["pads"][i]
        last = np.minimum(first + a["kernel_shape"][i], x.size[i] + a["pads"][i + 2])
        sides.append(last - first)
    return np.outer(*sides).reshape(-1)[order].reshape(-1, 1, 1).astype(np.float64)


@lowers("GlobalAveragePool")
def _global_average(lo: Lowering, node: Node) -> "Form | list[Form]":
    x = lo.settled(node.inputs[0])
    mean = lo.tape.op("ReduceMean", x.value, lo.tape.ints([0]), keepdims=1)
    return Laid(mean, np.zeros(1, np.int64), (1, 1))


@lowers("GlobalMaxPool")
def _global_max(lo: Lowering, node: Node) -> "Form | list[Form]":
    x = lo.settled(node.inputs[0])
    top = lo.tape.op("ReduceMax", x.value, lo.tape.ints([0]), keepdims=1)
    return Laid(top, np.zeros(1, np.int64), (1, 1))


@lowers("Resize")
def _resize(lo: Lowering, node: Node) -> "Form | list[Form]":
    """Nearest is a gather; bilinear a product along each axis."""
    x, given = lo.settled(node.inputs[0]), node.inputs[2]
    assert given is not None
    scales = [round(float(s)) for s in lo.tape.consts[given][2:]]
    out = (x.size[0] * scales[0], x.size[1] * scales[1])
    order = np.arange(prod(out))
    if node.attrs["mode"] == "nearest":
        pixels = order // out[1] // scales[0] * x.size[1] + order % out[1] // scales[1]
        return Laid(gather(lo.tape, x.value, x.slots()[pixels]), order, out)
    x = arranged(lo.tape, x, row_major(x.size))
    down, across = (
        lo.tape.const(_bilinear(x.size[i], scales[i]).astype(np.dtype(x.value.dtype)))
        for i in range(2)
    )
    y = lo.tape.reshape(x.value, *x.size, x.batch * x.channels)
    wide = out[1] * x.batch * x.channels
    y = lo.tape.reshape(lo.tape.op("MatMul", across, y), x.size[0], wide)
    y = lo.tape.op("MatMul", down, y)
    return Laid(lo.tape.reshape(y, len(order), x.batch, x.channels), order, out)


def _bilinear(size: int, factor: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """[factor·size, size]: the weights of each output pixel, at pixel centres."""
    centre = np.clip((np.arange(size * factor) + 0.5) / factor - 0.5, 0, size - 1)
    low = np.floor(centre).astype(int)
    high, share = np.minimum(low + 1, size - 1), centre - low
    weights = np.zeros((size * factor, size))
    np.add.at(weights, (np.arange(size * factor), low), 1 - share)
    np.add.at(weights, (np.arange(size * factor), high), share)
    return weights
