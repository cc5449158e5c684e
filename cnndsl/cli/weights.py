"""`cnndsl weights show|match|convert`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.common import load, map_option, refuse_overwriting, set_option, to_json
from cnndsl.cli.defaults import name_variables
from cnndsl.source import UserError, printable

if TYPE_CHECKING:
    from cnndsl.ir import Model
    from cnndsl.weights.base import RawWeights

_PATH = click.Path(path_type=Path)
_json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")


@click.group("weights")
def command() -> None:
    """What a file of weights holds, and which of it a spec takes."""


@command.command("show")
@click.argument("file", type=_PATH)
@_json_option
def show(file: Path, as_json: bool) -> None:
    """Tensors of a file in their order, with shapes, types and statistics."""
    from cnndsl.report.weights import contents, contents_table
    from cnndsl.weights import read_raw

    raw = read_raw(file)
    _say(file, raw.notes)
    found = contents(raw)
    click.echo(to_json(found, 2) if as_json else printable(contents_table(found)))


@command.command("match")
@click.argument("file", type=_PATH)
@click.argument("spec", type=_PATH)
@set_option
@map_option
@click.option("--write-map", type=_PATH, help="Draft a map: what is open is a list to choose from.")
@_json_option
def match(
    file: Path, spec: Path, settings: tuple[str, ...], name_map: Path | None,
    write_map: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Which tensor of a file is which of a spec, and how that was found."""
    from cnndsl.report.weights import pairs, pairs_table
    from cnndsl.weights import match as matching
    from cnndsl.weights import read_raw
    from cnndsl.weights.fit import fit_weights
    from cnndsl.weights.name_map import read_map
    from cnndsl.weights.unsaid import differences

    refuse_overwriting(write_map, file, spec, name_map)
    model, raw = load(spec, settings), read_raw(file)
    if write_map:
        _write_map(raw, model, str(file), write_map)
    found = matching.match(raw, model, str(file), name_map and read_map(name_map))
    fit_weights(matching.arranged(raw, found, model), model, str(file))
    shapes = {name: p.shape for name, p in model.tensors().items()}
    table = pairs(raw, found, shapes)
    table["notes"] += differences(raw, found.names, model)
    _say(file, table["notes"])
    click.echo(to_json(table, 2) if as_json else printable(pairs_table(table)))


@command.command("convert")
@click.argument("file", type=_PATH)
@click.argument("spec", type=_PATH)
@click.option("-o", "--output", type=_PATH, required=True, help="The .safetensors file to write.")
@set_option
@map_option
def convert(
    file: Path, spec: Path, output: Path, settings: tuple[str, ...], name_map: Path | None
) -> None:
    """A spec's tensors of a file under their names there, as safetensors."""
    from cnndsl.files import write_whole
    from cnndsl.weights.fit import read_weights, told
    from cnndsl.weights.safetensors import pack_weights

    refuse_overwriting(output, file, spec, name_map)
    if output.suffix != ".safetensors":
        raise UserError(f"{output} is written as .safetensors")
    found = told(read_weights(file, load(spec, settings), name_map))
    write_whole(output, pack_weights(found.tensors, found.info))
    click.echo(f"{output}: {len(found.tensors)} tensors", err=True)


for _command in (show, match, convert):
    name_variables(f"weights_{_command.name}", _command)


def _say(file: Path, notes: Any) -> None:
    for note in notes:
        click.echo(printable(f"{file}: {note}"), err=True)


def _write_map(raw: "RawWeights", model: "Model", origin: str, path: Path) -> None:
    from cnndsl.files import write_whole
    from cnndsl.weights.match import drafted_map

    if path.exists():
        raise UserError(f"{path} is there already; give --write-map another name")
    entries = drafted_map(raw, model, origin)
    write_whole(path, (json.dumps(entries, indent=1) + "\n").encode())
    still_open = sum(isinstance(target, list) for target in entries.values())
    click.echo(f"{path}: {len(entries)} modules, {still_open} to choose by hand", err=True)
