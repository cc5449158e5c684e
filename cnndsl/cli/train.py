"""`cnndsl train FILE`."""

import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.common import (
    Listed,
    data_dir_option,
    device_option,
    each_process,
    from_project,
    listed_algorithms,
    listed_data,
    load,
    map_option,
    preprocess_option,
    refuse_both_ways,
    set_option,
    style,
    threads_option,
)
from cnndsl.fields import flags
from cnndsl.finetune import Cache
from cnndsl.ir import Model
from cnndsl.passes.settings import parse_settings
from cnndsl.recipe import CHOSEN, LARGEST_SEED, Ground, Recipe
from cnndsl.runtime.ranks import Ranks
from cnndsl.setting_values import settings_of
from cnndsl.tasks import registry

if TYPE_CHECKING:
    from cnndsl.finetune import Weights
    from cnndsl.training.run_config import RunConfig
    from cnndsl.training.trainer import Trainer

_WORDS = (  # each in the words of a spec
    "optimizer", "schedule", "loss", "augment", "holdout", "ground", "quantize", "precision",
)  # fmt: skip
_PLAIN = ("epochs", "batch", "seed")
_ELSEWHERE = (
    "data_dir", "device", "threads", "conv", "micro_batch", "lr", "checkpoint_every", "sync_bn",
)  # fmt: skip


@dataclass(frozen=True)
class TrainOptions:
    """The options of `cnndsl train` as click reads them; None where one is not given."""

    file: Path | None
    settings: tuple[str, ...]
    data: str | None
    task: str | None
    data_dir: Path | None
    epochs: int | None
    batch: int | None
    optimizer: str | None
    schedule: str | None
    loss: str | None
    augment: str | None
    holdout: str | None
    ground: str | None
    quantize: str | None
    precision: str | None
    lr: float | None
    seed: int | None
    device: str
    threads: int | None
    out: Path | None
    resume: Path | None
    force: bool
    weights: Path | None
    fresh: tuple[str, ...]
    name_map: Path | None
    preprocess: str | None
    freeze: tuple[str, ...]
    cache_features: bool
    cached_views: int | None
    conv: str
    micro_batch: int | None
    checkpoint_every: str | None
    sync_bn: bool
    cuda_graph: bool
    strict: bool
    progress: str
    distributed: bool
    processes: int | None

    def recipe(self, given: set[str]) -> dict[str, Any]:
        """The settings of a recipe among those that are given, as values."""
        found = {name: getattr(self, name) for name in ("data", *_PLAIN) if name in given}
        for name in (name for name in _WORDS if name in given):
            found |= settings_of({name: getattr(self, name)}, f"--{name}")
        if "freeze" in given:
            found |= settings_of({"freeze": self.freeze}, "--freeze")
        if self.cache_features and "cache_features" in given:
            found["cache"] = Cache("features", self.cached_views)
        return found | ({"task": registry[self.task]()} if self.task and "task" in given else {})

    def changed(
        self, config: "RunConfig", given: set[str], file: "Weights | None" = None
    ) -> "RunConfig":
        """The record under the options that are given; `file` are the spec's weights."""
        from cnndsl.training.run_config import weights_of

        others = {name: getattr(self, name) for name in _ELSEWHERE if name in given}
        weights = weights_of(file, {name: getattr(self, name) for name in given})
        return config.changed(self.recipe(given) | weights, **others)


def _in_words(name: str, example: str) -> str:
    """The help of an option that takes a setting in the words of a spec."""
    return f'As in a spec: "{example}"; one of {", ".join(sorted(CHOSEN[name]))}.'


@click.command("train")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@set_option
@click.option("--data", cls=Listed, listing=listed_data, help="What to learn from: {}.")
@click.option("--task", type=click.Choice(sorted(registry)),
              help="What is learned; by default what the spec and the data tell.")  # fmt: skip
@data_dir_option
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the data.")
@click.option("--batch", type=click.IntRange(min=1), help="Pictures a step.")
@click.option("--optimizer", metavar="WORDS", help=_in_words("optimizer", "sgd lr=0.1"))
@click.option("--schedule", metavar="WORDS", help=_in_words("schedule", "cosine warmup=1"))
@click.option("--loss", metavar="WORDS", help=_in_words("loss", "cross_entropy smooth=0.1"))
@click.option("--augment", metavar="WORDS", help='As in a spec: "flip crop=4"; "" for none.')
@click.option("--holdout", metavar="WORDS", help='Share held out for the test: "0.1 seed=3".')
@click.option("--ground", type=click.Choice([*flags(Ground)]), help="Behind transparent pixels.")
@click.option("--quantize", metavar="WORDS",
              help='Train for int8, as in a spec: "int8 from=5"; "" for not.')  # fmt: skip
@click.option("--precision", metavar="WORDS",
              help='Numbers of a step on CUDA, as in a spec: "fp16"; "" for float32.')  # fmt: skip
@click.option("--lr", type=click.FloatRange(min=0), help="Learning rate.")
@click.option("--seed", type=click.IntRange(0, LARGEST_SEED),
              help="Start of all random numbers.")  # fmt: skip
@device_option
@threads_option
@click.option("--out", type=click.Path(path_type=Path), help="Run folder; runs/trainN by default.")
@click.option("--resume", type=click.Path(path_type=Path), help="Go on with this run folder.")
@click.option("--force", is_flag=True, help="Resume though spec, data or recipe changed.")
@click.option("--weights", type=click.Path(path_type=Path), help="Start from a file of weights.")
@click.option("--fresh", multiple=True, metavar="PATHS",
              help='Layers that start anew: "dense_*"; head is the last.')  # fmt: skip
@map_option
@preprocess_option
@click.option("--freeze", multiple=True, metavar="PATHS",
              help='Layers that do not learn: "stage_1.*"; body is all but the last.')  # fmt: skip
@click.option("--cache-features", is_flag=True,
              help="Compute what frozen layers give once, and keep it in memory.")  # fmt: skip
@click.option("--cached-views", type=click.IntRange(min=1), metavar="N",
              help="With --cache-features: augmented views of each picture.")  # fmt: skip
@click.option("--conv", default="auto", show_default=True, cls=Listed,
              listing=partial(listed_algorithms, "train"),
              help="How convolutions are computed: {}.")  # fmt: skip
@click.option("--micro-batch", type=click.IntRange(min=1),
              help="Pictures computed at once; calibrated by default.")  # fmt: skip
@click.option("--checkpoint-every", metavar="N|Nm",
              help="Save within an epoch too: every N steps, or N minutes.")  # fmt: skip
@click.option("--strict", is_flag=True,
              help="End at a picture that cannot be read, instead of leaving it out.")  # fmt: skip
@click.option("--progress", type=click.Choice(["auto", "bar", "lines", "none"]), default="auto",
              show_default=True, help="auto: a bar on a terminal, else lines.")  # fmt: skip
@click.option("--distributed", is_flag=True,
              help="Share each batch with the processes that mpiexec has started.")  # fmt: skip
@click.option("--sync-bn", is_flag=True,
              help="bn sees the whole batch, not a process's part; costs exchanges.")  # fmt: skip
@click.option("--cuda-graph", is_flag=True,
              help="On CUDA play back what the first steps launch, as one graph.")  # fmt: skip
@click.option("--processes", type=click.IntRange(min=1), metavar="N",
              help="Start N processes on this machine that share each batch.")  # fmt: skip
@click.pass_context
def command(ctx: click.Context, **given: Any) -> int:
    """Train a spec on stock onnxruntime; the run folder holds weights, curves and best.onnx."""
    from cnndsl.training.distributed import joined, launch
    from cnndsl.training.leaving import ending_all
    from cnndsl.training.signals import terminable

    options = TrainOptions(**given)
    if (options.file is None) == (options.resume is None):
        one = "either a spec to train or" if options.file else "a spec to train, or"
        raise click.UsageError(f"give {one} --resume RUN")
    refuse_both_ways(ctx)
    if options.cached_views and not options.cache_features:
        raise click.UsageError("--cached-views is for --cache-features; give both")
    if (options.processes or 1) > 1 and not options.distributed:
        launch(options.processes or 1, each_process(sys.argv[1:]))
    ranks = joined(options.distributed)
    with ending_all(ranks), terminable():
        return _train(ctx, options, ranks)


def _train(ctx: click.Context, options: TrainOptions, ranks: Ranks) -> int:
    if options.file:
        model, config = _new(ctx, options, options.file)
    else:
        model, config = _stored(ctx, options, options.resume or Path())
    if ranks.rank == 0:
        _warn(model, config.recipe_for(model))
    return _fit(_trainer(model, config, options, ranks))


def _new(ctx: click.Context, options: TrainOptions, file: Path) -> tuple[Model, "RunConfig"]:
    """A spec, and the record of a run of it."""
    from cnndsl.training.run_config import RunConfig

    model = load(file, options.settings)
    said = model.recipe.said if model.recipe else frozenset[str]()
    weak = said | ({"lr"} if "optimizer" in said else set[str]())
    given = {name for name, value in vars(options).items() if value not in (None, ())}
    given -= from_project(ctx) & weak
    before = model.recipe.weights if model.recipe else None
    return model, options.changed(RunConfig(str(file), model.settings), given, before)


def _stored(ctx: click.Context, options: TrainOptions, run: Path) -> tuple[Model, "RunConfig"]:
    """The spec of a run folder and its record, under what is given for this very call."""
    from cnndsl.training.run_config import read_config, read_model

    _refuse_beside_resume(ctx)
    config = options.changed(read_config(run), {n for n in vars(options) if _is_said(ctx, n)})
    if options.settings:
        config = replace(config, lets=parse_settings(options.settings))
    return read_model(run, config), config


def _trainer(model: Model, config: "RunConfig", options: TrainOptions, ranks: Ranks) -> "Trainer":
    from cnndsl.training import run

    recipe = config.recipe_for(model)
    out, shown = options.resume or options.out, options.progress
    settings = config.settings(out, recipe, ranks.size, progress=shown, strict=options.strict,
                               cuda_graph=options.cuda_graph)  # fmt: skip
    if options.resume:
        return run.resume(model, recipe, settings, config, options.force, ranks=ranks)
    return run.start(model, recipe, settings, config, ranks=ranks)


def _fit(trainer: "Trainer") -> int:
    from cnndsl.training.exporter import is_missing
    from cnndsl.training.screen import closing
    from cnndsl.training.signals import Interrupted

    if trainer.leads:
        _announce(trainer)
    try:
        trainer.fit()
    except Interrupted as interrupted:
        if trainer.leads:
            click.echo(str(interrupted), err=True)
        return interrupted.code
    if not trainer.leads:
        return 0
    assert trainer.scores is not None
    summary = trainer.scores.summary("val_")
    click.echo(closing(trainer.recipe, trainer.progress.rows, summary, trainer.folder.path))
    return 1 if is_missing(trainer) else 0


def _warn(model: Model, recipe: Recipe) -> None:
    """Say what of the recipe does not fit the model."""
    from cnndsl.lints.base import training_warnings
    from cnndsl.report.diagnostics import full

    found = list(training_warnings(model, recipe))
    if found:
        click.echo(full(found, style(sys.stderr)), err=True, color=True)


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


def _announce(trainer: "Trainer") -> None:
    """What is about to run."""
    from cnndsl.training.screen import opening

    t, width = trainer, style(sys.stderr).width
    shown = opening(t.model, t.recipe, t.data, t.batches.steps, t.folder.path, width)
    click.echo(shown, err=True)
