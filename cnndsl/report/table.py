"""The summary as a table for terminals: colours, and bars where there is room for them."""

from typing import TYPE_CHECKING, Any

from cnndsl.learned import learned_in, phases
from cnndsl.report.costs import Costs, Row
from cnndsl.report.units import mib, short
from cnndsl.shapes import show

if TYPE_CHECKING:
    from rich.table import Table

ROOMY = 110  # columns from which bars fit
_WIDTH = 8  # columns of a bar
_NARROWEST, _WIDEST = 60, 10_000
_LEFT = ("path", "layer", "output", "type")
_COSTS = (("params", "cyan"), ("macs", "magenta"), ("memory", "blue"))


def table(summary: Costs, bars: bool = False, width: int | None = None) -> "Table":
    """A row a layer; with `bars`, where parameters, MACs and memory are.

    Where the whole does not fit `width` columns, what is missed least is left out: how much of the
    image a layer sees, then its line.
    """
    from rich.console import Console

    shown = _table(summary, bars, ())
    for left_out in (("sees",), ("sees", "line")) if width else ():
        wide = Console(width=_WIDEST)
        if wide.measure(shown, options=wide.options).maximum <= (width or 0):
            break
        shown = _table(summary, bars, left_out)
    return shown


def _table(summary: Costs, bars: bool, left_out: tuple[str, ...]) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    out = Table(
        title=Text(summary.model.name), caption=Text(_caption(summary)), caption_justify="left",
        box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left", min_width=_NARROWEST,
    )  # fmt: skip
    most = {name: max((getattr(r, name) for r in summary.rows), default=0) for name, _ in _COSTS}
    rows = [_cells(row, most, bars, summary) for row in summary.rows]
    first = {"path": "input", "output": show(summary.model.input)}
    first |= {"line": str(summary.model.nodes[0].line)}
    titles = [title for title in rows[0] if title not in left_out] if rows else list(first)
    for title in titles:
        if title in _LEFT:
            out.add_column(title, overflow="fold")
        else:
            out.add_column(title, justify="right", no_wrap=True)
    if summary.kind != "type":
        out.add_row(*(first.get(title, "") for title in titles))
    for row, cells in zip(summary.rows, rows, strict=True):
        out.add_row(*(cells[title] for title in titles), style=None if row.params else "dim")
    return out


def _cells(row: Row, most: dict[str, int], bars: bool, summary: Costs) -> dict[str, Any]:
    """What a row shows, by column; of all layers of a type there is no one shape or line."""
    from rich.text import Text

    costs = {"params": f"{row.params:,}", "MACs": short(row.macs) if row.macs else "0"}
    costs |= {"memory": mib(row.memory)} if bars else {}
    shown = {title: Text(text) for title, text in costs.items()}
    for (name, color), cell in zip(_COSTS if bars else (), shown.values(), strict=False):
        cell.append(" " + bar(getattr(row, name), most[name]), style=f"not dim {color}")
    if summary.freezes:
        shown["learned"] = Text(f"{row.learned:,}" if row.learned else "-")
    if summary.kind == "type":
        return {"type": Text(row.path), "layers": f"{row.count:,}", **shown}
    place = {"sees": show(row.receptive_field), "line": str(row.line)}
    named = {"path": Text(row.path), "layer": Text(row.text), "output": show(row.output)}
    return {**named, **shown, **place}


def bar(part: int, whole: int) -> str:
    """A share of the largest, in halves of a column; nothing is shorter than something."""
    halves = max(round(2 * _WIDTH * part / whole), 1 if part else 0) if whole else 0
    return ("━" * (halves // 2) + "╸" * (halves % 2)).ljust(_WIDTH, "·")


def _caption(summary: Costs) -> str:
    model = summary.model
    outputs = ", ".join(f"{name} {show(s)}" for name, s in model.output_shapes().items())
    learned = [f"learned      {_learned(summary)}"] if summary.freezes else []
    lines = [
        f"outputs      {outputs}",
        f"parameters   {model.params:,}"
        + (f" (and {model.statistics:,} running statistics)" if model.statistics else ""),
        *learned,
        f"MACs         {short(model.macs)} a sample",
        f"memory       {mib(summary.weight_bytes)} of weights, "
        f"{mib(summary.activation_bytes)} of activations a sample (float32)",
    ]
    return "\n".join(lines)


def _learned(summary: Costs) -> str:
    """`90`, or by epochs `90, from epoch 2 on 2,690`; the first epoch is 0, as in `freeze`."""
    recipe = summary.model.recipe
    counts = [(e, learned_in(summary.model, e)) for e in (phases(recipe) if recipe else [0])]
    return ", ".join(f"from epoch {e} on {n:,}" if e else f"{n:,}" for e, n in counts)
