"""`cnndsl summary FILE`."""

import os
from pathlib import Path
from typing import Any

import click

from cnndsl.cli.common import load, set_option, spec_argument, to_json
from cnndsl.report.summary import summarise

_NARROW, _WIDEST = 60, 10_000


@click.command("summary")
@spec_argument
@set_option
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.option("--depth", type=click.IntRange(min=1), help="Show blocks below this depth as a row.")
@click.option("--by", type=click.Choice(["layer", "block", "type"]), default="layer",
              show_default=True, help="What a row stands for.")  # fmt: skip
@click.option("--sort", type=click.Choice(["params", "macs", "memory"]),
              help="The most expensive rows first.")  # fmt: skip
@click.option("--bars/--no-bars", default=None,
              help="Where the costs are; by default where there is room.")  # fmt: skip
def command(
    file: Path, settings: tuple[str, ...], as_json: bool, depth: int | None, by: Any, sort: Any,
    bars: bool | None,
) -> None:  # fmt: skip
    """Layers with output shape, parameters, multiply-accumulates and receptive field."""
    summary = summarise(load(file, settings)).by(by)
    if depth:
        summary = summary.at_depth(depth)
    if sort:
        summary = summary.sorted_by(sort)
    if as_json:
        click.echo(to_json(summary.as_dict(), 2))
        return
    from rich.console import Console

    from cnndsl.report.table import ROOMY, table

    console = Console(no_color=bool(os.environ.get("NO_COLOR")))
    wide = console.width >= ROOMY and console.encoding.startswith("utf")
    width = console.width if console.is_terminal else None
    shown = table(summary, wide if bars is None else bars, width)
    whole = console.measure(shown, options=console.options.update(width=_WIDEST)).maximum
    # on a narrow terminal long names are broken; elsewhere nothing is
    console.width = max(console.width, _NARROW if console.is_terminal else whole)
    console.print(shown)
