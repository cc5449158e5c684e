"""`cnndsl bench FILE`."""

from pathlib import Path
from typing import Any

import click

from cnndsl.cli.common import load, set_option, spec_argument, to_json
from cnndsl.recipe import Recipe
from cnndsl.runtime.session import DEVICES


@click.command("bench")
@spec_argument
@set_option
@click.option(
    "--batch", type=click.IntRange(min=1), help="Pictures a step; the recipe's by default."
)
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; one a core by default.")
@click.option("--device", type=click.Choice(DEVICES), default="auto", show_default=True,
              help="Where to compute; auto takes CUDA where it is there.")  # fmt: skip
@click.option("--conv", default="auto", show_default=True, help="auto, direct, im2col, winograd.")
@click.option("--steps", type=click.IntRange(min=3), default=20, show_default=True,
              help="Steps timed, after a warm-up.")  # fmt: skip
@click.option("--weights", type=click.Path(path_type=Path), help="Time these; fresh by default.")
@click.option("--freeze", multiple=True, metavar="PATHS",
              help='Layers that do not learn: "stage_1.*"; body is all but the last.')  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def command(file: Path, settings: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Time inference and the training step on this machine; medians, with the chosen algorithms."""
    from cnndsl.learned import check_patterns
    from cnndsl.training.bench import bench
    from cnndsl.training.stored import under_options

    model = load(file, settings)
    given = {"weights": options["weights"], "freeze": options["freeze"]}
    recipe = under_options(model.recipe or Recipe(), given)
    check_patterns(model, recipe)
    batch = options["batch"] or recipe.batch
    result = bench(
        model, recipe, batch, options["device"], options["threads"], options["conv"],
        options["steps"],
    )  # fmt: skip
    if as_json:
        click.echo(to_json(result, 2))
        return
    train, inference = result["train"], result["inference"]
    click.echo(
        f"training step of {batch}: {train['ms_per_step']:.2f} ms, "
        f"{train['images_per_s']:,.0f} images/s, micro-batches of {train['micro_batch']}"
    )
    click.echo(f"inference of {batch}: {inference['ms_per_batch']:.2f} ms, "
               f"{inference['images_per_s']:,.0f} images/s")  # fmt: skip
    for path, name in train["algorithms"].items():
        click.echo(f"  {path:<30} {name}")
