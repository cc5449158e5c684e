"""`cnndsl summary FILE`."""

import json
from pathlib import Path

import click

from cnndsl.cli.common import load, set_option, spec_argument
from cnndsl.report.summary import summarise, table


@click.command("summary")
@spec_argument
@set_option
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.option("--depth", type=click.IntRange(min=1), help="Show blocks below this depth as a row.")
def command(file: Path, settings: tuple[str, ...], as_json: bool, depth: int | None) -> None:
    """Layers with output shape, parameters, multiply-accumulates and receptive field."""
    summary = summarise(load(file, settings))
    if depth:
        summary = summary.at_depth(depth)
    if as_json:
        click.echo(json.dumps(summary.as_dict(), indent=2))
        return
    from rich.console import Console

    Console().print(table(summary))
