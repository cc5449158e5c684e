"""The summary: what each layer gives and costs, as rows and as JSON."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal

from cnndsl.fields import specs
from cnndsl.fmt.unroll import item
from cnndsl.ir import Frame, Model, Node
from cnndsl.layers.activation import Activation
from cnndsl.passes.receptive import receptive_fields
from cnndsl.report.units import in_macs
from cnndsl.shapes import Shape, show

By = Literal["layer", "block", "type"]
Cost = Literal["params", "macs", "memory"]


@dataclass(frozen=True)
class Row:
    """One layer; activations in the same statement are folded into it, as in Keras's table."""

    path: str
    type: str
    text: str
    output: Shape
    params: int
    statistics: int
    macs: int
    receptive_field: tuple[int, ...]
    line: int
    memory: int
    """Bytes of the outputs that training keeps of one sample, float32."""
    activation: str | None = None
    calls: tuple[Frame, ...] = ()
    """The block calls on the way to the layer, the outermost first."""
    count: int = 1
    """How many layers the row stands for."""


@dataclass(frozen=True)
class Summary:
    """Everything that `cnndsl summary` prints."""

    model: Model
    rows: tuple[Row, ...]
    kind: By = "layer"

    @property
    def weight_bytes(self) -> int:
        """float32 weights and statistics."""
        return 4 * (self.model.params + self.model.statistics)

    @property
    def activation_bytes(self) -> int:
        """float32 outputs of all layers, for one sample: what training keeps."""
        return 4 * sum(prod(node.shape) for node in self.model.nodes)

    def as_dict(self) -> dict[str, Any]:
        """The JSON form (docs/cli.md)."""
        model = self.model
        return {
            "schema_version": 1,
            "model": model.name,
            "input": list(model.input),
            "outputs": {name: list(s) for name, s in model.output_shapes().items()},
            "params": {"total": model.params, "statistics": model.statistics},
            "macs": model.macs,
            "memory": {"weights": self.weight_bytes, "activations": self.activation_bytes},
            "layers": [_row_dict(row) for row in self.rows],
        }

    def at_depth(self, depth: int) -> "Summary":
        """Blocks below a depth as one row each, at the line of the call."""
        shown = self._merged(lambda row: ".".join(row.path.split(".")[:depth]))
        rows = tuple(_called(row, depth) if row.count > 1 else row for row in shown.rows)
        return replace(shown, rows=rows)

    def by(self, what: By) -> "Summary":
        """A row for each layer, for each block at the top, or for each type of layer."""
        if what == "layer":
            return self
        merged = self.at_depth(1) if what == "block" else self._merged(lambda row: row.type)
        return replace(merged, kind=what)

    def _merged(self, key_of: Callable[[Row], str]) -> "Summary":
        """Rows of equal keys as one, under that name."""
        merged: dict[str, Row] = {}
        for row in self.rows:
            key = key_of(row)
            merged[key] = _joined(merged.get(key), row, key)
        return replace(self, rows=tuple(merged.values()))

    def sorted_by(self, cost: Cost) -> "Summary":
        """The most expensive rows first."""
        rows = sorted(self.rows, key=lambda row: getattr(row, cost), reverse=True)
        return replace(self, rows=tuple(rows))

    def _repr_html_(self) -> str:
        from cnndsl.report.html import summary_html

        return summary_html(self)

    def __str__(self) -> str:
        from rich.console import Console

        from cnndsl.report.table import table

        console = Console(width=100, color_system=None)
        with console.capture() as captured:
            console.print(table(self))
        return captured.get()


def summarise(model: Model) -> Summary:
    """The rows of a model."""
    rows = list[Row]()
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
            rows.append(_row(node, field))
    return Summary(model, tuple(rows))


def _folds(node: Node) -> bool:
    return node.follows and isinstance(node.layer, Activation) and not node.params


def _row(node: Node, field: tuple[int, ...]) -> Row:
    return Row(
        node.path, node.layer.word, _text(node), node.shape, node.size, node.statistics,
        node.macs, field, node.line, 4 * prod(node.shape), calls=node.stack,
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


def _row_dict(row: Row) -> dict[str, Any]:
    shown = {"path": row.path, "type": row.type, "output": list(row.output)}
    shown |= {"params": row.params, "statistics": row.statistics, "macs": row.macs}
    shown |= {"memory": row.memory}
    shown |= {"receptive_field": list(row.receptive_field), "line": row.line}
    return {**shown, "activation": row.activation}


def _joined(before: Row | None, row: Row, path: str) -> Row:
    if before is None:
        is_whole = path == row.path
        return row if is_whole else replace(row, path=path, type=path, text="", activation=None)
    return replace(
        row,
        path=path,
        type=before.type,
        text=before.text,
        params=before.params + row.params,
        statistics=before.statistics + row.statistics,
        macs=before.macs + row.macs,
        memory=before.memory + row.memory,
        line=before.line,
        calls=before.calls,
        count=before.count + row.count,
    )


def _called(row: Row, depth: int) -> Row:
    """A row of a block as its call: `basic(c=64, stride=1)`, at the call's line."""
    frames = row.calls[:depth]
    return replace(row, text=frames[-1].call, line=frames[-1].span.line) if frames else row


def one_line(model: Model, file: str) -> str:
    """What `check` prints on success."""
    outputs = " · ".join(show(s) for s in model.output_shapes().values())
    return (
        f"{file}: ok · {model.params:,} parameters · {in_macs(model.macs)} · "
        f"{show(model.input)} → {outputs}"
    )
