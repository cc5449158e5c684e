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
    _, _, *kernel = (int(d) for d in weight.shape)
    taps, groups = prod(kernel), node.attrs.get("group", 1)
    if groups == 1:
        products = _products(lowering, image, weight)
    else:
        products = _grouped(lowering, image, weight, groups)
    filters = int(products.shape[-1])
    rows = tape.reshape(products, taps * len(image.order), image.batch, filters)
    landing, out = _landing(node, image, (kernel[0], kernel[1]))
    bias = lowering.nchw(node.inputs[2]) if len(node.inputs) > 2 else None
    return PackedImage(_summed(tape, rows, landing), row_major(out), out, bias)


def _products(lowering: Lowering, image: PackedImage, weight: Value) -> Value:
    """[taps, P·B, filters]: each pixel times each tap."""
    channels, filters, *kernel = (int(d) for d in weight.shape)
    shape = (channels, filters, *kernel)
    layout = Layout(shape, shape, (2, 3, 0, 1), (prod(kernel), channels, filters))
    flat = lowering.tape.reshape(image.value, 1, len(image.order) * image.batch, channels)
    return lowering.tape.op("MatMul", flat, lowering.param(weight, layout))


def _grouped(lowering: Lowering, image: PackedImage, weight: Value, groups: int) -> Value:
    """As `_products`, group by group."""
    tape, (channels, filters, *kernel) = lowering.tape, [int(d) for d in weight.shape]
    each, taps, rows = channels // groups, prod(kernel), len(image.order) * image.batch
    split = (groups, each, filters, *kernel)
    packed = (taps, groups, each, filters)
    layout = Layout((channels, filters, *kernel), split, (3, 4, 0, 1, 2), packed)
    parts = tape.op("Transpose", tape.reshape(image.value, rows, groups, each), perm=(1, 0, 2))
    lined = tape.reshape(parts, 1, groups, rows, each)
    products = tape.op("MatMul", lined, lowering.param(weight, layout))
    turned = tape.op("Transpose", products, perm=(0, 2, 1, 3))
    return tape.reshape(turned, taps, rows, groups * filters)


def _landing(
    node: Node, image: PackedImage, kernel: tuple[int, int]
) -> tuple[Order, tuple[int, int]]:
    """[k, position]: the k-th product row that lands on each output position, −1 for none."""
    a, pads, (height, width) = node.attrs, node.attrs["pads"], image.size
    extra, spread = a.get("output_padding", (0, 0)), a.get("dilations", (1, 1))
    out = tuple(
        transposed_1d(side, kernel[i], a["strides"][i], (pads[i], pads[i + 2]), spread[i], extra[i])
        for i, side in enumerate((height, width))
    )
    tap = np.arange(prod(kernel))[:, None]
    rows = image.order // width * a["strides"][0] - pads[0] + tap // kernel[1] * spread[0]
    columns = image.order % width * a["strides"][1] - pads[1] + tap % kernel[1] * spread[1]
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
