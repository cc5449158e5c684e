"""ONNX's own Conv, between two changes of layout."""

from cnndsl.graph.tape import Value
from cnndsl.lower.conv.table import CONV, GEMM, WEIGHTS, ConvShape, algorithm
from cnndsl.lower.driver import Lowering
from cnndsl.lower.layout import onnx_layout
from cnndsl.lower.packed_image import PackedImage, nchw, pack


def _train_cost(shape: ConvShape) -> float:
    """onnxruntime's Conv of weights that are no constants is slow, of many groups hopeless."""
    return (12 if shape.groups == 1 else 400) * shape.flops / GEMM + 1


def _infer_cost(shape: ConvShape) -> float:
    """Constant weights in blocks of channels; groups that fill no block are slow."""
    each = shape.channels // shape.groups
    blocked = shape.groups == 1 or shape.is_depthwise or each % 16 == 0
    return (1 if blocked else 5) * shape.flops / CONV + shape.weights / WEIGHTS


@algorithm("direct", lambda shape: True, train=_train_cost, infer=_infer_cost)
def direct(lowering: Lowering, shape: ConvShape, image: PackedImage, weight: Value) -> PackedImage:
    """Conv as it is, on N×C×H×W."""
    tape = lowering.tape
    layout = onnx_layout((shape.filters, shape.channels // shape.groups, *shape.kernel))
    weights, ends = lowering.param(weight, layout), [_end(shape, i) for i in range(2)]
    y = tape.op(
        "Conv", nchw(tape, image), weights, kernel_shape=shape.kernel, strides=shape.stride,
        dilations=shape.dilation, pads=(-shape.start[0], -shape.start[1], *ends),
        group=shape.groups,
    )  # fmt: skip
    return pack(tape, y)


def _end(shape: ConvShape, axis: int) -> int:
    """The padding behind the image along an axis."""
    last = (shape.out[axis] - 1) * shape.stride[axis] + shape.start[axis]
    read = last + (shape.kernel[axis] - 1) * shape.dilation[axis] + 1
    return max(0, read - shape.size[axis])
