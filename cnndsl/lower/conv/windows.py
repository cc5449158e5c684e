"""What algorithms on gathered windows share: the index of the windows, the layout of weights."""

from cnndsl.lower.conv.table import ConvShape
from cnndsl.lower.layout import Layout
from cnndsl.lower.packed_image import Order, PackedImage, window_slots


def windows(shape: ConvShape, image: PackedImage) -> Order:
    """[taps, positions]: the slot that each tap of each window reads; P where it is outside."""
    return window_slots(
        image, shape.kernel, shape.stride, shape.dilation, shape.start, shape.out
    )  # fmt: skip


def columns_layout(shape: ConvShape) -> Layout:
    """O×C×kh×kw to [kh·kw·C, O]: what im2col, 1×1 and Winograd share; C of a group."""
    each = shape.channels // shape.groups
    onnx = (shape.filters, each, *shape.kernel)
    return Layout(onnx, onnx, (2, 3, 1, 0), (shape.taps * each, shape.filters))
