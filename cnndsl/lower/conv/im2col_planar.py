"""im2col of the first layer, whose rows of C = 3 floats are too short to copy one by one."""

import numpy as np

from cnndsl.graph.tape import Tape, Value
from cnndsl.lower.conv.im2col import train_cost
from cnndsl.lower.conv.table import ConvShape, algorithm
from cnndsl.lower.conv.windows import windows
from cnndsl.lower.driver import Lowering
from cnndsl.lower.layout import Layout
from cnndsl.lower.packed_image import Order, PackedImage, gather, readable, row_major

_LONG = 4096  # rows of a product that is not cut further


def _applies(shape: ConvShape) -> bool:
    return shape.first and shape.channels <= 4 and shape.groups == 1


@algorithm("im2col-planar", _applies, train=lambda shape: train_cost(shape) / 2)
def planar(lowering: Lowering, shape: ConvShape, image: PackedImage, weight: Value) -> PackedImage:
    """Gathered from [C, P, B] as [G, C·taps, P'/G, B]: long products in G parts.

    The weights' gradient likes them long.
    """
    tape, index, order = lowering.tape, windows(shape, image), row_major(shape.out)
    if shape.pooled:
        order = _pooling_order(shape)
    columns = _columns(tape, shape, image, index[:, order])
    turned = tape.op("Transpose", columns, perm=(0, 2, 1))
    y = tape.op("MatMul", turned, lowering.param(weight, _layout(shape)))
    return PackedImage(
        tape.reshape(y, shape.positions, shape.batch, shape.filters), order, shape.out
    )  # fmt: skip


def _layout(shape: ConvShape) -> Layout:
    onnx = (shape.filters, shape.channels, *shape.kernel)
    return Layout(onnx, onnx, (1, 2, 3, 0), (shape.channels * shape.taps, shape.filters))


def _columns(tape: Tape, shape: ConvShape, image: PackedImage, index: Order) -> Value:
    """The windows as [G, C·taps, P'/G·B]."""
    planes = tape.op("Transpose", image.value, perm=(2, 0, 1))
    planes = readable(tape, image, planes, index, axis=1)
    rows, parts = int(planes.shape[1]), _parts(shape)
    places = np.arange(shape.channels)[:, None, None] * rows + index
    places = places.reshape(shape.channels * shape.taps, parts, -1).swapaxes(0, 1)
    flat = tape.reshape(planes, shape.channels * rows, shape.batch)
    gathered = gather(tape, flat, places.reshape(-1))
    return tape.reshape(gathered, parts, shape.channels * shape.taps, -1)


def _parts(shape: ConvShape) -> int:
    """How many parts of `_LONG` rows or more the positions can be cut into."""
    most = max(1, shape.positions * shape.batch // _LONG)
    return next(n for n in range(most, 0, -1) if shape.positions % n == 0)


def _pooling_order(shape: ConvShape) -> Order:
    """Positions as [half of the image, place in a 2×2 window, rest]: pooling needs no gather."""
    at = np.arange(shape.positions)
    row, column = at // shape.out[1], at % shape.out[1]
    lower_half = row >= shape.out[0] // 4 * 2
    return np.lexsort((at, row % 2 * 2 + column % 2, lower_half))
