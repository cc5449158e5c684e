"""The summary of a model: its costs, with the forms in which they are shown."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from math import prod

from cnndsl.fields import specs
from cnndsl.fmt.unroll import item
from cnndsl.ir import Model, Node
from cnndsl.layers.activation import Activation
from cnndsl.learned import frozen
from cnndsl.passes.receptive import receptive_fields
from cnndsl.report.costs import Costs, Row
from cnndsl.report.html import summary_html
from cnndsl.report.table import table
from cnndsl.report.units import in_macs
from cnndsl.shapes import show
from cnndsl.source import counted


@dataclass(frozen=True)
class Summary(Costs):
    """The costs of a model, which print themselves as `cnndsl summary` does."""

    def _repr_html_(self) -> str:
        return summary_html(self)

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=100, color_system=None)
        with console.capture() as captured:
            console.print(table(self))
        return captured.get()


def summarise(model: Model) -> Summary:
    """The rows of a model."""
    rows, held = list[Row](), frozen(model, model.recipe) if model.recipe else frozenset[str]()
    learning = {name for name, p in model.tensors().items() if p.learned and name not in held}
    for node, field in zip(model.nodes[1:], receptive_fields(model)[1:], strict=True):
        if rows and _folds(node):
            rows[-1] = replace(
                rows[-1],
                activation=node.layer.word,
                text=f"{rows[-1].text} {_text(node)}",
                receptive_field=field,
                memory=rows[-1].memory + 4 * prod(node.shape),
            )
        else:
            rows.append(_row(node, field, learning))
    return Summary(model, tuple(rows))


def _folds(node: Node) -> bool:
    return node.follows and isinstance(node.layer, Activation) and not node.params


def _row(node: Node, field: tuple[int, ...], learning: Collection[str]) -> Row:
    return Row(
        node.path, node.layer.word, _text(node), node.shape, node.size, node.statistics,
        node.macs, field, node.line, 4 * prod(node.shape), calls=node.stack,
        learned=sum(prod(p.shape) for p in node.params if f"{node.path}.{p.name}" in learning),
    )  # fmt: skip


_LITERAL = re.compile(r"[\d.xe+-]+")


def _text(node: Node) -> str:
    """The word as it is written, with values in the place of what computes them: `/2`, `64`."""
    text, start = node.span.text, node.span.start
    fields = {spec.name: spec for spec in specs(type(node.layer))}
    places = sorted(node.places.items(), key=lambda item: item[1].start, reverse=True)
    for name, span in places:
        spec = fields[name]
        if not node.span.holds(span) or spec.role == "word" or _is_literal(span.text):
            continue
        value = item(spec, getattr(node.layer, name))
        value = value if "=" in span.text else value.rpartition("=")[2]
        text = text[: span.start - start] + value + text[span.end - start :]
    return " ".join(text.split())


def _is_literal(text: str) -> bool:
    """Whether a value is written as it is: `64`, `3x3`, `/2`, `eps=1e-3`."""
    return bool(_LITERAL.fullmatch(text.rpartition("=")[2].removeprefix("/")))


def one_line(model: Model, file: str) -> str:
    """What `check` prints on success."""
    outputs = " · ".join(show(s) for s in model.output_shapes().values())
    return (
        f"{file}: ok · {counted(model.params, 'parameter')} · {in_macs(model.macs)} · "
        f"{show(model.input)} → {outputs}"
    )
