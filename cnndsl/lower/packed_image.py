"""Lowered activations: a value [P, B, C] and the order of its positions.

A gather on the first axis copies rows of B·C floats, so windows and tiles are read at memory speed,
and every reader goes through an index: a layer may emit its positions in any order.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cnndsl.graph.tape import Tape, Value
from cnndsl.graph.value import Writer

Order = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PackedImage:
    """An image in the layout [P, B, C].

    `order[s]` is the pixel (row-major over height and width) in slot s. `bias` is a (C,) tensor
    that is still to be added: it commutes with max-pooling, so it is added behind it where it can.
    """

    value: Value
    order: Order
    size: tuple[int, int]
    bias: Value | None = None

    @property
    def batch(self) -> int:
        """B."""
        return int(self.value.shape[1])

    @property
    def channels(self) -> int:
        """C."""
        return int(self.value.shape[2])

    def slots(self) -> Order:
        """The slot of each pixel; one more than the last slot for a pixel outside."""
        where = np.empty(len(self.order), np.int64)
        where[self.order] = np.arange(len(self.order))
        return where


def row_major(size: tuple[int, int]) -> Order:
    """Pixels in reading order."""
    return np.arange(size[0] * size[1])


def pack(tape: Tape, value: Value) -> PackedImage:
    """N×C×H×W to [P, B, C]."""
    batch, channels, height, width = (int(d) for d in value.shape)
    flat = tape.reshape(value, batch, channels, height * width)
    size = (height, width)
    return PackedImage(tape.op("Transpose", flat, perm=(2, 0, 1)), row_major(size), size)


def nchw(tape: Tape, image: PackedImage) -> Value:
    """[P, B, C] to N×C×H×W."""
    image = reordered(tape, with_bias(tape, image), row_major(image.size))
    if len(image.order) == 1:
        return tape.reshape(image.value, image.batch, image.channels, 1, 1)
    moved = tape.op("Transpose", image.value, perm=(1, 2, 0))
    return tape.reshape(moved, image.batch, image.channels, *image.size)


def pack_rows(tape: Tape, value: Value) -> PackedImage:
    """`pack` by way of N×H×W×C, which onnxruntime writes straight from its blocked layout."""
    batch, channels, height, width = (int(d) for d in value.shape)
    rows = tape.op("Transpose", value, perm=(0, 2, 3, 1))
    if batch > 1:
        rows = tape.reshape(rows, batch, height * width, channels)
        rows = tape.op("Transpose", rows, perm=(1, 0, 2))
    size = (height, width)
    packed = tape.reshape(rows, height * width, batch, channels)
    return PackedImage(packed, row_major(size), size)


def nchw_rows(tape: Tape, image: PackedImage) -> Value:
    """`nchw` by way of N×H×W×C, which onnxruntime reads straight into its blocked layout."""
    image = reordered(tape, with_bias(tape, image), row_major(image.size))
    rows = image.value
    if image.batch > 1:
        rows = tape.op("Transpose", rows, perm=(1, 0, 2))
    rows = tape.reshape(rows, image.batch, *image.size, image.channels)
    return tape.op("Transpose", rows, perm=(0, 3, 1, 2))


def with_bias(tape: Tape, image: PackedImage) -> PackedImage:
    """The image with the bias that was put off added."""
    if image.bias is None:
        return image
    return replace(image, value=tape.op("Add", image.value, image.bias), bias=None)


def reordered(tape: Writer, image: PackedImage, order: Order) -> PackedImage:
    """The image with its positions in another order."""
    if np.array_equal(image.order, order):
        return image
    return replace(image, value=gather(tape, image.value, image.slots()[order]), order=order)


def gather(tape: Writer, value: Value, rows: Order) -> Value:
    """Rows of the first axis."""
    return tape.op("Gather", value, tape.const(rows.astype(np.int32)), axis=0)


def window_slots(
    image: PackedImage, kernel: tuple[int, int], stride: tuple[int, int],
    dilation: tuple[int, int], start: tuple[int, int], out: tuple[int, int],
) -> Order:  # fmt: skip
    """[taps, positions]: the slot that each tap of each window reads; P where it is outside.

    `start` is the row and column of the first tap of the first window (minus the padding).
    """
    (height, width), taps = image.size, np.arange(kernel[0] * kernel[1])[:, None]
    at = np.arange(out[0] * out[1])[None]
    rows = start[0] + at // out[1] * stride[0] + taps // kernel[1] * dilation[0]
    columns = start[1] + at % out[1] * stride[1] + taps % kernel[1] * dilation[1]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    pixels = np.where(inside, rows * width + columns, height * width)
    return np.append(image.slots(), len(image.order))[pixels]


def with_row(tape: Writer, value: Value, number: float, axis: int = 0) -> Value:
    """One more row of a constant: what windows read outside the image."""
    shape = [1 if i == axis else int(d) for i, d in enumerate(value.shape)]
    row = tape.const(np.full(shape, number, np.dtype(value.dtype)))
    return tape.op("Concat", value, row, axis=axis)


def readable(
    tape: Writer,
    image: PackedImage,
    value: Value,
    index: Order,
    outside: float = 0.0,
    axis: int = 0,
) -> Value:
    """A value that `window_slots` can read: with a row for what is outside, where any is read."""
    reads_outside = (index == len(image.order)).any()
    return with_row(tape, value, outside, axis) if reads_outside else value
