"""`cnndsl eval RUN`, `cnndsl eval SPEC --weights FILE`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.common import (
    data_dir_option,
    device_option,
    load,
    map_option,
    preprocess_option,
    threads_option,
    to_json,
    views_option,
)
from cnndsl.results import Scores, Table
from cnndsl.setting_values import views_of
from cnndsl.source import UserError

if TYPE_CHECKING:
    from cnndsl.ir import Model
    from cnndsl.training.run_scores import Opened
    from cnndsl.weights.fit import ModelWeights


@click.command("eval")
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN|SPEC")
@click.option("--weights", type=click.Path(path_type=Path),
              help="Of a spec: the file of weights that is scored.")  # fmt: skip
@map_option
@preprocess_option
@click.option("--data", help="Other data than the run's: all of their pictures.")
@data_dir_option
@device_option
@threads_option
@views_option('by default the run\'s, "" for none')
@click.option("--mirror", is_flag=True, help='Short for --views "mirror".')
@click.option("--why", is_flag=True,
              help="Draw in RUN/why, or runs/why, what the worst mistakes rest on.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def command(
    run: Path, weights: Path | None, name_map: Path | None, preprocess: str | None, why: bool,
    as_json: bool, views: str | None, mirror: bool, **options: Any,
) -> None:  # fmt: skip
    """Loss and metrics of a run's best weights, or of a spec's: of a classification, by class, and
    what it takes each for.
    """
    from cnndsl.training.run_scores import open_run, open_weights

    if run.suffix == ".cnn" and not weights:
        raise UserError(f"{run} is a spec: which weights of it? --weights FILE, or give a run")
    if run.suffix != ".cnn" and (weights or name_map or preprocess):
        raise click.UsageError(
            "--weights, --map and --preprocess are for a spec: a run has its own"
        )
    if mirror and views is not None:
        raise click.UsageError("--mirror is short for --views mirror: give one of them")
    options["views"] = views_of("mirror" if mirror else views, "--views")
    if weights:
        model = load(run)
        opened = open_weights(model, _read(model, weights, name_map, preprocess), **options)
    else:
        opened = open_run(run, **options)
    scores = _explained(opened, Path("runs") if weights else run) if why else opened.scores()
    if as_json:
        told = {"mistakes": [mistake.as_dict() for mistake in scores.mistakes]} if why else {}
        click.echo(to_json({**scores.as_dict(), **told}, 2))
        return
    _print(scores.table())
    for mistake in scores.mistakes:
        click.echo(str(mistake))
    if why and not scores.mistakes:
        click.echo("no image is mistaken: there is no heat map to draw", err=True)


def _explained(opened: "Opened", folder: Path) -> Scores:
    from cnndsl.training.mistakes import FOLDER, explained_scores

    return explained_scores(opened, folder / FOLDER)


def _read(
    model: "Model", weights: Path, name_map: Path | None, preprocess: str | None
) -> "ModelWeights":
    """The weights with their preprocessing; that there is none is told."""
    from cnndsl.weights.fit import read_weights, told
    from cnndsl.weights.preprocess import prepared

    found = told(read_weights(weights, model, name_map))
    info = prepared(found.info, preprocess)
    if not info.normalises and len(model.input) == 3:
        click.echo(f"{weights}: tells no preprocessing: images are taken in 0…1; for others, "
                   "--preprocess", err=True)  # fmt: skip
    return replace(found, info=info)


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
