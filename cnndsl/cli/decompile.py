"""`cnndsl decompile MODEL`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnndsl.cli.common import refuse_overwriting
from cnndsl.passes.includes import normal, says
from cnndsl.source import UserError, printable

if TYPE_CHECKING:
    from onnx import ModelProto

    from cnndsl.decompile.embedded_source import Tensors
    from cnndsl.weights.model_info import ModelInfo

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
    """An ONNX classifier, or a model of Keras, back to a spec that means the same.

    A file that `compile` or `train` wrote carries its source, which is printed.
    """
    from cnndsl.decompile.keras import from_keras
    from cnndsl.files import refuse_run_folder, write_whole
    from cnndsl.weights.folders import refuse_folder
    from cnndsl.weights.keras import is_keras
    from cnndsl.weights.safetensors import pack_weights

    refuse_overwriting(output, model, weights)
    refuse_overwriting(weights, model)
    refuse_run_folder(model, "weights/best.onnx")
    refuse_folder(model)
    if is_keras(model):
        keras = from_keras(model, size)
        found = _Found(keras.text, keras.tensors, keras.info, keras.notes)
    else:
        found = _of_onnx(model, graph, size, weights is not None)
    for note in found.notes:
        click.echo(printable(f"note: {note}"), err=True)
    if output is not None:
        given = {output.name: found.text} if not force else {}
        _refuse_others(output.parent, given, found.used)
    if weights:
        write_whole(weights, pack_weights(found.tensors, found.info))
        click.echo(f"{weights}: {len(found.tensors)} tensors", err=True)
    if output is None:
        for name in found.used:
            click.echo(f"it uses {name}, which -o writes beside it", err=True)
        click.echo(printable(normal(found.text), "\t"), nl=not found.text.endswith("\n"))
    else:
        _write_used(output.parent, found.used)
        write_whole(output, found.text.encode())
        click.echo(f"{output}\n  cnndsl check {output}", err=True)


@dataclass(frozen=True)
class _Found:
    """A spec and what is written beside it."""

    text: str
    tensors: "Tensors"
    info: "ModelInfo"
    notes: tuple[str, ...] = ()
    used: Mapping[str, str] = field(default_factory=dict[str, str])


def _of_onnx(
    path: Path, graph: bool, size: tuple[int, int] | None, with_tensors: bool
) -> _Found:  # fmt: skip
    """The source that a file carries, or its graph as a spec."""
    from cnndsl.decompile import embedded_source
    from cnndsl.runtime.foreign import checked, fix_size, load_model

    proto = load_model(path)
    if size is not None:
        fix_size(proto, *size)
    text = None if graph else embedded_source.source(proto)
    if text is None or with_tensors or not embedded_source.is_step(proto):
        checked(proto, str(path))
    if text is None:
        return _of_graph(proto)
    spec = embedded_source.spec(proto) if with_tensors else None
    tensors = embedded_source.tensors(proto, spec) if spec else {}
    used = embedded_source.used(proto)
    return _Found(text, tensors, embedded_source.model_info(proto), used=used)


def _of_graph(proto: "ModelProto") -> _Found:
    """The operators as a spec; where they cannot be read, a source that is there is named."""
    from cnndsl.decompile import embedded_source, from_graph

    try:
        found = from_graph(proto)
    except UserError as error:
        if embedded_source.source(proto) is None:
            raise
        raise UserError(f"{error}\n  leave --graph out: the file carries its source") from None
    return _Found(found.text, found.tensors, found.info, found.notes)


def _refuse_others(folder: Path, spec: dict[str, str], used: Mapping[str, str]) -> None:
    """UserError where a file is there with another text."""
    for name, text in {**spec, **used}.items():
        path = folder / name
        if path.is_file() and not says(path, text):
            hint = "--force writes over it" if name in spec else "give -o another folder"
            raise UserError(f"{path} is there with another text; {hint}")


def _write_used(folder: Path, used: Mapping[str, str]) -> None:
    """The files that the spec uses; those that are there say the same already."""
    from cnndsl.files import write_below

    new = {name: text for name, text in used.items() if not (folder / name).exists()}
    write_below(folder, new)
    for name in new:
        click.echo(f"{folder / name}", err=True)
