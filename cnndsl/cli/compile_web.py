"""What `cnndsl compile --web` writes, and the options that say nothing to it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnndsl.ir import Model

if TYPE_CHECKING:
    from cnndsl.backend.inference import Options
    from cnndsl.weights.fit import ModelWeights

_NOT_OF_PAGES = ("uint8", "batch", "optimize", "conv", "device", "train", "int8", "fp16")


def refuse_for_page(ctx: click.Context, given: set[str]) -> None:
    """UsageError for an option that says nothing to a page, or to what is none."""
    if "web" not in given:
        if "runtime" in given:
            raise click.UsageError("--runtime is where a page of --web finds onnxruntime-web")
        return
    for option in ctx.command.params:
        if option.name in given and option.name in _NOT_OF_PAGES:
            raise click.UsageError(f"{option.opts[0]} says nothing to a page (--web)")


def write_page(
    model: Model, weights: "ModelWeights", folder: Path, runtime: str | None, options: "Options",
    origin: str,
) -> None:  # fmt: skip
    """Write the page and say how it is opened."""
    from cnndsl.web.classify import classifier

    page = classifier(model, weights, options).with_runtime(runtime)
    page.write(folder)
    click.echo(
        f"{folder}: a page that shows what the net says of pictures, {origin}\n"
        f"  python -m http.server -d {folder} 8000, then open http://localhost:8000",
        err=True,
    )
