"""What Winograd's algorithms share: the transformed weights, and tiles that suit a pooling."""

import numpy as np

from cnndsl.graph.tape import Value
from cnndsl.lower.conv.bilinear import Matrix
from cnndsl.lower.conv.table import ConvShape
from cnndsl.lower.conv.windows import columns_layout
from cnndsl.lower.driver import Lowering
from cnndsl.lower.packed_image import Order


def transformed(lowering: Lowering, shape: ConvShape, weight: Value, matrix: Matrix) -> Value:
    """G·w, [places, C·O]: the weights of each place, written once for all micro-batches."""
    tape = lowering.tape

    def write() -> Value:
        columns = lowering.param(weight, columns_layout(shape))
        taps = tape.reshape(columns, shape.taps, -1)
        return tape.op("MatMul", tape.const(matrix.astype(np.dtype(weight.dtype))), taps)

    return lowering.once(weight, matrix.tobytes(), write)


def window_order(down: int, across: int) -> Order:
    """The outputs of a tile, 2×2 window by window: what follows may be a pooling."""
    at = np.arange(down * across)
    row, column = at // across, at % across
    return np.lexsort((column % 2, row % 2, column // 2, row // 2))
