"""`cnndsl decompile MODEL.onnx`."""

import re
from pathlib import Path

import click

from cnndsl.cli.common import refuse_overwriting
from cnndsl.passes.includes import normal, says
from cnndsl.source import UserError, printable

_SIZE = re.compile(r"0*([1-9][0-9]{0,8})x0*([1-9][0-9]{0,8})")


def _size(ctx: click.Context, param: click.Parameter, text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    sizes = _SIZE.fullmatch(text)
    if sizes is None:
        raise click.BadParameter("write height and width: 224x224")
    return int(sizes[1]), int(sizes[2])


@click.command("decompile")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A .cnn file; else printed.")
@click.option("--weights", type=click.Path(path_type=Path),
              help="Write the weights, too: a .safetensors file.")  # fmt: skip
@click.option("--graph", is_flag=True,
              help="Read the operators, though the file carries its source.")  # fmt: skip
@click.option("--size", metavar="HxW", callback=_size,
              help="Height and width of the images, where the file leaves them open.")  # fmt: skip
@click.option("--force", is_flag=True, help="Write over a spec that is there.")
def command(
    model: Path, output: Path | None, weights: Path | None, graph: bool,
    size: tuple[int, int] | None, force: bool,
) -> None:  # fmt: skip
    """An ONNX classifier back to a spec that means the same.

    A file that `compile` or `train` wrote carries its source, which is printed.
    """
    from cnndsl.decompile import embedded_source, from_graph
    from cnndsl.files import write_whole
    from cnndsl.runtime.foreign import checked, fix_size, load_model
    from cnndsl.weights.safetensors import pack_weights

    refuse_overwriting(output, model, weights)
    refuse_overwriting(weights, model)
    proto = load_model(model)
    if size is not None:
        fix_size(proto, *size)
    text, used = None if graph else embedded_source.source(proto), dict[str, str]()
    if text is None or weights or not embedded_source.is_step(proto):
        checked(proto, str(model))
    if text is not None:
        used = embedded_source.used(proto)
        tensors = embedded_source.tensors(proto, embedded_source.spec(proto)) if weights else {}
        info = embedded_source.model_info(proto)
    else:
        found = from_graph(proto)
        text, tensors, info = found.text, found.tensors, found.info
        for note in found.notes:
            click.echo(f"note: {note}", err=True)
    if output is not None:
        _refuse_others(output.parent, {output.name: text} if not force else {}, used)
    if weights:
        write_whole(weights, pack_weights(tensors, info))
        click.echo(f"{weights}: {len(tensors)} tensors", err=True)
    if output is None:
        for name in used:
            click.echo(f"it uses {name}, which -o writes beside it", err=True)
        click.echo(printable(normal(text), "\t"), nl=not text.endswith("\n"))
    else:
        _write_used(output.parent, used)
        write_whole(output, text.encode())
        click.echo(f"{output}\n  cnndsl check {output}", err=True)


def _refuse_others(folder: Path, spec: dict[str, str], used: dict[str, str]) -> None:
    """UserError where a file is there with another text."""
    for name, text in {**spec, **used}.items():
        path = folder / name
        if path.is_file() and not says(path, text):
            hint = "--force writes over it" if name in spec else "give -o another folder"
            raise UserError(f"{path}: is there with another text; {hint}")


def _write_used(folder: Path, used: dict[str, str]) -> None:
    """The files that the spec uses; those that are there say the same already."""
    from cnndsl.files import write_below

    new = {name: text for name, text in used.items() if not (folder / name).exists()}
    write_below(folder, new)
    for name in new:
        click.echo(f"{folder / name}", err=True)
