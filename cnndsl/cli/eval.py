"""`cnndsl eval RUN`."""

from pathlib import Path
from typing import Any

import click

from cnndsl.cli.common import to_json
from cnndsl.results import Table
from cnndsl.runtime.session import DEVICES


@click.command("eval")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", help="Other data than the run's: all of their pictures.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the data set's files are.")
@click.option("--device", type=click.Choice(DEVICES), default="auto", show_default=True,
              help="Where to compute; auto takes CUDA where it is there.")  # fmt: skip
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; one a core by default.")
@click.option("--mirror", is_flag=True, help="Average each picture with its mirror image.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def command(run: Path, as_json: bool, **options: Any) -> None:
    """Loss and metrics of a run's best weights: of a classification, by class, and what it takes
    each for.
    """
    from cnndsl.training.run_scores import scored

    scores = scored(run, **options)
    if as_json:
        click.echo(to_json(scores.as_dict(), 2))
    else:
        _print(scores.table())


def _print(scores: Table) -> None:
    from rich import table
    from rich.console import Console
    from rich.text import Text

    shown = table.Table(title=scores.title)
    for i, title in enumerate(scores.heads):
        shown.add_column(title, justify="right" if i else "left")
    for row in scores.rows:
        shown.add_row(*map(Text, row))  # names are no markup
    Console().print(shown)
