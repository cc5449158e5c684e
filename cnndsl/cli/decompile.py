"""`cnndsl decompile MODEL.onnx`."""

from pathlib import Path

import click

from cnndsl.cli.common import refuse_overwriting
from cnndsl.source import UserError, printable


@click.command("decompile")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A .cnn file; else printed.")
@click.option("--weights", type=click.Path(path_type=Path),
              help="Write the weights, too: a .safetensors file.")  # fmt: skip
@click.option("--graph", "from_graph", is_flag=True,
              help="Read the operators, though the file carries its source.")  # fmt: skip
def command(model: Path, output: Path | None, weights: Path | None, from_graph: bool) -> None:
    """An ONNX classifier back to a spec that means the same.

    A file that `compile` or `train` wrote carries its source, which is printed.
    """
    from cnndsl.backend.weights import pack_weights
    from cnndsl.decompile import from_graph as read_graph
    from cnndsl.decompile import stored
    from cnndsl.files import write_whole
    from cnndsl.runtime.foreign import load_checked

    refuse_overwriting(output, model, weights)
    refuse_overwriting(weights, model)
    proto = load_checked(model)
    text, used = None if from_graph else stored.source(proto), dict[str, str]()
    if text is not None:
        used = stored.used(proto)
    if text is None:
        found = read_graph(proto)
        text, tensors = found.text, found.tensors
    else:
        tensors = stored.tensors(proto) if weights else {}
    if weights:
        write_whole(weights, pack_weights(tensors, stored.meaning(proto)))
        click.echo(f"{weights}: {len(tensors)} tensors", err=True)
    if output is None:
        for name in used:
            click.echo(f"it uses {name}, which -o writes beside it", err=True)
        click.echo(printable(text.replace("\r\n", "\n").expandtabs()), nl=not text.endswith("\n"))
    else:
        _write_used(output.parent, used)
        write_whole(output, text.encode())
        click.echo(f"{output}\n  cnndsl check {output}", err=True)


def _write_used(folder: Path, used: dict[str, str]) -> None:
    """The files that the spec uses; none that is there with another text is touched."""
    from cnndsl.files import write_whole, writing

    paths = {folder / name: text.encode() for name, text in used.items()}
    for path, data in paths.items():
        if path.exists() and path.read_bytes() != data:
            raise UserError(f"{path}: is there with another text; give -o another folder")
    for path, data in paths.items():
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
        click.echo(f"{path}", err=True)
