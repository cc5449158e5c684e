"""`cnndsl search FILE`."""

import re
import sys
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.common import (
    data_dir_option,
    device_option,
    from_project,
    load,
    on_line,
    refuse_options,
    set_option,
    style,
    to_json,
)
from cnndsl.recipe import LARGEST_SEED
from cnndsl.source import UserError

if TYPE_CHECKING:
    from cnndsl.study.folder import StudyFolder
    from cnndsl.study.plan import Plan
    from cnndsl.study.results import Study, Trial
    from cnndsl.study.search import Effort

_RECIPE = ("data", "epochs", "batch")
_OF_THE_STUDY = ("settings", "vary", "sampler", "pruner", "seed", "out", "data_dir", *_RECIPE)
"""Options that say what a study is: nothing of that changes later."""
_TIME = re.compile(r"(?:([0-9.]+)h)?(?:([0-9.]+)m)?(?:([0-9.]+)s)?")


def _seconds(ctx: click.Context, param: click.Parameter, text: str | None) -> float | None:
    """`30m`, `1h30m`, `90s`."""
    found = _TIME.fullmatch(text) if text else None
    try:
        parts = [float(part or 0) for part in found.groups()] if found else [0.0]
    except ValueError:
        parts = [0.0]
    total = sum(n * unit for n, unit in zip(parts, (3600, 60, 1), strict=False))
    if text is not None and not 0 < total < inf:
        raise click.BadParameter(f"{text!r}: write 30m, 1h30m or 90s")
    return total if text else None


@click.command("search")
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="FILE|STUDY")
@set_option
@click.option("--vary", multiple=True, metavar="WORDS",
              help='As in `search { … }`: "width 16 to 64", "keep params < 100k".')  # fmt: skip
@click.option("--trials", type=click.IntRange(min=1),
              help="Candidates, trained or rejected; 50, or all of a grid.")  # fmt: skip
@click.option("--timeout", metavar="TIME", callback=_seconds,
              help="End after 30m, 1h30m, 90s; --resume goes on.")  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True,
              help="Processes that work on the study.")  # fmt: skip
@click.option("--sampler", type=click.Choice(["tpe", "random", "grid", "nsga2"]),
              help="tpe by default; nsga2 for two goals.")  # fmt: skip
@click.option("--pruner", type=click.Choice(["median", "hyperband", "none"]),
              help="Ends bad trials early: median by default; none for two goals.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, LARGEST_SEED), default=0, show_default=True,
              help="Start of the sampler's random numbers.")  # fmt: skip
@click.option("--data", help="The data set, as of `cnndsl train`.")
@data_dir_option
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the data, of each trial.")
@click.option("--batch", type=click.IntRange(min=1), help="Pictures a step.")
@device_option
@click.option("--threads", type=click.IntRange(min=1),
              help="CPU threads of each worker; the cores, shared, by default.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path),
              help="Folder of the study; runs/searchN by default.")  # fmt: skip
@click.option("--resume", type=click.Path(path_type=Path), is_flag=False, flag_value="",
              metavar="[STUDY]", help="Go on with a study; several may at a time.")  # fmt: skip
@click.option("--show", is_flag=True, help="What a study has found so far; nothing is trained.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.pass_context
def command(ctx: click.Context, file: Path | None, **options: Any) -> int:
    """Look for the best of what `search { … }` varies; only what keeps its bounds is trained."""
    from cnndsl.study.folder import is_study
    from cnndsl.study.search import Effort, begin

    path = _study_path(file, options["resume"], is_study)
    if path is None and options["show"]:
        raise click.UsageError("--show takes the folder of a study: cnndsl search STUDY --show")
    if path is None:
        if file is None:
            raise click.UsageError("give a spec to search, or a study with --resume or --show")
        folder, plan = begin(options["out"], _plan(ctx, file, options))
        click.echo(f"study  {folder.path}", err=True)
    else:
        refuse_options(ctx, _OF_THE_STUDY, "begins a study; one that is there keeps its own")
        folder, plan = _there(ctx, path, file, options)
        if options["show"]:
            return _show(folder, plan, options["as_json"])
    effort = Effort(options["timeout"] or inf, options["workers"])
    return _work(folder, plan, effort, options["as_json"])


def _study_path(file: Path | None, resume: Any, is_study: Any) -> Path | None:
    """The study that is meant, by `--resume STUDY` or as the argument."""
    if resume is not None and str(resume) not in ("", "."):
        return Path(resume)
    if file is not None and (resume is not None or file.is_dir() or is_study(file)):
        return file
    return None


def _there(
    ctx: click.Context, path: Path, file: Path | None, options: dict[str, Any]
) -> "tuple[StudyFolder, Plan]":
    """A study that was begun, under what may change: its trials, this process's device, threads."""
    from cnndsl.study.search import resumed

    folder, plan = resumed(path, None if options["show"] else options["trials"])
    if file is not None and file != path:
        folder.check_same(_plan(ctx, file, options))
    if options["resume"] is None and not options["show"]:
        raise click.UsageError(f"{path} is a study: give --resume or --show")
    given = {name: options[name] for name in ("device", "threads") if name in on_line(ctx)}
    return folder, replace(plan, run=replace(plan.run, **given))


def _plan(ctx: click.Context, file: Path, options: dict[str, Any]) -> "Plan":
    from cnndsl.passes.includes import read
    from cnndsl.passes.settings import parse_settings
    from cnndsl.study.plan import Plan
    from cnndsl.training.run_config import RunConfig

    weak = from_project(ctx) & _said(file, options)
    recipe = {key: options[key] for key in {*_RECIPE} - weak if options[key] is not None}
    where = {key: options[key] for key in ("data_dir", "device", "threads")}
    run = RunConfig(str(file), parse_settings(options["settings"])).changed(recipe, **where)
    known = {key: options[key] for key in ("vary", "trials", "sampler", "pruner", "seed")}
    return Plan(read(file), run, **known)


def _said(file: Path, options: dict[str, Any]) -> frozenset[str]:
    """The settings that the spec gives: they stand above those of the project."""
    recipe = load(file, options["settings"]).recipe
    return recipe.said if recipe else frozenset()


def _work(folder: "StudyFolder", plan: "Plan", effort: "Effort", as_json: bool) -> int:
    from cnndsl.study.folder import resume_call
    from cnndsl.study.search import go_on
    from cnndsl.training.signals import Interrupted, terminable

    try:
        with terminable():
            found = go_on(folder, plan, effort)
    except (KeyboardInterrupt, SystemExit) as stop:  # a signal; the trial at hand is kept
        click.echo(f"stopped; go on with `{resume_call(folder.path)}`", err=True)
        if isinstance(stop, Interrupted):
            return stop.code
        raise
    _close(found, plan, as_json)
    if not as_json and len(found.trials) - found.counts["running"] < plan.most_trials:
        click.echo(f"{plan.most_trials} trials were wanted: `{resume_call(folder.path)}` goes on")
    return 0


def _show(folder: "StudyFolder", plan: "Plan", as_json: bool) -> int:
    from cnndsl.study.results import study

    if not folder.journal.exists():
        raise UserError(f"{folder.path}: the study has no trials yet")
    _close(study(folder, plan), plan, as_json)
    return 0


def _close(found: "Study", plan: "Plan", as_json: bool) -> None:
    """Pictures and tables of a study, and what to type next."""
    from rich.console import Console

    from cnndsl.study.figures import save_figures

    if as_json:
        click.echo(to_json(found.as_dict(), 2))
        return
    click.echo(found.summary())
    files = save_figures(found, plan)
    best = found.best
    if best is None:
        return
    Console(width=style(sys.stdout).width, highlight=False).print(found.table())
    star = "*: no other is better in both; the first" if len(found.goals) > 1 else "best"
    click.echo(f"{star}: trial {best.number}, {best.folder}")
    if not best.folder.exists():
        click.echo("  its run is not there any more")
    else:
        click.echo("\n".join(f"  cnndsl {command}" for command in _next(best, plan)))
    if files:
        names = ", ".join(dict.fromkeys(file.stem for file in files))
        click.echo(f"pictures in {found.folder}: {names} (.png, .svg)")


def _next(best: "Trial", plan: "Plan") -> list[str]:
    """What may be done with the best."""
    from cnndsl.study.results import retraining

    return [
        f"eval {best.folder}",
        f"compile {best.folder} -o best.onnx",
        *retraining(best, plan),
    ]
