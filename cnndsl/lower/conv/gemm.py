"""1×1 convolutions: one matrix product over all positions."""

import numpy as np

from cnndsl.graph.tape import Value
from cnndsl.lower.conv.table import GEMM, PRODUCT, ConvShape, algorithm
from cnndsl.lower.conv.windows import columns_layout, windows
from cnndsl.lower.driver import Lowering
from cnndsl.lower.packed_image import PackedImage, gather


def _applies(shape: ConvShape) -> bool:
    return shape.taps == 1 and shape.groups == 1 and shape.start == (0, 0)


@algorithm(
    "gemm", _applies, train=lambda shape: 3 * shape.flops / GEMM,
    infer=lambda shape: shape.flops / PRODUCT,
)  # fmt: skip
def pointwise(
    lowering: Lowering, shape: ConvShape, image: PackedImage, weight: Value
) -> PackedImage:
    """One product; a stride first gathers the positions that are read."""
    tape, rows, order = lowering.tape, image.value, image.order
    if shape.stride != (1, 1) or shape.out != shape.size:
        slots = windows(shape, image)[0]
        order = np.argsort(slots, kind="stable")
        rows = gather(tape, image.value, slots[order])
    flat = tape.reshape(rows, len(order) * shape.batch, shape.channels)
    y = tape.op("Gemm", flat, lowering.param(weight, columns_layout(shape)))
    return PackedImage(
        tape.reshape(y, len(order), shape.batch, shape.filters), order, shape.out
    )  # fmt: skip
