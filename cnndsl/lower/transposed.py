"""Transposed convolution: products for each tap; each output position sums what lands on it."""

from math import prod

import numpy as np

from cnndsl.graph.rows import with_zero_row
from cnndsl.graph.tape import Node, Tape, Value
from cnndsl.lower.driver import Lowering, Representation, lowers
from cnndsl.lower.layout import Layout
from cnndsl.lower.packed_image import Order, PackedImage, gather, row_major
from cnndsl.shapes import transposed_1d


@lowers("ConvTranspose")
def _conv_transpose(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    tape, image, weight = lowering.tape, lowering.with_bias(node.inputs[0]), node.inputs[1]
    assert weight is not None
    assert node.attrs.get("group", 1) == 1
    channels, filters, *kernel = (int(d) for d in weight.shape)
    taps, pixels, shape = prod(kernel), len(image.order), (channels, filters, *kernel)
    layout = Layout(shape, shape, (2, 3, 0, 1), (taps, channels, filters))
    flat = tape.reshape(image.value, 1, pixels * image.batch, channels)
    products = tape.op("MatMul", flat, lowering.param(weight, layout))
    rows = tape.reshape(products, taps * pixels, image.batch, filters)
    landing, out = _landing(node, image, (kernel[0], kernel[1]))
    bias = lowering.nchw(node.inputs[2]) if len(node.inputs) > 2 else None
    return PackedImage(_summed(tape, rows, landing), row_major(out), out, bias)


def _landing(
    node: Node, image: PackedImage, kernel: tuple[int, int]
) -> tuple[Order, tuple[int, int]]:
    """[k, position]: the k-th product row that lands on each output position, −1 for none."""
    a, pads, (height, width) = node.attrs, node.attrs["pads"], image.size
    extra = a.get("output_padding", (0, 0))
    out = tuple(
        transposed_1d(side, kernel[i], a["strides"][i], (pads[i], pads[i + 2]), 1, extra[i])
        for i, side in enumerate((height, width))
    )
    tap = np.arange(prod(kernel))[:, None]
    rows = image.order // width * a["strides"][0] - pads[0] + tap // kernel[1]
    columns = image.order % width * a["strides"][1] - pads[1] + tap % kernel[1]
    inside = (rows >= 0) & (rows < out[0]) & (columns >= 0) & (columns < out[1])
    target: list[int] = np.where(inside, rows * out[1] + columns, -1).reshape(-1).tolist()
    readers: list[list[int]] = [[] for _ in range(prod(out))]
    for row, position in enumerate(target):
        if position >= 0:
            readers[position].append(row)
    table = np.full((max(1, *map(len, readers)), prod(out)), -1, np.int64)
    for position, rows_read in enumerate(readers):
        table[: len(rows_read), position] = rows_read
    return table, (out[0], out[1])


def _summed(tape: Tape, rows: Value, landing: Order) -> Value:
    source, zero = (rows, 0) if (landing >= 0).all() else with_zero_row(tape, rows)
    parts = [gather(tape, source, np.where(line < 0, zero, line)) for line in landing]
    return parts[0] if len(parts) == 1 else tape.op("Sum", *parts)
