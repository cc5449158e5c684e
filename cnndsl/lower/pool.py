"""Pooling over gathered windows; for windows side by side the gather is often just the order."""

from math import prod

import numpy as np

from cnndsl.graph.tape import Node, Tape, Value
from cnndsl.lower.driver import Lowering, Representation, lowers
from cnndsl.lower.packed_image import (
    Order,
    PackedImage,
    gather,
    readable,
    reordered,
    row_major,
    window_slots,
)
from cnndsl.shapes import window_2d

Weights = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def pooled_size(node: Node, image: PackedImage) -> tuple[int, int]:
    """Height and width behind a pooling node."""
    a = node.attrs
    ceil = bool(a.get("ceil_mode", 0))
    return window_2d(image.size, a["kernel_shape"], a["strides"], a["pads"], dilation(node), ceil)


def dilation(node: Node) -> tuple[int, int]:
    """Of a pooling node."""
    return node.attrs.get("dilations", (1, 1))


def _windows(
    tape: Tape, node: Node, image: PackedImage, outside: float
) -> tuple[Value, Order, Order]:
    """[G, taps, R, B, C] with its index [taps, P'] and the pixels of P' = G·R in their order.

    The taps stand between two axes because onnxruntime reduces such an axis several times faster
    than the first one.
    """
    out, a = pooled_size(node, image), node.attrs
    start = (-a["pads"][0], -a["pads"][1])
    index = window_slots(image, a["kernel_shape"], a["strides"], dilation(node), start, out)
    order = np.argsort(index[0], kind="stable")
    index = index[:, order]
    taps, count = index.shape
    run = _run(index, len(image.order))
    rows = image.value
    if not run:
        source = readable(tape, image, image.value, index, outside)
        rows, run = gather(tape, source, index.T.reshape(-1)), 1
    windows = tape.reshape(rows, count // run, taps, run, image.batch, image.channels)
    return windows, index, order


def _run(index: Order, slots: int) -> int:
    """R, where the slots are in the order [G, taps, R] already; else 0."""
    taps, count = index.shape
    run = int(index[1, 0] - index[0, 0]) if taps > 1 else count
    if run < 1 or count % run or taps * count != slots:
        return 0
    wanted = np.arange(slots).reshape(count // run, taps, run).transpose(1, 0, 2)
    return run if np.array_equal(index, wanted.reshape(taps, count)) else 0


def _reduced(tape: Tape, op: str, windows: Value) -> Value:
    """[G, taps, R, B, C] to [P', B, C]."""
    one = tape.op(op, windows, tape.ints([1]), keepdims=0)
    return tape.reshape(one, -1, int(one.shape[2]), int(one.shape[3]))


@lowers("MaxPool")
def _max_pool(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    """A bias that is still to be added goes through: max(x + b) = max(x) + b."""
    image = lowering.packed(node.inputs[0])
    windows, _, order = _windows(lowering.tape, node, image, -3.4e38)
    top = _reduced(lowering.tape, "ReduceMax", windows)
    return PackedImage(top, order, pooled_size(node, image), image.bias)


@lowers("AveragePool")
def _average_pool(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    tape, image = lowering.tape, lowering.with_bias(node.inputs[0])
    windows, index, order = _windows(tape, node, image, 0.0)
    total = _reduced(tape, "ReduceSum", windows)
    share = (1 / counts(node, image, index, order)).astype(np.dtype(image.value.dtype))
    return PackedImage(tape.op("Mul", total, tape.const(share)), order, pooled_size(node, image))


def counts(
    node: Node, image: PackedImage, index: Order, order: Order
) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """What each window divides by, [P', 1, 1]: its taps inside the image, or also the padding.

    Of a window that `ceil` lets hang over the padding, the overhang never counts (PyTorch's rule).
    """
    if not node.attrs.get("count_include_pad", 0):
        return (index < len(image.order)).sum(0).reshape(-1, 1, 1).astype(np.float64)
    a, out = node.attrs, pooled_size(node, image)
    sides = list[np.ndarray[tuple[int, ...], np.dtype[np.int64]]]()
    for i in range(2):
        first = np.arange(out[i]) * a["strides"][i] - a["pads"][i]
        last = np.minimum(first + a["kernel_shape"][i], image.size[i] + a["pads"][i + 2])
        sides.append(last - first)
    return np.outer(*sides).reshape(-1)[order].reshape(-1, 1, 1).astype(np.float64)


@lowers("GlobalAveragePool")
def _global_average(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    return _global(lowering, node, "ReduceMean")


@lowers("GlobalMaxPool")
def _global_max(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    return _global(lowering, node, "ReduceMax")


def _global(lowering: Lowering, node: Node, op: str) -> PackedImage:
    tape, image = lowering.tape, lowering.with_bias(node.inputs[0])
    one = tape.op(op, image.value, tape.ints([0]), keepdims=1)
    return PackedImage(one, np.zeros(1, np.int64), (1, 1))


@lowers("Resize")
def _resize(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    """Nearest is a gather; bilinear a product along each axis."""
    image, factors = lowering.with_bias(node.inputs[0]), node.inputs[2]
    assert factors is not None
    down, across = (round(float(s)) for s in lowering.tape.consts[factors][2:])
    (height, width), out = image.size, (image.size[0] * down, image.size[1] * across)
    order = np.arange(prod(out))
    if node.attrs["mode"] == "nearest":
        pixels = order // out[1] // down * width + order % out[1] // across
        value = gather(lowering.tape, image.value, image.slots()[pixels])
    else:
        align = node.attrs["coordinate_transformation_mode"] == "align_corners"
        weights = bilinear(height, down, align), bilinear(width, across, align)
        value = _interpolated(lowering.tape, image, *weights)
    return PackedImage(value, order, out)


def _interpolated(tape: Tape, image: PackedImage, down: Weights, across: Weights) -> Value:
    """The image, row-major, times the weights of each axis: [P', B, C]."""
    image = reordered(tape, image, row_major(image.size))
    dtype = np.dtype(image.value.dtype)
    vertical, horizontal = tape.const(down.astype(dtype)), tape.const(across.astype(dtype))
    y = tape.reshape(image.value, *image.size, image.batch * image.channels)
    wide = len(across) * image.batch * image.channels
    y = tape.reshape(tape.op("MatMul", horizontal, y), image.size[0], wide)
    y = tape.op("MatMul", vertical, y)
    return tape.reshape(y, len(down) * len(across), image.batch, image.channels)


def bilinear(size: int, factor: int, align: bool) -> Weights:
    """[factor·size, size]: the weights of each output pixel, at pixel centres or from corner to
    corner.
    """
    centre = np.clip((np.arange(size * factor) + 0.5) / factor - 0.5, 0, size - 1)
    if align:
        centre = np.linspace(0, size - 1, size * factor)
    low = np.floor(centre).astype(int)
    high, share = np.minimum(low + 1, size - 1), centre - low
    weights = np.zeros((size * factor, size))
    np.add.at(weights, (np.arange(size * factor), low), 1 - share)
    np.add.at(weights, (np.arange(size * factor), high), share)
    return weights
