"""The summary as a table for terminals: colours, and bars where there is room for them."""

from typing import TYPE_CHECKING, Any

from cnndsl.report.units import mib, short
from cnndsl.shapes import show

if TYPE_CHECKING:
    from rich.table import Table

    from cnndsl.report.summary import Row, Summary

ROOMY = 110  # columns from which bars fit
_WIDTH = 8  # columns of a bar
_COSTS = (("params", "cyan"), ("macs", "magenta"), ("memory", "blue"))


def table(summary: "Summary", bars: bool = False) -> "Table":
    """A row a layer; with `bars`, where parameters, MACs and memory are."""
    from rich.table import Table
    from rich.text import Text

    out = Table(
        title=Text(summary.model.name), caption=Text(_caption(summary)), caption_justify="left"
    )
    for title in ("path", "layer", "output"):
        out.add_column(title, overflow="fold")
    for title in ("params", "MACs", *(["memory"] if bars else []), "sees", "line"):
        out.add_column(title, justify="right", no_wrap=True)
    first = str(summary.model.nodes[0].line)
    skipped = [""] * (4 if bars else 3)
    out.add_row("input", "", show(summary.model.input), *skipped, first)
    most = {name: max((getattr(r, name) for r in summary.rows), default=0) for name, _ in _COSTS}
    for row in summary.rows:
        style = None if row.params else "dim"
        out.add_row(*_cells(row, most, bars), style=style)
    return out


def _cells(row: "Row", most: dict[str, int], bars: bool) -> list[Any]:
    from rich.text import Text

    costs = [f"{row.params:,}", short(row.macs) if row.macs else "0"]
    costs += [mib(row.memory)] if bars else []
    shown = [Text(text) for text in costs]
    for (name, color), cell in zip(_COSTS if bars else (), shown, strict=False):
        cell.append(" " + bar(getattr(row, name), most[name]), style=f"not dim {color}")
    return [
        Text(row.path), Text(row.text), show(row.output), *shown,
        show(row.receptive_field), str(row.line),
    ]  # fmt: skip


def bar(part: int, whole: int) -> str:
    """A share of the largest, in halves of a column; nothing is shorter than something."""
    halves = max(round(2 * _WIDTH * part / whole), 1 if part else 0) if whole else 0
    return ("━" * (halves // 2) + "╸" * (halves % 2)).ljust(_WIDTH, "·")


def _caption(summary: "Summary") -> str:
    model = summary.model
    outputs = ", ".join(f"{name} {show(s)}" for name, s in model.output_shapes().items())
    lines = [
        f"outputs      {outputs}",
        f"parameters   {model.params:,}"
        + (f" (and {model.statistics:,} running statistics)" if model.statistics else ""),
        f"MACs         {short(model.macs)} a sample",
        f"memory       {mib(summary.weight_bytes)} of weights, "
        f"{mib(summary.activation_bytes)} of activations a sample (float32)",
    ]
    return "\n".join(lines)
