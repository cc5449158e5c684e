"""What `cnndsl compile --web` writes, and the options that say nothing to it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnndsl.cli.common import refuse_options
from cnndsl.ir import Model

if TYPE_CHECKING:
    from cnndsl.backend.inference import Options
    from cnndsl.weights.fit import ModelWeights

_NOT_OF_PAGES = ("uint8", "optimize", "conv", "device", "int8", "fp16", "why")


def refuse_for_page(ctx: click.Context, given: set[str]) -> None:
    """UsageError for an option that says nothing to a page, or to what is none."""
    if "web" not in given:
        if "runtime" in given:
            raise click.UsageError("--runtime is where a page of --web finds onnxruntime-web")
        return
    refuse_options(ctx, _NOT_OF_PAGES, "says nothing to a page (--web)")
    if "batch" in given and "train" not in given:
        raise click.UsageError("--batch: a page that does not train takes one picture at a time")
    if ctx.params["train"] == "split":
        raise click.UsageError("--train=split: a page trains by whole steps: give --train alone")


def write_page(
    model: Model, weights: "ModelWeights", folder: Path, options: "Options", runtime: str | None,
    *, pretrained: bool, train: bool, batch: int | None,
) -> None:  # fmt: skip
    """Write the page, which answers at once unless it only learns, and say how it is opened."""
    from cnndsl.web.build import whole_page

    page = whole_page(
        model, weights, runtime, options, pretrained=pretrained, train=train, batch=batch
    )
    page.write(folder)
    if pretrained and not weights.info.normalises:
        told = "the weights tell of no preprocessing: the page gives the net images in 0…1"
        click.echo(f"note: {told}; --mean and --std, or --preprocess, change them", err=True)
    does = "learns from pictures" if train else "shows what the net says of pictures"
    origin = "" if pretrained else ", whose weights are fresh"
    click.echo(
        f"{folder}: a page that {does}{origin}\n"
        f"  python -m http.server -d {folder} 8000, then open http://localhost:8000",
        err=True,
    )
