"""The same network for another number of classes: a change of its last layers' text."""

from collections.abc import Iterator
from dataclasses import replace

from cnndsl.edits import apply
from cnndsl.ir import Model
from cnndsl.passes.analyse import analyse
from cnndsl.source import Failed, Fix, UserError


def output_fixes(model: Model, count: int) -> Iterator[Fix]:
    """The number of units, or of channels, in each layer that gives an output."""
    spans = {
        span
        for node in model.nodes
        if node.path in model.heads
        for name, span in node.places.items()
        if name in ("units", "filters")
    }
    for span in spans:
        yield Fix(span, str(count), "another number of classes")


def with_outputs(model: Model, count: int) -> Model:
    """The model with so many outputs. UserError where its text does not give the number."""
    text, _ = apply(model.source, output_fixes(model, count))
    source = replace(model.source, text=text)
    changed, found = analyse(source, model.settings)
    if changed is None:
        raise Failed(found)
    if any(shape[0] != count for shape in changed.output_shapes().values()):
        hint = "end the spec with `dense N`, N the number of classes"
        raise UserError(f"{model.name}: the last layer does not take {count} classes\n  {hint}")
    return replace(changed, name=model.name)
