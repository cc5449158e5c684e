"""Depthwise convolution: each tap's rows times the tap's weights, summed."""

from cnndsl.graph.tape import Value
from cnndsl.lower.conv.table import MOVE, ConvShape, algorithm
from cnndsl.lower.conv.windows import windows
from cnndsl.lower.driver import Lowering
from cnndsl.lower.layout import Layout
from cnndsl.lower.packed_image import PackedImage, gather, readable, row_major


@algorithm(
    "depthwise", lambda shape: shape.is_depthwise,
    train=lambda shape: 12 * shape.flops / MOVE + 1,
)  # fmt: skip
def depthwise(
    lowering: Lowering, shape: ConvShape, image: PackedImage, weight: Value
) -> PackedImage:
    """Σ over taps of [P', taps, B, C] times [taps, 1, C]."""
    tape, onnx = lowering.tape, (shape.filters, 1, *shape.kernel)
    layout = Layout(onnx, onnx, (2, 3, 1, 0), (shape.taps, 1, shape.filters))
    index = windows(shape, image)
    source = readable(tape, image, image.value, index)
    rows = gather(tape, source, index.T.reshape(-1))
    taps = tape.reshape(rows, shape.positions, shape.taps, shape.batch, shape.channels)
    weighted = tape.op("Mul", taps, lowering.param(weight, layout))
    y = tape.op("ReduceSum", weighted, tape.ints([1]), keepdims=0)
    return PackedImage(y, row_major(shape.out), shape.out)
