"""`cnndsl eval RUN`."""

import json
from pathlib import Path
from typing import Any

import click

from cnndsl.cli.common import load
from cnndsl.cli.train import stored_arguments
from cnndsl.recipe import Recipe
from cnndsl.runtime.session import DEVICES
from cnndsl.source import UserError


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
    from cnndsl.backend.weights import read_weights
    from cnndsl.data.registry import open_dataset
    from cnndsl.training.evaluate import evaluator_of

    arguments = stored_arguments(run)
    model = load(run / "model.cnn", arguments.get("set", ()))
    recipe = model.recipe or Recipe()
    name = options["data"] or arguments.get("data") or recipe.data
    if name is None:
        raise UserError(f"{run}: its data set has no name; give one with --data")
    folder = options["data_dir"] or (arguments.get("data_dir") and Path(arguments["data_dir"]))
    data = open_dataset(name, model.input, folder)
    weights = read_weights(run / "weights" / "best.safetensors", model)
    evaluator = evaluator_of(
        model, recipe, data, options["device"], options["threads"], options["mirror"]
    )
    scores = evaluator.score(weights, data.test)
    if as_json:
        click.echo(json.dumps(_as_dict(scores, data.classes), indent=2))
    else:
        _print(scores, data.classes)


def _as_dict(scores: Any, classes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "loss": scores.loss,
        "accuracy": scores.accuracy,
        "per_class": dict(zip(classes, scores.per_class.tolist(), strict=True)),
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
