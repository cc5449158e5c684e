"""The lowering for CUDA: everything stays N×C×H×W, and a convolution is ONNX's own Conv.

Its gradients are a ConvTranspose and a Conv. Pads are alike on both sides, as cuDNN wants them;
what is more on one side is padded before, or cut behind. Pools are gathers and reductions.
"""

import numpy as np

from cnndsl.graph.rows import cut_rows
from cnndsl.graph.tape import Node, Tape, Value
from cnndsl.lower.driver import Lowering, Representation, lowers, on_nchw
from cnndsl.lower.packed_image import (
    Order,
    PackedImage,
    readable,
    row_major,
    window_slots,
)
from cnndsl.lower.pool import bilinear, counts, dilation, pooled_size


def _is_uneven(pads: tuple[int, ...]) -> bool:
    return pads[:2] != pads[2:]


@lowers("Conv", devices=("cuda",))
def _conv(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    x, *others = (lowering.nchw(v) for v in node.inputs)
    top, left, bottom, right = pads = node.attrs["pads"]
    if _is_uneven(pads):
        borders = lowering.tape.ints([0, 0, top, left, 0, 0, bottom, right])
        x, pads = lowering.tape.op("Pad", x, borders), (0, 0, 0, 0)
    return lowering.tape.op("Conv", x, *others, **{**node.attrs, "pads": pads})


@lowers("ConvTranspose", devices=("cuda",))
def _conv_transpose(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    pads = node.attrs["pads"]
    if not _is_uneven(pads):
        return on_nchw(lowering, node)
    tape, inputs = lowering.tape, [lowering.nchw(v) for v in node.inputs]
    y = tape.op("ConvTranspose", *inputs, **{**node.attrs, "pads": (0, 0, 0, 0)})
    for i in range(2):
        y = cut_rows(tape, y, i + 2, pads[i], int(y.shape[i + 2]) - pads[i + 2])
    return y


def _flat(x: Value, tape: Tape) -> PackedImage:
    """N×C×P in the place of [P, B, C]: of this image only the pixels are asked for."""
    batch, channels, height, width = (int(d) for d in x.shape)
    size = (height, width)
    return PackedImage(tape.reshape(x, batch, channels, height * width), row_major(size), size)


def _windows(tape: Tape, node: Node, image: PackedImage, outside: float) -> tuple[Value, Order]:
    """N×C×taps×P', with the index [taps, P'] of what each tap reads."""
    a, out = node.attrs, pooled_size(node, image)
    start = (-a["pads"][0], -a["pads"][1])
    index = window_slots(image, a["kernel_shape"], a["strides"], dilation(node), start, out)
    source = readable(tape, image, image.value, index, outside, axis=2)
    return tape.op("Gather", source, tape.const(index.astype(np.int32)), axis=2), index


def _pooled(tape: Tape, op: str, windows: Value, size: tuple[int, int]) -> Value:
    """N×C×taps×P' to N×C×H'×W'."""
    batch, channels = (int(d) for d in windows.shape[:2])
    one = tape.op(op, windows, tape.ints([2]), keepdims=0)
    return tape.reshape(one, batch, channels, *size)


@lowers("MaxPool", devices=("cuda",))
def _max_pool(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    tape, image = lowering.tape, _flat(lowering.nchw(node.inputs[0]), lowering.tape)
    lowest = max(-3.4e38, float(np.finfo(np.dtype(image.value.dtype)).min))
    windows, _ = _windows(tape, node, image, lowest)
    return _pooled(tape, "ReduceMax", windows, pooled_size(node, image))


@lowers("AveragePool", devices=("cuda",))
def _average_pool(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    tape, image = lowering.tape, _flat(lowering.nchw(node.inputs[0]), lowering.tape)
    windows, index = _windows(tape, node, image, 0.0)
    size = pooled_size(node, image)
    share = 1 / counts(node, image, index, row_major(size)).reshape(size)
    total = _pooled(tape, "ReduceSum", windows, size)
    return tape.op("Mul", total, tape.const(share.astype(np.dtype(total.dtype))))


@lowers("GlobalAveragePool", devices=("cuda",))
def _global_average(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    return _global(lowering, node, "ReduceMean")


@lowers("GlobalMaxPool", devices=("cuda",))
def _global_max(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    return _global(lowering, node, "ReduceMax")


def _global(lowering: Lowering, node: Node, op: str) -> Value:
    tape = lowering.tape
    return tape.op(op, lowering.nchw(node.inputs[0]), tape.ints([2, 3]), keepdims=1)


@lowers("Resize", devices=("cuda",))
def _resize(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    """Along each axis a gather, or for `bilinear` a product."""
    tape, x, factors = lowering.tape, lowering.nchw(node.inputs[0]), node.inputs[2]
    assert factors is not None
    down, across = (round(float(s)) for s in tape.consts[factors][2:])
    height, width = (int(d) for d in x.shape[2:])
    if node.attrs["mode"] == "nearest":
        for axis, size, factor in ((2, height, down), (3, width, across)):
            rows = tape.const(np.arange(size * factor).astype(np.int32) // factor)
            x = tape.op("Gather", x, rows, axis=axis)
        return x
    align = node.attrs["coordinate_transformation_mode"] == "align_corners"
    dtype = np.dtype(x.dtype)
    vertical = tape.const(bilinear(height, down, align).astype(dtype))
    horizontal = tape.const(bilinear(width, across, align).T.astype(dtype))
    return tape.op("MatMul", tape.op("MatMul", vertical, x), horizontal)


@lowers("LRN", devices=("cuda",))
def _lrn(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    """y = x / (k + alpha/size · Σ x²)^beta; a 1×1 convolution sums over the channels beside."""
    tape, x, attrs = lowering.tape, lowering.nchw(node.inputs[0]), node.attrs
    numbers = np.arange(int(x.shape[1]))
    near = np.abs(np.subtract.outer(numbers, numbers)) <= attrs["size"] // 2
    band = (near * (attrs["alpha"] / attrs["size"])).astype(np.dtype(x.dtype))
    sums = tape.op(
        "Conv", tape.op("Mul", x, x), tape.const(band[:, :, None, None]), kernel_shape=(1, 1),
        pads=(0, 0, 0, 0), strides=(1, 1), dilations=(1, 1), group=1,
    )  # fmt: skip
    base = tape.op("Add", sums, tape.scalar(attrs["bias"], x.dtype))
    power = tape.op("Pow", base, tape.scalar(-attrs["beta"], x.dtype))
    return tape.op("Mul", x, power)


@lowers("Pad", devices=("cuda",))
def _pad(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    """Borders that repeat the image are a gather along each axis."""
    mode = node.attrs.get("mode", "constant")
    if mode == "constant":
        return on_nchw(lowering, node)
    tape, x, pads = lowering.tape, lowering.nchw(node.inputs[0]), node.inputs[1]
    assert pads is not None
    sides = tape.consts[pads].reshape(2, -1)
    for axis in np.flatnonzero(sides.any(0)):
        size, (before, after) = int(x.shape[axis]), sides[:, axis].tolist()
        rows = np.pad(np.arange(size), (before, after), mode)
        x = tape.op("Gather", x, tape.const(rows.astype(np.int32)), axis=int(axis))
    return x


@lowers("DepthToSpace", devices=("cuda",))
def _depth_to_space(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    tape, x, side = lowering.tape, lowering.nchw(node.inputs[0]), int(node.attrs["blocksize"])
    batch, channels, height, width = (int(d) for d in x.shape)
    depth, is_crd = channels // side**2, node.attrs["mode"] == "CRD"
    parts = (depth, side, side) if is_crd else (side, side, depth)
    split = tape.reshape(x, batch, *parts, height, width)
    perm = (0, 1, 4, 2, 5, 3) if is_crd else (0, 3, 4, 1, 5, 2)
    moved = tape.op("Transpose", split, perm=perm)
    return tape.reshape(moved, batch, depth, height * side, width * side)
