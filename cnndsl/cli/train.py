"""`cnndsl train FILE`."""

import sys
from pathlib import Path
from typing import Any

import click

from cnndsl.cli.common import load, map_option, preprocess_option, set_option, style
from cnndsl.ir import Model
from cnndsl.recipe import LARGEST_SEED, Recipe
from cnndsl.runtime.session import DEVICES
from cnndsl.source import UserError
from cnndsl.tasks import registry

_STORED = (
    "task",
    "epochs",
    "batch",
    "seed",
    "lr",
    "device",
    "threads",
    "conv",
    "micro_batch",
    "optimizer",
    "schedule",
    "loss",
    "augment",
    "freeze",
)


@click.command("train")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@set_option
@click.option(
    "--data", help="cifar10, mnist, shapes, a folder (of classes, or images and masks), .csv, .npz."
)
@click.option("--task", type=click.Choice(sorted(registry)),
              help="What is learned; by default what the spec and the data tell.")  # fmt: skip
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the data set's files are.")
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the data.")
@click.option("--batch", type=click.IntRange(min=1), help="Pictures a step.")
@click.option("--optimizer", metavar="WORDS", help='As in a spec: "sgd lr=0.1 momentum=0.9".')
@click.option("--schedule", metavar="WORDS", help='As in a spec: "cosine warmup=1".')
@click.option("--loss", metavar="WORDS", help='As in a spec: "cross_entropy smooth=0.1".')
@click.option("--augment", metavar="WORDS", help='As in a spec: "flip crop=4"; "" for none.')
@click.option("--lr", type=click.FloatRange(min=0), help="Learning rate.")
@click.option("--seed", type=click.IntRange(0, LARGEST_SEED),
              help="Start of all random numbers.")  # fmt: skip
@click.option("--device", type=click.Choice(DEVICES), default="auto", show_default=True,
              help="Where to compute; auto takes CUDA where it is there.")  # fmt: skip
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; one a core by default.")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder; runs/trainN by default.")
@click.option("--resume", type=click.Path(path_type=Path), help="Go on with this run folder.")
@click.option("--force", is_flag=True, help="Resume though spec, data, recipe or version changed.")
@click.option("--weights", type=click.Path(path_type=Path), help="Start from a file of weights.")
@click.option("--fresh", multiple=True, metavar="PATHS",
              help='Layers that start anew: "dense_*"; head is the last.')  # fmt: skip
@map_option
@preprocess_option
@click.option("--freeze", multiple=True, metavar="PATHS",
              help='Layers that do not learn: "stage_1.*"; body is all but the last.')  # fmt: skip
@click.option("--conv", default="auto", show_default=True,
              help="auto, direct, im2col, winograd: how convolutions are computed.")  # fmt: skip
@click.option("--micro-batch", type=click.IntRange(min=1),
              help="Pictures computed at once; calibrated by default.")  # fmt: skip
@click.option("--strict", is_flag=True,
              help="End at a picture that cannot be read, instead of leaving it out.")  # fmt: skip
@click.option("--progress", type=click.Choice(["auto", "bar", "lines", "none"]), default="auto",
              show_default=True, help="auto: a bar on a terminal, else lines.")  # fmt: skip
@click.pass_context
def command(
    ctx: click.Context, file: Path | None, settings: tuple[str, ...], **options: Any
) -> int:
    """Train a spec on stock onnxruntime; the run folder holds weights, curves and best.onnx."""
    from cnndsl.training.signals import terminable
    from cnndsl.training.stored import (
        stored_arguments,
        stored_model,
        stored_recipe,
        under_options,
    )  # fmt: skip

    run, stored = options["resume"], dict[str, Any]()
    weak = set[str]() if run else _from_project(ctx)
    if (file is None) == (run is None):
        one = "either a spec to train or" if file else "a spec to train, or"
        raise click.UsageError(f"give {one} --resume RUN")
    if run is not None:
        _refuse_beside_resume(ctx)
        stored = stored_arguments(run)
        stored |= {"set": list(settings)} if settings else {}
        options |= {k: v for k, v in stored.items() if k in options and not _is_said(ctx, k)}
    model = load(file, settings) if file else stored_model(options["resume"], stored)
    recipe = stored_recipe(stored, model)
    options = _above(recipe, options, weak)
    recipe = under_options(recipe, options)
    _warn(model, recipe)
    with terminable():
        said = _arguments(recipe, options, stored or {"file": str(file), "set": list(settings)})
        return _fit(_trainer(model, recipe, options, said))


def _fit(trainer: Any) -> int:
    from cnndsl.training.screen import closing
    from cnndsl.training.signals import Interrupted

    _announce(trainer)
    try:
        trainer.fit()
    except Interrupted as interrupted:
        click.echo(str(interrupted), err=True)
        return interrupted.code
    assert trainer.scores is not None
    summary = trainer.scores.summary("val_")
    click.echo(closing(trainer.recipe, trainer.progress.rows, summary, trainer.folder.path))
    return 0


def _warn(model: Model, recipe: Recipe) -> None:
    """Say what of the recipe does not fit the model."""
    from cnndsl.lints.base import training_warnings
    from cnndsl.report.diagnostics import full

    found = list(training_warnings(model, recipe))
    if found:
        click.echo(full(found, style(sys.stderr)), err=True, color=True)


def _from_project(ctx: click.Context) -> set[str]:
    """Options whose value comes from `[tool.cnndsl]`: the spec's own settings stand above them."""
    source = click.core.ParameterSource.DEFAULT_MAP
    return {name for name in ctx.params if ctx.get_parameter_source(name) is source}


def _is_said(ctx: click.Context, name: str) -> bool:
    """Whether an option is given for this very call: it stands above what a run has stored."""
    source = click.core.ParameterSource
    return ctx.get_parameter_source(name) in (source.COMMANDLINE, source.ENVIRONMENT)


def _refuse_beside_resume(ctx: click.Context) -> None:
    for name in ("out", "weights", "fresh", "name_map", "preprocess"):
        if _is_said(ctx, name):
            raise click.UsageError(
                f"--{name.removeprefix('name_')} starts a run; it says nothing to --resume"
            )


def _above(recipe: Recipe, options: dict[str, Any], weak: set[str]) -> dict[str, Any]:
    """The options without those of the project that the spec itself decides."""
    said = recipe.said | ({"lr"} if "optimizer" in recipe.said else set[str]())
    return {k: None if k in weak & said else v for k, v in options.items()}


def _arguments(recipe: Recipe, options: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
    """What `args.yaml` keeps of a run: its options, or what has become of them."""
    from cnndsl.training.stored import known_by_recipe, known_weights

    said = {key: options[key] for key in _STORED}
    said |= {"file": stored.get("file"), "set": stored.get("set", []), "data": recipe.data}
    said |= {"data_dir": options["data_dir"] and str(Path(options["data_dir"]).resolve())}
    said |= known_weights(recipe)
    return said | (known_by_recipe(recipe) if "recipe" in stored else {})


def _trainer(model: Any, recipe: Recipe, options: dict[str, Any], arguments: dict[str, Any]) -> Any:
    from cnndsl.lower.driver import Plan
    from cnndsl.training import run
    from cnndsl.training.settings import Settings

    micro_batches = None
    if options["micro_batch"]:
        if recipe.batch % options["micro_batch"]:
            raise UserError(f"--micro-batch does not divide the batch of {recipe.batch}")
        micro_batches = recipe.batch // options["micro_batch"]
    settings = Settings(
        options["resume"] or options["out"], options["device"], options["threads"],
        Plan(options["conv"]), micro_batches,
        progress=options["progress"], strict=options["strict"],
    )  # fmt: skip
    if options["resume"]:
        return run.resume(
            model, recipe, settings, _path(options["data_dir"]), options["force"],
            arguments=arguments,
        )  # fmt: skip
    return run.start(model, recipe, settings, options["data_dir"], arguments)


def _announce(trainer: Any) -> None:
    """What is about to run."""
    from cnndsl.training.screen import opening

    t, width = trainer, style(sys.stderr).width
    shown = opening(t.model, t.recipe, t.data, t.batches.steps, t.folder.path, width)
    click.echo(shown, err=True)


def _path(text: Any) -> Path | None:
    return Path(text) if text else None
