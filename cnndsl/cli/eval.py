"""`cnndsl eval RUN`."""

from pathlib import Path
from typing import Any

import click

from cnndsl.cli.common import to_json
from cnndsl.runtime.session import DEVICES
from cnndsl.source import printable


@click.command("eval")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", help="Another data set than the run's.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the data set's files are.")
@click.option("--device", type=click.Choice(DEVICES), default="auto", show_default=True,
              help="Where to compute; auto takes CUDA where it is there.")  # fmt: skip
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; one a core by default.")
@click.option("--mirror", is_flag=True, help="Average each picture with its mirror image.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def command(run: Path, as_json: bool, **options: Any) -> None:
    """Loss, accuracy, per-class accuracies and confusion matrix of a run's best weights."""
    from cnndsl.training.stored import scored

    scores = scored(run, **options)
    if as_json:
        click.echo(to_json(_as_dict(scores), 2))
    else:
        _print(scores)


def _as_dict(scores: Any) -> dict[str, Any]:
    return {
        "loss": scores.loss,
        "accuracy": scores.accuracy,
        "per_class": dict(zip(scores.classes, scores.per_class.tolist(), strict=True)),
        "confusion": scores.confusion.tolist(),
    }


def _print(scores: Any) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"loss {scores.loss:.4f}, accuracy {scores.accuracy:.4f}")
    for title in ("class", "pictures", "accuracy", "taken most often for"):
        table.add_column(title, justify="left" if title in ("class",) else "right")
    for i, name in enumerate(scores.classes):
        row = scores.confusion[i].copy()
        total, row[i] = row.sum(), -1
        worst = int(row.argmax())
        other = f"{scores.classes[worst]} {row[worst]}" if row[worst] > 0 else "-"
        share = f"{scores.per_class[i]:.3f}"
        # names are no markup
        table.add_row(Text(printable(name)), f"{total:,}", share, Text(printable(other)))
    Console().print(table)
