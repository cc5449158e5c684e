"""`cnndsl bench FILE …`."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.common import (
    Listed,
    data_dir_option,
    device_option,
    each_process,
    listed_algorithms,
    load,
    preprocess_option,
    refuse_both_ways,
    refuse_options,
    set_option,
    to_json,
)
from cnndsl.ir import Model
from cnndsl.recipe import Recipe
from cnndsl.report.units import mib
from cnndsl.results import Table
from cnndsl.setting_values import settings_of

if TYPE_CHECKING:
    from cnndsl.runtime.ranks import Ranks
    from cnndsl.training.bench_models import Timing

# What says nothing to compiled models, and to a spec.
_OF_SPECS = ("settings", "conv", "weights", "freeze", "processes", "distributed")
_OF_MODELS = ("data", "data_dir", "preprocess")


@click.command("bench")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@set_option
@click.option("--batch", type=click.IntRange(min=1), multiple=True,
              help="Images at once; the recipe's, or 1. For models repeatable.")  # fmt: skip
@click.option("--threads", type=click.IntRange(min=1), multiple=True,
              help="CPU threads; one a core by default. For models repeatable.")  # fmt: skip
@device_option
@click.option("--conv", default="auto", show_default=True, cls=Listed, listing=listed_algorithms,
              help="How convolutions are computed: {}.")  # fmt: skip
@click.option("--steps", type=click.IntRange(min=3), default=20, show_default=True,
              help="Steps timed, after a warm-up.")  # fmt: skip
@click.option("--weights", type=click.Path(path_type=Path), help="Time these; fresh by default.")
@click.option("--freeze", multiple=True, metavar="PATHS",
              help='Layers that do not learn: "stage_1.*"; body is all but the last.')  # fmt: skip
@click.option("--data", help="Data on which models are measured: accuracy, mAP, R², mIoU.")
@data_dir_option
@preprocess_option
@click.option("--processes", type=click.IntRange(min=1), metavar="N",
              help="Time a step that N processes on this machine share.")  # fmt: skip
@click.option("--distributed", is_flag=True,
              help="Time a step that the processes of mpiexec share.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.pass_context
def command(
    ctx: click.Context, files: tuple[Path, ...], settings: tuple[str, ...], as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Time a spec, inference and training step, or compiled models side by side."""
    from cnndsl.training.distributed import joined, launch, refuse_many
    from cnndsl.training.leaving import ending_all

    models = [file for file in files if file.suffix == ".onnx"]
    if models:
        refuse_options(ctx, _OF_SPECS, "says nothing to models")
    else:
        refuse_options(ctx, _OF_MODELS, "says nothing to a spec")
    if models and len(models) < len(files):
        raise click.UsageError("give compiled models, or one spec: not both")
    if options["preprocess"] and not options["data"]:
        raise click.UsageError("--preprocess says how images of --data are prepared; give these")
    if models:
        refuse_many("measure", "start one: `cnndsl bench`")
        return _bench_models(models, options, as_json)
    if max(len(files), len(options["batch"]), len(options["threads"])) > 1:
        raise click.UsageError("one spec, with one --batch and one --threads")
    refuse_both_ways(ctx)
    if (options["processes"] or 1) > 1 and not options["distributed"]:
        launch(options["processes"], each_process(sys.argv[1:]))
    ranks = joined(options["distributed"], "measure")
    with ending_all(ranks):
        _bench_spec(files[0], settings, options, as_json, ranks)


def _bench_models(models: Sequence[Path], options: dict[str, Any], as_json: bool) -> None:
    from cnndsl.training.bench_models import Case, bench_models

    ways = product(models, options["batch"] or (None,), options["threads"] or (None,))
    timings = bench_models(
        [Case(*way) for way in ways], options["device"], options["steps"], options["data"],
        options["data_dir"], options["preprocess"],
    )  # fmt: skip
    if as_json:
        click.echo(to_json([timing.as_dict() for timing in timings], 2))
    else:
        click.echo(_table(timings))


def _table(timings: "Sequence[Timing]") -> Table:
    heads = ("model", "size", "batch", "threads", "median ms", "p95 ms", "images/s")
    metrics = tuple(dict.fromkeys(timing.metric for timing in timings if timing.metric))
    rows = tuple(_row(timing, metrics) for timing in timings)
    return Table("times of a batch of random images", (*heads, *metrics), rows)


def _row(timing: "Timing", metrics: Sequence[str]) -> tuple[str, ...]:
    scores = (f"{timing.score:.4f}" if metric == timing.metric else "-" for metric in metrics)
    return (
        timing.model, mib(timing.bytes), str(timing.batch), str(timing.threads or "all"),
        f"{timing.median_ms:.2f}", f"{timing.p95_ms:.2f}", f"{timing.images_per_s:,.0f}",
        *scores,
    )  # fmt: skip


def _bench_spec(
    file: Path, settings: tuple[str, ...], options: dict[str, Any], as_json: bool, ranks: "Ranks"
) -> None:
    from cnndsl.backend.step import blocking
    from cnndsl.learned import check_patterns
    from cnndsl.training.bench import bench
    from cnndsl.training.run_config import weights_of

    model = load(file, settings)
    recipe = model.recipe or Recipe()
    freeze = {"freeze": options["freeze"]} if options["freeze"] else {}
    changes = weights_of(recipe.weights, {"weights": options["weights"]}) | settings_of(freeze)
    recipe = replace(recipe, **changes)
    check_patterns(model, recipe)
    batch, threads = (next(iter(options[name]), None) for name in ("batch", "threads"))
    batch = batch or recipe.batch
    if options["distributed"]:
        return _bench_shared(model, recipe, batch, threads, options, as_json, ranks)
    result = bench(
        model, recipe, batch, options["device"], threads, options["conv"], options["steps"]
    )
    if as_json:
        click.echo(to_json(result, 2))
        return
    train, inference = result["train"], result["inference"]
    cut = blocking(train["micro_batch"], train["replicas"])
    click.echo(
        f"training step of {batch}: {train['ms_per_step']:.2f} ms, "
        f"{train['images_per_s']:,.0f} images/s, {cut}"
    )
    click.echo(f"inference of {batch}: {inference['ms_per_batch']:.2f} ms, "
               f"{inference['images_per_s']:,.0f} images/s")  # fmt: skip
    for path, name in train["algorithms"].items():
        click.echo(f"  {path:<30} {name}")


def _bench_shared(
    model: Model, recipe: Recipe, batch: int, threads: int | None, options: dict[str, Any],
    as_json: bool, ranks: "Ranks",
) -> None:  # fmt: skip
    from cnndsl.training.bench import bench_shared

    result = bench_shared(model, recipe, batch, threads, options["conv"], options["steps"], ranks)
    if ranks.rank:
        return
    if as_json:
        click.echo(to_json(result, 2))
        return
    train = result["train"]
    click.echo(
        f"training step of {batch} by {train['processes']} processes of "
        f"{batch // train['processes']}: {train['ms_per_step']:.2f} ms, "
        f"{train['images_per_s']:,.0f} images/s, micro-batches of {train['micro_batch']}\n"
        f"exchange of {mib(train['bytes'])} within: {train['ms_of_exchange']:.2f} ms"
    )
