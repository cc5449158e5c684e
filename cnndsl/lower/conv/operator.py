"""The lowering of ONNX's Conv: its sizes are read, an algorithm is chosen, a bias is put off."""

from dataclasses import replace

from cnndsl.graph.tape import Node
from cnndsl.lower.conv.table import ConvShape, choose
from cnndsl.lower.driver import Lowering, Representation, lowers, on_nchw
from cnndsl.shapes import window_2d


@lowers("Conv")
def _conv(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    shape = conv_shape(lowering, node)
    chosen = choose(lowering, node.path, shape)
    lowering.chosen[node.path] = chosen.name
    if lowering.phase == "infer" and chosen.name == "direct":
        return on_nchw(lowering, node)
    weight = node.inputs[1]
    assert weight is not None
    image = chosen.emit(lowering, shape, lowering.with_bias(node.inputs[0]), weight)
    bias = lowering.nchw(node.inputs[2]) if len(node.inputs) > 2 else None
    return replace(image, bias=bias)


def conv_shape(lowering: Lowering, node: Node) -> ConvShape:
    """The sizes of a Conv node."""
    x, weight = node.inputs[0], node.inputs[1]
    assert x is not None
    assert weight is not None
    batch, channels, height, width = (int(d) for d in x.shape)
    a, pads = node.attrs, node.attrs["pads"]
    kernel = (int(weight.shape[2]), int(weight.shape[3]))
    out = window_2d((height, width), kernel, a["strides"], pads, a["dilations"])
    return ConvShape(
        batch, channels, (height, width), int(weight.shape[0]), out, kernel, a["strides"],
        a["dilations"], (-pads[0], -pads[1]), a["group"],
        first=x not in lowering.learned, pooled=_is_pooled(lowering, node),
    )  # fmt: skip


def _is_pooled(lowering: Lowering, node: Node) -> bool:
    """Whether a max-pool reads the output, perhaps behind a norm."""
    readers = lowering.readers[node.outputs[0]]
    while len(readers) == 1 and readers[0].op.endswith("BatchNormalization"):
        at = readers[0].inputs.index(node.outputs[0])
        node = readers[0]
        readers = lowering.readers[node.outputs[at]]
    return len(readers) == 1 and readers[0].op == "MaxPool"
