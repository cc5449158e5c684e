"""What training in int8 asks of an image: its range, and its values rounded."""

from dataclasses import replace

from cnndsl.graph.tape import Node, Value
from cnndsl.lower.driver import Lowering, Representation, lowers
from cnndsl.lower.packed_image import PackedImage


@lowers("FakeQuantize", devices=("cpu", "cuda"))
def _fake_quantize(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    """In any layout: each value by itself."""
    x, tape = _values(lowering, node), lowering.tape
    grid = [lowering.nchw(v) for v in node.inputs[1:]]
    if isinstance(x, PackedImage):
        return replace(x, value=tape.op("FakeQuantize", x.value, *grid))
    return tape.op("FakeQuantize", x, *grid)


@lowers("Extremes", devices=("cpu", "cuda"))
def _extremes(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    """Of all values, in whatever order."""
    x = _values(lowering, node)
    return lowering.tape.op("Extremes", x.value if isinstance(x, PackedImage) else x)


def _values(lowering: Lowering, node: Node) -> "PackedImage | Value":
    """The first input as it is, a bias added."""
    x = node.inputs[0]
    return lowering.with_bias(x) if lowering.is_packed(x) else lowering.nchw(x)
