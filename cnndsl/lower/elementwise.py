"""Elementwise operators in any layout: the order of positions does not matter to them."""

from dataclasses import replace
from math import prod

from cnndsl.graph.ops import with_trait
from cnndsl.graph.ops.base import Trait
from cnndsl.graph.tape import Node, Value
from cnndsl.lower.driver import Lowering, Representation, lowers, on_nchw
from cnndsl.lower.packed_image import PackedImage, reordered


@lowers(*with_trait(Trait.ELEMENTWISE))
def _elementwise(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    """As it is, on the layout of its largest image; the other operands are brought to that."""
    inputs = [v for v in node.inputs if v is not None]
    if not any(isinstance(lowering.representation(v), PackedImage) for v in inputs):
        return on_nchw(lowering, node)
    positions = [_positions(lowering, v) for v in node.inputs]
    largest = positions.index(max(positions))
    image = lowering.with_bias(node.inputs[largest])
    operands = [
        image.value if i == largest else _beside(lowering, value, image)
        for i, value in enumerate(node.inputs)
    ]
    return replace(image, value=lowering.tape.op(node.op, *operands, **node.attrs))


def _positions(lowering: Lowering, value: Value | None) -> int:
    """How many an image has, which is packed for that if it has more than one; else 0."""
    if value is None:
        return 0
    operand = lowering.representation(value)
    if isinstance(operand, PackedImage):
        return len(operand.order)
    is_large = len(operand.shape) == 4 and prod(int(d) for d in operand.shape[2:]) > 1
    return len(lowering.packed(value).order) if is_large else 0


def _beside(lowering: Lowering, value: Value | None, image: PackedImage) -> Value | None:
    """Another operand, so that it broadcasts against an image: same order, (1, B, C), (C,), ()."""
    if value is None:
        return None
    operand, tape = lowering.representation(value), lowering.tape
    if isinstance(operand, PackedImage):
        other = lowering.with_bias(value)
        return other.value if len(other.order) == 1 else reordered(tape, other, image.order).value
    shape = tuple(int(d) for d in operand.shape)
    if len(shape) == 4 and shape[2:] == (1, 1):
        return tape.reshape(operand, 1, shape[0], shape[1])
    if len(shape) == 3 and shape[1:] == (1, 1):
        return tape.reshape(operand, shape[0])
    return operand if not shape else reordered(tape, lowering.with_bias(value), image.order).value


@lowers("Concat")
def _concat(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    if node.attrs["axis"] != 1 or not all(lowering.is_image(v) for v in node.inputs):
        return on_nchw(lowering, node)
    images = [lowering.with_bias(v) for v in node.inputs]
    first = images[0]
    values = [reordered(lowering.tape, image, first.order).value for image in images]
    return replace(first, value=lowering.tape.op("Concat", *values, axis=2))


@lowers("Flatten")
def _flatten(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    image = lowering.representation(node.inputs[0])
    if isinstance(image, PackedImage) and len(image.order) == 1:
        flat = lowering.with_bias(node.inputs[0]).value
        return lowering.tape.reshape(flat, image.batch, image.channels)
    return on_nchw(lowering, node)
