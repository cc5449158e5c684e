"""`cnndsl eval RUN`."""

import json
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import Any

import click

from cnndsl.cli.common import load
from cnndsl.cli.train import stored_arguments, stored_recipe
from cnndsl.runtime.session import DEVICES


@click.command("eval")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", help="Another data set than the run's.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the data set's files are.")
@click.option("--device", type=click.Choice(DEVICES), default="auto", show_default=True,
              help="Where to compute; auto takes CUDA where it is there.")  # fmt: skip
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.")
@click.option("--mirror", is_flag=True, help="Average each picture with its mirror image.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def command(run: Path, as_json: bool, **options: Any) -> None:
    """Loss, accuracy, per-class accuracies and confusion matrix of a run's best weights."""
    from cnndsl.backend.inference import Options
    from cnndsl.backend.weights import normalisation, read_weights
    from cnndsl.training.evaluate import Evaluator
    from cnndsl.training.run import open_data

    arguments = stored_arguments(run)
    model = load(run / "model.cnn", arguments.get("set", ()))
    recipe = stored_recipe(arguments, model)
    recipe = replace(recipe, data=options["data"] or arguments.get("data") or recipe.data)
    folder = options["data_dir"] or (arguments.get("data_dir") and Path(arguments["data_dir"]))
    data = open_data(model, recipe, folder)
    file = run / "weights" / "best.safetensors"
    weights = read_weights(file, model)
    mean, std = normalisation(file)
    evaluator = Evaluator(
        model, recipe.loss.fitted(data.counts()), Options(uint8=True, mean=mean, std=std),
        options["device"], options["threads"], options["mirror"],
    )  # fmt: skip
    scores = evaluator.score(weights, data.test)
    if as_json:
        click.echo(json.dumps(_as_dict(scores, data.classes), indent=2))
    else:
        _print(scores, data.classes)


def _as_dict(scores: Any, classes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "loss": scores.loss,
        "accuracy": scores.accuracy,
        "per_class": {
            name: None if isnan(share) else share  # no pictures of this class; JSON has no NaN
            for name, share in zip(classes, scores.per_class.tolist(), strict=True)
        },
        "confusion": scores.confusion.tolist(),
    }


def _print(scores: Any, classes: tuple[str, ...]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"loss {scores.loss:.4f}, accuracy {scores.accuracy:.4f}")
    for title in ("class", "pictures", "accuracy", "taken most often for"):
        table.add_column(title, justify="left" if title in ("class",) else "right")
    for i, name in enumerate(classes):
        row = scores.confusion[i].copy()
        total, row[i] = row.sum(), -1
        worst = int(row.argmax())
        other = f"{classes[worst]} {row[worst]}" if row[worst] > 0 else "-"
        table.add_row(name, f"{total:,}", f"{scores.per_class[i]:.3f}", other)
    Console().print(table)
