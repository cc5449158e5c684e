"""What several commands share: colours, the spec argument, settings."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

import click

from cnndsl.files import is_run_folder, refuse_run_folder, write_whole
from cnndsl.ir import Model
from cnndsl.passes.analyse import analyse
from cnndsl.passes.includes import decode, read
from cnndsl.passes.settings import parse_settings
from cnndsl.report.units import mib
from cnndsl.runtime.session import DEVICES
from cnndsl.source import Failed, Source, UserError
from cnndsl.style import Style

if TYPE_CHECKING:
    from onnx import ModelProto

    from cnndsl.lower.driver import Phase


def style(stream: TextIO) -> Style:
    """Colours if the stream is a terminal; NO_COLOR and FORCE_COLOR decide before that."""
    width = shutil.get_terminal_size((Style.width, 24)).columns
    if os.environ.get("NO_COLOR"):
        return Style(False, width)
    if os.environ.get("FORCE_COLOR"):
        return Style(True, width)
    return Style(stream.isatty() and os.environ.get("TERM") != "dumb", width)


spec_argument = click.argument("file", type=click.Path(path_type=Path))
set_option = click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Override a file-level `let`."
)
map_option = click.option(
    "--map", "name_map", type=click.Path(path_type=Path), metavar="PATH",
    help="Names of the weights' file with those of the spec: JSON, as `weights match` drafts it.",
)  # fmt: skip
data_dir_option = click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Where the data set's files are."
)
device_option = click.option(
    "--device", type=click.Choice(DEVICES), default="auto", show_default=True,
    help="Where to compute; auto takes CUDA where it is there.",
)  # fmt: skip
threads_option = click.option(
    "--threads", type=click.IntRange(min=1), help="CPU threads; one a core by default."
)


class Listed(click.Option):
    """An option whose help lists what there is, asked only where help is shown: `{}` in its text.

    So the registry whose words these are is not imported to run a command.
    """

    def __init__(self, *args: Any, listing: Callable[[], str], **settings: Any) -> None:
        self._listing, self._help = listing, ""
        super().__init__(*args, **settings)

    @property
    def help(self) -> str:
        """The text with its list."""
        return self._help.replace("{}", self._listing())

    @help.setter
    def help(self, text: str | None) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The text, whose `{}` is the list."""
        self._help = text or ""


def listed_data() -> str:
    """The data sets and formats of `--data`."""
    from cnndsl.data.formats import listed

    return listed()


def listed_algorithms(phase: "Phase | None" = None) -> str:
    """The choices of `--conv`, of all phases or of one."""
    from cnndsl.lower.conv.table import names_for

    return ", ".join(names_for(phase))


def views_option(default: str) -> Callable[..., Any]:
    """The option `--views`; `default` says which ones there are without it."""
    told = 'Average several views of each picture, as in a spec: "mirror shift=1"'
    return click.option("--views", metavar="WORDS", help=f"{told}; {default}.")


preprocess_option = click.option(
    "--preprocess", metavar="NAME",
    help="How the weights' images were prepared: imagenet, imagenet-bicubic …",
)  # fmt: skip


def refuse_both_ways(ctx: click.Context) -> None:
    """UsageError for `--processes`, which starts them, beside `--distributed`, which joins them."""
    if {"processes", "distributed"} <= on_line(ctx):
        raise click.UsageError("give --processes N, or --distributed under mpiexec: not both")


def each_process(arguments: list[str]) -> list[str]:
    """The command as each of the processes gets it."""
    kept = list[str]()
    rest = iter(arguments)
    for argument in rest:
        if argument == "--processes":
            next(rest, None)
        elif not argument.startswith("--processes="):
            kept.append(argument)
    return [*kept, "--distributed"]


def on_line(ctx: click.Context) -> set[str]:
    """The options and arguments that stand on this command line, by name."""
    line = click.core.ParameterSource.COMMANDLINE
    return {name for name in ctx.params if ctx.get_parameter_source(name) is line}


def refuse_options(ctx: click.Context, names: Collection[str], why: str) -> None:
    """UsageError for the first of these options that stands on this command line."""
    given = on_line(ctx).intersection(names)
    for option in ctx.command.params:
        if option.name in given:
            written = " / ".join((*option.opts, *option.secondary_opts))
            raise click.UsageError(f"{written} {why}")


def from_project(ctx: click.Context) -> set[str]:
    """Options whose value comes from `[tool.cnndsl]`: the spec's own settings stand above them."""
    source = click.core.ParameterSource.DEFAULT_MAP
    return {name for name in ctx.params if ctx.get_parameter_source(name) is source}


def spec_source(file: Path) -> Source:
    """The text of a spec; `-` is standard input."""
    if str(file) == "-":
        return Source(decode(sys.stdin.buffer.read()), "<stdin>")
    return read(file)


def spec_files(paths: Sequence[Path]) -> list[Path]:
    """The paths, a folder as all specs below it; UserError where it has none.

    Hidden folders and run folders are left out: a run's spec is the run's.
    """
    found = list[Path]()
    for path in paths:
        below = sorted(_below(path)) if path.is_dir() else [path]
        if not below:
            refuse_run_folder(path, "model.cnn")
            raise UserError(f"{path}: a folder without a .cnn file")
        found += below
    return found


def _below(folder: Path) -> Iterator[Path]:
    for top, folders, files in os.walk(folder):
        is_run = is_run_folder(Path(top))
        folders[:] = [name for name in folders if not (is_run or name.startswith("."))]
        yield from (Path(top, name) for name in files if name.endswith(".cnn") and not is_run)


def refuse_overwriting(output: Path | None, *others: Path | None) -> None:
    """UserError where a file to write is one that is read, or written, besides."""
    if output is not None and any(
        o is not None and os.path.realpath(o) == os.path.realpath(output) for o in others
    ):
        raise UserError(f"{output} is used by this command besides; give -o another name")


def write_graph(path: Path, graph: "ModelProto") -> str:
    """Write a graph that onnx's checker takes; its file and size, as a report of it begins."""
    from cnndsl.backend.check import checked_bytes

    data = checked_bytes(graph)
    write_whole(path, data)
    return f"{path}: {mib(len(data))}"


def numbers(
    ctx: click.Context, param: click.Parameter, text: str | None
) -> tuple[float, ...] | None:
    """The callback of an option that takes numbers with commas."""
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter("write numbers with commas: 0.49,0.48,0.45") from None


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON as its standard has it: NaN and infinity are null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    match value:
        case float() if not isfinite(value):
            return None
        case dict():
            return {k: _finite(v) for k, v in cast("dict[str, Any]", value).items()}
        case list() | tuple():
            return [_finite(v) for v in cast("list[Any]", value)]
        case _:
            return value


def load(file: Path, settings: Sequence[str] = ()) -> Model:
    """The model of a spec; Failed with all its diagnostics."""
    model, found = analyse(read(file), parse_settings(settings))
    if model is None:
        raise Failed(found)
    return model
