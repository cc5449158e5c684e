"""`cnndsl emit --stage STAGE FILE`: the stages of the compiler, as text."""

from collections.abc import Callable
from pathlib import Path

import click

from cnndsl.cli.common import load, set_option, spec_argument
from cnndsl.report import stages

_STAGES: dict[str, Callable[[Path, tuple[str, ...]], str]] = {
    "tokens": lambda file, settings: stages.tokens(file),
    "ast": lambda file, settings: stages.syntax_tree(file),
    "model": lambda file, settings: stages.model_text(load(file, settings)),
    "tape": lambda file, settings: stages.tape_text(load(file, settings)),
    "onnx": lambda file, settings: stages.onnx_text(load(file, settings)),
}


@click.command("emit")
@spec_argument
@set_option
@click.option("--stage", type=click.Choice(list(_STAGES)), default="model", show_default=True,
              help="Which stage.")  # fmt: skip
def command(file: Path, settings: tuple[str, ...], stage: str) -> None:
    """Print what the compiler has after a stage."""
    click.echo(_STAGES[stage](file, settings))
