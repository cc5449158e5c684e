"""Summaries, diagnostics and training as HTML for notebooks: self-contained, dark or light."""

from base64 import b64encode
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from cnndsl.report.costs import Costs, Row
from cnndsl.report.diagnostics import full
from cnndsl.report.units import mib, short
from cnndsl.results import Table
from cnndsl.shapes import show
from cnndsl.source import Diagnostic, counted
from cnndsl.style import PLAIN

_CELL = "padding:2px 10px;text-align:right;white-space:nowrap"
_COLORS = {"params": "#2a9fb5", "macs": "#b5489a", "memory": "#5476c4"}


class Findings(list[Diagnostic]):
    """A list of diagnostics that a notebook shows as `cnndsl check` does."""

    def __str__(self) -> str:
        return full(self, PLAIN)

    def _repr_html_(self) -> str:
        return findings_html(self)


class History(list[dict[str, Any]]):
    """A row an epoch, shown as a table, in a notebook with its curves; `folder` is the run's."""

    def __init__(self, rows: Iterable[dict[str, Any]] = (), folder: Path = Path()) -> None:
        super().__init__(rows)
        self.folder = folder

    def __repr__(self) -> str:
        heads = tuple(self[0]) if self else ()
        return str(Table("", heads, tuple(tuple(f"{v:.6g}" for v in row.values()) for row in self)))

    def _repr_html_(self) -> str:
        return _curves(self) + _epochs(self)


def _curves(rows: list[dict[str, Any]]) -> str:
    from cnndsl.plot import curves

    if not rows or not curves.available():
        return ""
    picture = b64encode(curves.curves_png(rows)).decode()
    source = f"data:image/png;base64,{picture}"
    return f'<img alt="loss and metrics" style="max-width:100%" src="{source}">'


def _epochs(rows: list[dict[str, Any]]) -> str:
    """The table; seconds and rates as they were measured."""
    heads = list(rows[0]) if rows else []
    head = "".join(f'<th style="{_CELL}">{escape(h)}</th>' for h in heads)
    cells = ("".join(f'<td style="{_CELL}">{row[h]:.6g}</td>' for h in heads) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f'<table style="font-size:13px"><tr>{head}</tr>{body}</table>'


def findings_html(found: list[Diagnostic]) -> str:
    """Each diagnostic with its line, carets, notes and help; its edge tells its severity."""
    if not found:
        return "<div>no mistakes</div>"
    return "".join(
        f'<pre style="border-left:4px solid {"#d33" if d.severity == "error" else "#d90"};'
        f'padding:4px 12px;margin:6px 0;line-height:1.35;font-family:monospace">'
        f"{escape(full([d], PLAIN))}</pre>"
        for d in found
    )


def summary_html(summary: Costs) -> str:
    """A table with bars behind the costs, and the totals."""
    most = {name: max((getattr(r, name) for r in summary.rows), default=0) for name in _COLORS}
    heads = ("path", "layer", "output", "params", "MACs", "memory", "sees", "line")
    head = "".join(f'<th style="{_align(h)}">{h}</th>' for h in heads)
    rows = "".join(_row(row, most) for row in summary.rows)
    model = summary.model
    totals = (
        f"{counted(model.params, 'parameter')} · {short(model.macs)} MACs · "
        f"{mib(summary.weight_bytes)} of weights · "
        f"{mib(summary.activation_bytes)} of activations a sample"
    )
    return (
        f"<div><b>{escape(model.name)}</b> {show(model.input)} → {_outputs(summary)}</div>"
        f'<table style="border-collapse:collapse;font-size:13px"><tr>{head}</tr>{rows}</table>'
        f"<div>{totals}</div>"
    )


def _outputs(summary: Costs) -> str:
    return ", ".join(map(show, summary.model.output_shapes().values()))


def _align(head: str) -> str:
    left = head in ("path", "layer", "output")
    return _CELL.replace("right", "left") if left else _CELL


def _row(row: Row, most: dict[str, int]) -> str:
    texts = [row.path, row.text, show(row.output)]
    left = "".join(f'<td style="{_align("path")}">{escape(text)}</td>' for text in texts)
    costs = f"{row.params:,}", short(row.macs), mib(row.memory)
    bars = "".join(
        _bar(text, getattr(row, name), most[name], color)
        for text, (name, color) in zip(costs, _COLORS.items(), strict=True)
    )
    rest = show(row.receptive_field), row.line
    right = "".join(f'<td style="{_CELL}">{text}</td>' for text in rest)
    return f"<tr>{left}{bars}{right}</tr>"


def _bar(text: str, part: int, whole: int, color: str) -> str:
    """A number on a bar that is as long as its share of the largest."""
    share = 100 * part / whole if whole else 0
    paint = f"background:linear-gradient(to left,{color}55 {share:.1f}%,transparent 0)"
    return f'<td style="{_CELL};{paint}">{text}</td>'
