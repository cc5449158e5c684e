"""Lowered activations: a value [P, B, C] and the order of its positions.

A gather on the first axis copies rows of B·C floats, so windows and tiles are read at memory speed,
and every reader goes through an index: a layer may emit its positions in any order.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cnndsl.graph.tape import Tape, Value

Order = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Laid:
    """An image in the layout [P, B, C].

    `order[s]` is the pixel (row-major over height and width) in slot s. `bias` is a (C,) tensor
    that is still to be added: it commutes with pooling, so it waits until it must be paid.
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


def lay(tape: Tape, x: Value) -> Laid:
    """N×C×H×W to [P, B, C]."""
    n, c, h, w = (int(d) for d in x.shape)
    flat = tape.reshape(x, n, c, h * w)
    return Laid(tape.op("Transpose", flat, perm=(2, 0, 1)), row_major((h, w)), (h, w))


def plain(tape: Tape, x: Laid) -> Value:
    """[P, B, C] to N×C×H×W."""
    x = arranged(tape, settled(tape, x), row_major(x.size))
    if len(x.order) == 1:
        return tape.reshape(x.value, x.batch, x.channels, 1, 1)
    moved = tape.op("Transpose", x.value, perm=(1, 2, 0))
    return tape.reshape(moved, x.batch, x.channels, *x.size)


def settled(tape: Tape, x: Laid) -> Laid:
    """The image with its waiting bias added."""
    if x.bias is None:
        return x
    return replace(x, value=tape.op("Add", x.value, x.bias), bias=None)


def arranged(tape: Tape, x: Laid, order: Order) -> Laid:
    """The image with its positions in another order."""
    if np.array_equal(x.order, order):
        return x
    return replace(x, value=gather(tape, x.value, x.slots()[order]), order=order)


def gather(tape: Tape, value: Value, rows: Order) -> Value:
    """Rows of the first axis."""
    return tape.op("Gather", value, tape.const(rows.astype(np.int32)), axis=0)


def window_slots(
    x: Laid, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int],
    start: tuple[int, int], out: tuple[int, int],
) -> Order:  # fmt: skip
    """[taps, positions]: the slot that each tap of each window reads; P where it is outside.

    `start` is the row and column of the first tap of the first window (minus the padding).
    """
    (h, w), taps = x.size, np.arange(kernel[0] * kernel[1])[:, None]
    at = np.arange(out[0] * out[1])[None]
    rows = start[0] + at // out[1] * stride[0] + taps // kernel[1] * dilation[0]
    columns = start[1] + at % out[1] * stride[1] + taps % kernel[1] * dilation[1]
    inside = (rows >= 0) & (rows < h) & (columns >= 0) & (columns < w)
    pixels = np.where(inside, rows * w + columns, h * w)
    return np.append(x.slots(), len(x.order))[pixels]


def with_row(tape: Tape, x: Value, number: float, axis: int = 0) -> Value:
    """One more row of a constant: what windows read outside the image."""
    shape = [1 if i == axis else int(d) for i, d in enumerate(x.shape)]
    return tape.op("Concat", x, tape.const(np.full(shape, number, np.dtype(x.dtype))), axis=axis)


def readable(
    tape: Tape, x: Laid, value: Value, index: Order, outside: float = 0.0, axis: int = 0
) -> Value:
    """A value that `window_slots` can read: with a row for what is outside, where any is read."""
    reads_outside = (index == len(x.order)).any()
    return with_row(tape, value, outside, axis) if reads_outside else value
