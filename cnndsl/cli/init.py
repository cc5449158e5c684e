"""`cnndsl init NAME`."""

import re
from collections.abc import Iterator
from pathlib import Path

import click

from cnndsl import resources
from cnndsl.edits import apply
from cnndsl.fields import nearest
from cnndsl.ir import Model
from cnndsl.lints import inspect
from cnndsl.passes.outputs import output_fixes
from cnndsl.source import Diagnostic, Fix, Source, UserError

_COUNT = re.compile(r"^# parameters: [\d,]+$", re.MULTILINE)
_OTHER_DATA = ("W203", "W214")
_FOLDER = "images"
_SHAPE = re.compile(r"\d+(x\d+)*")


def _shape(ctx: click.Context, param: click.Parameter, text: str | None) -> str | None:
    if text is not None and not _SHAPE.fullmatch(text):
        raise click.BadParameter(
            f"{text!r} is not a shape; write channels x height x width: 3x64x64"
        )
    return text


@click.command("init")
@click.argument("name", required=False)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="NAME.cnn by default.")
@click.option("--classes", type=click.IntRange(min=1), help="Outputs of the last layer.")
@click.option("--input", "shape", callback=_shape, metavar="CxHxW",
              help="Another size of the images, such as 3x64x64.")  # fmt: skip
@click.option("--list", is_flag=True, help="The templates there are.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def command(
    name: str | None, output: Path | None, classes: int | None, shape: str | None, force: bool,
    **options: bool,
) -> None:  # fmt: skip
    """Start from a published network: a commented spec to change."""
    known = {path.stem: path for path in sorted(resources.folder("specs").glob("*.cnn"))}
    if options["list"] or name is None:
        _list(known)
        return
    if name not in known:
        close = nearest(name, set(known))
        hint = f"did you mean `{close}`?" if close else "`cnndsl init --list` shows them"
        raise UserError(f"there is no template `{name}`; {hint}")
    target = output or Path(f"{name}.cnn")
    if target.exists() and not force:
        raise UserError(f"{target} is there already\n  --force writes over it, -o names another")
    from cnndsl.files import write_whole

    text = known[name].read_text(encoding="utf-8")
    adapted = _adapted(text, str(target), classes, shape)
    write_whole(target, adapted.encode("utf-8"))
    click.echo(f"{target}: {_about(known[name])}\n  cnndsl check {target}")
    if f'data "{_FOLDER}"' in adapted:
        click.echo(f'  data "{_FOLDER}" stands for your images: a folder, one folder a class')


def _adapted(text: str, name: str, classes: int | None, shape: str | None) -> str:
    """A template for other images or classes, with its new count of parameters.

    Its data become a folder where they are others than the network is for now. UserError where
    the network does not fit the input.
    """
    if classes is None and shape is None:
        return text
    model, _ = _inspected(Source(text, name), "")
    edits = [*_inputs(model, shape), *(output_fixes(model, classes) if classes else ())]
    changed, _ = apply(model.source, edits)
    model, found = _inspected(Source(changed, name), f"--input {shape}")
    if model.recipe is not None and any(d.code in _OTHER_DATA for d in found):
        place = model.recipe.places["data"]
        changed, _ = apply(model.source, [Fix(place, f'data "{_FOLDER}"', "your own data")])
    return _COUNT.sub(f"# parameters: {model.params:,}", changed, count=1)


def _inspected(source: Source, asked: str) -> tuple[Model, list[Diagnostic]]:
    """The model of a template and its warnings; UserError where it does not fit what is asked."""
    model, found = inspect(source)
    if model is None:
        raise UserError(
            f"{asked}: the network does not fit it: {found[0].message}\n"
            "  nothing is written; choose larger images, or change its layers behind a plain `init`"
        )
    return model, found


def _inputs(model: Model, shape: str | None) -> Iterator[Fix]:
    if shape is not None:
        yield from (Fix(s, shape, "another input") for s in model.nodes[0].places.values())


def _list(known: dict[str, Path]) -> None:
    width = max(map(len, known))
    for name, path in known.items():
        click.echo(f"{name:<{width}}  {_about(path)}")


def _about(path: Path) -> str:
    """The first line of a spec: its title."""
    return path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
