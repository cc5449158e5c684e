"""What each layer gives and costs, as rows: merged, sorted, and as JSON."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal, Self

from cnndsl.ir import Frame, Model
from cnndsl.learned import learned_in
from cnndsl.shapes import Shape

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
    learned: int = 0
    """Parameters that learn in the first epoch: without those that the recipe freezes."""


@dataclass(frozen=True)
class Costs:
    """The rows of a model, one a layer unless merged."""

    model: Model
    rows: tuple[Row, ...]
    kind: By = "layer"

    @property
    def weight_bytes(self) -> int:
        """float32 weights and statistics."""
        return 4 * (self.model.params + self.model.statistics)

    @property
    def freezes(self) -> bool:
        """Whether the spec's recipe freezes layers."""
        return bool(self.model.recipe and self.model.recipe.freeze)

    @property
    def learned(self) -> int:
        """Parameters that learn in the first epoch."""
        return learned_in(self.model, 0)

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
            "params": {
                "total": model.params,
                "learned": self.learned,
                "statistics": model.statistics,
            },
            "macs": model.macs,
            "memory": {"weights": self.weight_bytes, "activations": self.activation_bytes},
            "layers": [_row_dict(row) for row in self.rows],
        }

    def at_depth(self, depth: int) -> Self:
        """Blocks below a depth as one row each, at the line of the call."""
        shown = self._merged(lambda row: ".".join(row.path.split(".")[:depth]))
        rows = tuple(_called(row, depth) if row.count > 1 else row for row in shown.rows)
        return replace(shown, rows=rows)

    def by(self, what: By) -> Self:
        """A row for each layer, for each block at the top, or for each type of layer."""
        if what == "layer":
            return self
        merged = self.at_depth(1) if what == "block" else self._merged(lambda row: row.type)
        return replace(merged, kind=what)

    def _merged(self, key_of: Callable[[Row], str]) -> Self:
        """Rows of equal keys as one, under that name."""
        merged: dict[str, Row] = {}
        for row in self.rows:
            key = key_of(row)
            merged[key] = _joined(merged.get(key), row, key)
        return replace(self, rows=tuple(merged.values()))

    def sorted_by(self, cost: Cost) -> Self:
        """The most expensive rows first."""
        rows = sorted(self.rows, key=lambda row: getattr(row, cost), reverse=True)
        return replace(self, rows=tuple(rows))


def _row_dict(row: Row) -> dict[str, Any]:
    shown = {"path": row.path, "type": row.type, "output": list(row.output)}
    shown |= {
        "params": row.params,
        "learned": row.learned,
        "statistics": row.statistics,
        "macs": row.macs,
    }
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
        learned=before.learned + row.learned,
        memory=before.memory + row.memory,
        line=before.line,
        calls=before.calls,
        count=before.count + row.count,
    )


def _called(row: Row, depth: int) -> Row:
    """A row of a block as its call: `basic(c=64, stride=1)`, at the call's line."""
    frames = row.calls[:depth]
    return replace(row, text=frames[-1].call, line=frames[-1].span.line) if frames else row
