"""`cnndsl diff A B`."""

import sys
from pathlib import Path

import click

from cnndsl.cli.common import load, set_option, style, to_json


@click.command("diff")
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@set_option
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def command(before: Path, after: Path, settings: tuple[str, ...], as_json: bool) -> int:
    """What changes from one spec to another: layers, shapes, parameters, MACs.

    `--set` holds for both. Exit 0: the same network · 1: they differ.
    """
    from cnndsl.report import changes

    models = load(before, settings), load(after, settings)
    if as_json:
        click.echo(to_json(changes.as_dict(*models), 2))
    else:
        click.echo(changes.as_text(*models, style(sys.stdout)), color=True)
    return int(not changes.is_same(*models))
