"""Transposed convolution: products for each tap; each output position sums what lands on it."""

from dataclasses import replace
from math import prod

import numpy as np

from cnndsl.graph.tape import Node, Value
from cnndsl.lower.driver import Form, Lowering, lowers
from cnndsl.lower.laid import Laid, Order, gather, row_major
from cnndsl.lower.layout import Layout
from cnndsl.shapes import transposed_1d


@lowers("ConvTranspose")
def _conv_transpose(lo: Lowering, node: Node) -> "Form | list[Form]":
    x, w = lo.settled(node.inputs[0]), node.inputs[1]
    assert w is not None
    assert node.attrs.get("group", 1) == 1
    c, o, kh, kw = (int(d) for d in w.shape)
    taps, pixels = kh * kw, len(x.order)
    layout = Layout((c, o, kh, kw), (c, o, kh, kw), (2, 3, 0, 1), (taps, c, o))
    flat = lo.tape.reshape(x.value, 1, pixels * x.batch, c)
    products = lo.tape.op("MatMul", flat, lo.param(w, layout))
    rows = lo.tape.reshape(products, taps * pixels, x.batch, o)
    landing, out = _landing(node, x, (kh, kw))
    bias = lo.plain(node.inputs[2]) if len(node.inputs) > 2 else None
    return replace(Laid(_summed(lo, rows, landing), row_major(out), out), bias=bias)


def _landing(node: Node, x: Laid, kernel: tuple[int, int]) -> tuple[Order, tuple[int, int]]:
    """[k, position]: the k-th product row that lands on each output position, −1 for none."""
    a, pads = node.attrs, node.attrs["pads"]
    extra = a.get("output_padding", (0, 0))
    out = tuple(
        transposed_1d(x.size[i], kernel[i], a["strides"][i], (pads[i], pads[i + 2]), 1, extra[i])
        for i in range(2)
    )
    tap = np.arange(prod(kernel))[:, None]
    rows = x.order // x.size[1] * a["strides"][0] - pads[0] + tap // kernel[1]
    columns = x.order % x.size[1] * a["strides"][1] - pads[1] + tap % kernel[1]
    inside = (rows >= 0) & (rows < out[0]) & (columns >= 0) & (columns < out[1])
    target: list[int] = np.where(inside, rows * out[1] + columns, -1).reshape(-1).tolist()
    lists: list[list[int]] = [[] for _ in range(prod(out))]
    for row, position in enumerate(target):
        if position >= 0:
            lists[position].append(row)
    table = np.full((max(1, *map(len, lists)), prod(out)), -1, np.int64)
    for position, readers in enumerate(lists):
        table[: len(readers), position] = readers
    return table, (out[0], out[1])


def _summed(lo: Lowering, rows: Value, landing: Order) -> Value:
    from cnndsl.graph.rows import with_zero_row

    source, zero = (rows, 0) if (landing >= 0).all() else with_zero_row(lo.tape, rows)
    parts = [gather(lo.tape, source, np.where(line < 0, zero, line)) for line in landing]
    return parts[0] if len(parts) == 1 else lo.tape.op("Sum", *parts)
