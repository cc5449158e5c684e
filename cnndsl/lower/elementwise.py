"""Elementwise operators in any layout: the order of positions does not matter to them."""

from dataclasses import replace
from math import prod

from cnndsl.graph.ops import with_trait
from cnndsl.graph.ops.base import Trait
from cnndsl.graph.tape import Node, Value
from cnndsl.lower.driver import Form, Lowering, as_plain, lowers
from cnndsl.lower.laid import Laid, arranged


@lowers(*with_trait(Trait.ELEMENTWISE))
def _elementwise(lo: Lowering, node: Node) -> "Form | list[Form]":
    """As it is, on the layout of its largest image; the other operands are brought to that."""
    if not any(isinstance(lo.form(v), Laid) for v in node.inputs if v is not None):
        return as_plain(lo, node)
    forms = [None if v is None else _laid_if_large(lo, v, lo.form(v)) for v in node.inputs]
    whole = max(range(len(forms)), key=lambda i: _positions(forms[i]))
    x = lo.settled(node.inputs[whole])
    operands = [
        x.value if i == whole else _beside(lo, value, x) for i, value in enumerate(node.inputs)
    ]
    return replace(x, value=lo.tape.op(node.op, *operands, **node.attrs))


def _laid_if_large(lo: Lowering, value: Value, form: Form) -> Form:
    """An image that is not laid yet, as such: it may be larger than the one that is."""
    if isinstance(form, Laid) or len(form.shape) != 4:
        return form
    return lo.laid(value) if prod(int(d) for d in form.shape[2:]) > 1 else form


def _positions(form: Form | None) -> int:
    return len(form.order) if isinstance(form, Laid) else 0


def _beside(lo: Lowering, value: Value | None, x: Laid) -> Value | None:
    """Another operand, so that it broadcasts against x: same order, or (1, B, C), (C,), ()."""
    if value is None:
        return None
    form = lo.form(value)
    if isinstance(form, Laid):
        form = lo.settled(value)
        return form.value if len(form.order) == 1 else arranged(lo.tape, form, x.order).value
    shape = tuple(int(d) for d in form.shape)
    if len(shape) == 4 and shape[2:] == (1, 1):
        return lo.tape.reshape(form, 1, shape[0], shape[1])
    if len(shape) == 3 and shape[1:] == (1, 1):
        return lo.tape.reshape(form, shape[0])
    return form if not shape else arranged(lo.tape, lo.settled(value), x.order).value


@lowers("Concat")
def _concat(lo: Lowering, node: Node) -> "Form | list[Form]":
    if node.attrs["axis"] != 1 or not all(lo.is_image(v) for v in node.inputs):
        return as_plain(lo, node)
    images = [lo.settled(v) for v in node.inputs]
    first = images[0]
    values = [arranged(lo.tape, image, first.order).value for image in images]
    return replace(first, value=lo.tape.op("Concat", *values, axis=2))


@lowers("Flatten")
def _flatten(lo: Lowering, node: Node) -> "Form | list[Form]":
    x = lo.form(node.inputs[0])
    if isinstance(x, Laid) and len(x.order) == 1:
        return lo.tape.reshape(lo.settled(node.inputs[0]).value, x.batch, x.channels)
    return as_plain(lo, node)
