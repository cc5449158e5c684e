"""im2col for each group of a grouped convolution."""

from cnndsl.graph.tape import Value
from cnndsl.lower.conv.table import GEMM, MOVE, ConvShape, algorithm
from cnndsl.lower.conv.windows import windows
from cnndsl.lower.driver import Lowering
from cnndsl.lower.layout import Layout
from cnndsl.lower.packed_image import PackedImage, gather, readable, row_major


def _applies(shape: ConvShape) -> bool:
    return shape.groups > 1 and not shape.is_depthwise


def _cost(shape: ConvShape) -> float:
    return 6 * shape.flops / GEMM + 8 * shape.columns / MOVE


@algorithm("im2col-grouped", _applies, train=_cost)
def grouped(lowering: Lowering, shape: ConvShape, image: PackedImage, weight: Value) -> PackedImage:
    """[G, P'·B, taps·C/G] times [G, taps·C/G, O/G]."""
    tape, groups = lowering.tape, shape.groups
    each, filters = shape.channels // groups, shape.filters // groups
    layout = Layout(
        (shape.filters, each, *shape.kernel), (groups, filters, each, *shape.kernel),
        (0, 3, 4, 2, 1), (groups, shape.taps * each, filters),
    )  # fmt: skip
    index = windows(shape, image)
    source = readable(tape, image, image.value, index)
    rows = gather(tape, source, index.reshape(-1))
    count = shape.positions * shape.batch
    split = tape.reshape(rows, shape.taps, count, groups, each)
    turned = tape.op("Transpose", split, perm=(2, 1, 0, 3))
    columns = tape.reshape(turned, groups, count, shape.taps * each)
    y = tape.op("MatMul", columns, lowering.param(weight, layout))
    back = tape.op("Transpose", y, perm=(1, 0, 2))
    value = tape.reshape(back, shape.positions, shape.batch, shape.filters)
    return PackedImage(value, row_major(shape.out), shape.out)
