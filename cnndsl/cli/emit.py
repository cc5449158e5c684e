"""`cnndsl emit --stage STAGE FILE`: the stages of the compiler, as text."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.common import Listed, listed_algorithms, load, set_option, spec_argument
from cnndsl.fields import nearest
from cnndsl.report import stages

if TYPE_CHECKING:
    from cnndsl.graph.pipeline import Pipeline
    from cnndsl.lower.driver import Device

_FRONT: dict[str, Callable[[Path, tuple[str, ...]], str]] = {
    "tokens": lambda file, settings: stages.tokens(file),
    "ast": lambda file, settings: stages.syntax_tree(file),
    "model": lambda file, settings: stages.model_text(load(file, settings)),
}
_BACK = ("tape", "onnx")  # behind the last pass: as a listing, and as the file is written


def _pipelines() -> "dict[str, Pipeline[Any]]":
    from cnndsl.backend.pipelines import INFERENCE, STEP

    return {"inference": INFERENCE, "step": STEP}


def _passes(purpose: str) -> list[str]:
    from cnndsl.graph.pipeline import stages as named

    return [name for name, _ in named(_pipelines()[purpose])]


class _Emit(click.Command):
    """Its help ends with the stages, which are read from the pipelines."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every stage, in the order of compilation."""
        rows = [("of the spec", " ".join(_FRONT))]
        rows += [(f"--for {purpose}", " ".join(_passes(purpose))) for purpose in _pipelines()]
        with formatter.section("Stages"):
            formatter.write_dl([*rows, ("of either graph", " ".join(_BACK))])


def _check(stage: str, purpose: str) -> None:
    """UsageError for a stage that there is not, with those that there are."""
    known = [*_FRONT, *_passes(purpose), *_BACK]
    if stage in known:
        return
    other = "step" if purpose == "inference" else "inference"
    close = nearest(stage, known)
    hint = f" Did you mean `{close}`?" if close else ""
    hint = f" `--for {other}` has it." if stage in _passes(other) else hint
    raise click.UsageError(
        f"no stage `{stage}` for {purpose}.{hint} The stages: {', '.join(known)}"
    )


@click.command("emit", cls=_Emit)
@spec_argument
@set_option
@click.option("--stage", metavar="NAME",
              help="Which stage, of those below. Default: model; with --for, tape.")  # fmt: skip
@click.option("--for", "purpose", type=click.Choice(["inference", "step"]),
              help="Which graph: inference (the default), or the training step.")  # fmt: skip
@click.option("--batch", type=click.IntRange(min=1),
              help="Images of a run. Default: any; of a step, the recipe's.")  # fmt: skip
@click.option("--micro-batch", type=click.IntRange(min=1),
              help="Images that a step computes at once. Default: all.")  # fmt: skip
@click.option("--optimize", type=click.Choice(["cpu"]),
              help="Inference by faster convolutions, for a fixed --batch.")  # fmt: skip
@click.option("--conv", metavar="NAME", cls=Listed, listing=listed_algorithms,
              help="Of a step, or with --optimize: {}.")  # fmt: skip
@click.option("--device", type=click.Choice(["cpu", "cuda"]),
              help="What a step is for. Default: cpu.")  # fmt: skip
@click.option("--verify", is_flag=True,
              help="Check shapes and types behind every pass of the graph.")  # fmt: skip
def command(
    file: Path, settings: tuple[str, ...], stage: str | None, purpose: str | None,
    batch: int | None, micro_batch: int | None, optimize: str | None, conv: str | None,
    device: "Device | None", verify: bool,
) -> None:  # fmt: skip
    """Print what the compiler has after a stage."""
    stage = stage or ("tape" if purpose else "model")
    purpose = purpose or "inference"
    _check(stage, purpose)
    if purpose == "inference" and (micro_batch or device):
        raise click.UsageError("--micro-batch and --device are of the step: add --for step")
    if purpose == "step" and optimize:
        raise click.UsageError("--optimize is of the inference graph, not of the step")
    if stage in _FRONT and not verify:
        click.echo(_FRONT[stage](file, settings))
        return
    from cnndsl.lower.driver import Plan

    plan = Plan(conv or "auto", device=device or "cpu")
    model = load(file, settings)
    if purpose == "inference":
        graph = stages.inference_graph(model, batch, optimize, plan)
    else:
        graph = stages.step_graph(model, batch, micro_batch, plan)
    if verify:
        click.echo(f"shapes and types hold behind each of {graph.verify()} passes", err=True)
    click.echo(_FRONT[stage](file, settings) if stage in _FRONT else graph.text(stage))
