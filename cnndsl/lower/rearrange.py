"""What moves channels and pixels, on packed images: depth to space, borders, channels cut out."""

from dataclasses import replace

import numpy as np

from cnndsl.graph.tape import Node
from cnndsl.lower.driver import Lowering, Representation, lowers, on_nchw
from cnndsl.lower.packed_image import PackedImage, gather, row_major


@lowers("DepthToSpace")
def _depth_to_space(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    """[P, B, c·r²] to [P·r², B, c]: the parts of each square one behind the other."""
    tape, image = lowering.tape, lowering.with_bias(node.inputs[0])
    side: int = node.attrs["blocksize"]
    area, pixels, (height, width) = side * side, len(image.order), image.size
    channels = image.channels // area
    is_crd = node.attrs["mode"] == "CRD"
    split = (channels, area) if is_crd else (area, channels)
    parts = tape.reshape(image.value, pixels, image.batch, *split)
    turned = tape.op("Transpose", parts, perm=(0, 3, 1, 2) if is_crd else (0, 2, 1, 3))
    part = np.arange(area)[None]
    rows = image.order[:, None] // width * side + part // side
    columns = image.order[:, None] % width * side + part % side
    order = (rows * width * side + columns).reshape(-1)
    value = tape.reshape(turned, pixels * area, image.batch, channels)
    return PackedImage(value, order, (height * side, width * side))


@lowers("Pad")
def _pad(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    """Borders that repeat the image are a gather; others are written on ONNX's own layout."""
    mode = node.attrs.get("mode", "constant")
    if mode == "constant" or not lowering.is_image(node.inputs[0]):
        return on_nchw(lowering, node)
    image, pads = lowering.with_bias(node.inputs[0]), node.inputs[1]
    assert pads is not None
    _, _, top, left, _, _, bottom, right = lowering.tape.consts[pads].tolist()
    grid = np.arange(image.size[0] * image.size[1]).reshape(image.size)
    pixels = np.pad(grid, ((top, bottom), (left, right)), mode)
    value = gather(lowering.tape, image.value, image.slots()[pixels.reshape(-1)])
    size = (pixels.shape[0], pixels.shape[1])
    return PackedImage(value, row_major(size), size)


@lowers("Slice")
def _slice(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    """Channels are the last axis; height and width are cut on ONNX's own layout."""
    operand, axes = lowering.representation(node.inputs[0]), node.inputs[3]
    assert axes is not None
    if not isinstance(operand, PackedImage) or lowering.tape.consts[axes].tolist() != [1]:
        return on_nchw(lowering, node)
    image, tape = lowering.with_bias(node.inputs[0]), lowering.tape
    starts, ends = (lowering.nchw(v) for v in node.inputs[1:3])
    return replace(image, value=tape.op("Slice", image.value, starts, ends, tape.ints([2])))
