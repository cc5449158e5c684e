"""`cnndsl check FILE…`."""

import sys
from pathlib import Path

import click

from cnndsl.cli.common import parse_settings, set_option, style
from cnndsl.passes.analyse import analyse
from cnndsl.passes.includes import read
from cnndsl.report.diagnostics import FORMATS
from cnndsl.report.summary import one_line
from cnndsl.source import Diagnostic, Source


@click.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@set_option
@click.option("--output-format", type=click.Choice(list(FORMATS)), default="full",
              show_default=True, help="How diagnostics are printed.")  # fmt: skip
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing on success.")
def command(
    files: tuple[Path, ...],
    settings: tuple[str, ...],
    output_format: str,
    strict: bool,
    quiet: bool,
) -> int:
    """Find every mistake of one or more specs (- reads standard input).

    Exit 0: no errors · 1: errors · 2: a file cannot be read.
    """
    found = list[Diagnostic]()
    good = list[str]()
    for file in files:
        model, diagnostics = analyse(_source(file), parse_settings(settings))
        found += diagnostics
        if model is not None:
            good.append(one_line(model, str(file)))
    if found or output_format in ("json", "sarif"):
        click.echo(FORMATS[output_format](found, style(sys.stdout)), color=True)
    for line in good if output_format in ("full", "concise") and not quiet else ():
        click.echo(line)
    return int(len(good) < len(files) or (strict and bool(found)))


def _source(file: Path) -> Source:
    if str(file) == "-":
        from cnndsl.passes.includes import decode

        return Source(decode(sys.stdin.buffer.read()), "<stdin>")
    return read(file)
