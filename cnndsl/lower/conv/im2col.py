"""Any convolution without groups as one matrix product: all windows side by side (im2col)."""

import numpy as np

from cnndsl.graph.tape import Value
from cnndsl.lower.conv.table import GEMM, MOVE, ConvShape, algorithm
from cnndsl.lower.conv.windows import columns_layout, windows
from cnndsl.lower.driver import Lowering
from cnndsl.lower.packed_image import PackedImage, readable, row_major


def train_cost(shape: ConvShape) -> float:
    """Three products; five passes over the windows, six over input and output."""
    moved = 5 * shape.columns + 6 * shape.ends + 4 * shape.weights
    return 3 * shape.flops / GEMM + moved / MOVE


@algorithm("im2col", lambda shape: shape.groups == 1, train=train_cost)
def im2col(lowering: Lowering, shape: ConvShape, image: PackedImage, weight: Value) -> PackedImage:
    """All windows side by side, [B·P', taps·C], times the weights.

    Gathered from [B, P, C], where a window's taps are rows of C floats that land side by side.
    """
    tape, index = lowering.tape, windows(shape, image)
    by_batch = tape.op("Transpose", image.value, perm=(1, 0, 2))
    by_batch = readable(tape, image, by_batch, index, axis=1)
    flat_index = tape.const(index.T.reshape(-1).astype(np.int32))
    gathered = tape.op("Gather", by_batch, flat_index, axis=1)
    columns = tape.reshape(
        gathered, shape.batch * shape.positions, shape.taps * shape.channels
    )  # fmt: skip
    y = tape.op("Gemm", columns, lowering.param(weight, columns_layout(shape)))
    split = tape.reshape(y, shape.batch, shape.positions, shape.filters)
    value = tape.op("Transpose", split, perm=(1, 0, 2))
    return PackedImage(value, row_major(shape.out), shape.out)
