"""`cnndsl check FILE…`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import click

from cnndsl.cli.common import set_option, spec_files, spec_source, style
from cnndsl.lints import Choice, inspect_file
from cnndsl.passes.analyse import is_part
from cnndsl.passes.settings import parse_settings
from cnndsl.report.diagnostics import FORMATS
from cnndsl.report.summary import one_line
from cnndsl.source import Diagnostic, Source, UserError
from cnndsl.syntax import ast


def _codes(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(code.strip() for text in texts for code in text.split(",") if code.strip())


@click.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@set_option
@click.option("--output-format", type=click.Choice(list(FORMATS)), default="full",
              show_default=True, help="How diagnostics are printed.")  # fmt: skip
@click.option("--select", multiple=True, callback=_codes, metavar="CODES",
              help="Only these warnings: W301, or W3 for all that begin so.")  # fmt: skip
@click.option("--ignore", multiple=True, callback=_codes, metavar="CODES",
              help="Not these warnings.")  # fmt: skip
@click.option("--fix", is_flag=True, help="Mend in the .cnn file what can safely be mended.")
@click.option("--unsafe-fixes", is_flag=True,
              help="With --fix or --diff: mends that change the network, too.")  # fmt: skip
@click.option("--diff", is_flag=True, help="Show what --fix would change, and change nothing.")
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing on success.")
def command(
    files: tuple[Path, ...], settings: tuple[str, ...], output_format: str,
    select: tuple[str, ...], ignore: tuple[str, ...], fix: bool, unsafe_fixes: bool, diff: bool,
    strict: bool, quiet: bool,
) -> int:  # fmt: skip
    """Find every mistake of one or more specs (- reads standard input, a folder all below it).

    Exit 0: no errors · 1: errors (with --diff: something would change) · 2: a file cannot be read.
    """
    run = _Run(parse_settings(settings), Choice.of(select, ignore), unsafe_fixes)
    sources = [spec_source(file) for file in spec_files(files)]
    if diff:
        return _show_fixes(run, sources)
    if fix:
        _refuse_other_files(sources)
        sources = [_fix_file(run, source) for source in sources]
    found = list[Diagnostic]()
    good = list[str]()
    for source in sources:
        line, diagnostics = _inspected(run, source)
        found += diagnostics
        good += [line] if line else []
    if found or output_format in ("json", "sarif"):
        click.echo(FORMATS[output_format](found, style(sys.stdout)), color=True)
    if sys.stdout.isatty() and not fix:
        _tell_of_fixes(found)
    for line in good if output_format in ("full", "concise") and not quiet else ():
        click.echo(line)
    return int(len(good) < len(sources) or (strict and bool(found)))


def _inspected(run: "_Run", source: Source) -> tuple[str | None, list[Diagnostic]]:
    """What is said of a file without errors (None where there are some), and its diagnostics.

    A file of blocks only is a part of other specs: that it is not a network is no mistake.
    """
    model, found, file = inspect_file(source, run.settings, run.choice)
    if model is not None:
        return one_line(model, source.name), found
    if not is_part(file) or {d.code for d in found} != {"E301"}:
        return None, found
    names = [node.name.id for node in file.body if isinstance(node, ast.Block)]
    return f"{source.name}: a part, with the blocks {', '.join(names)}", []


def _tell_of_fixes(found: list[Diagnostic]) -> None:
    """To people at a terminal: how many of these `--fix` can mend."""
    fixes = [d.fix for d in found if d.fix is not None]
    safe = sum(fix.safe for fix in fixes)
    if fixes:
        rest = f", {len(fixes) - safe} more with --unsafe-fixes" if safe < len(fixes) else ""
        click.echo(f"\n{safe} of {len(found)} can be mended by --fix{rest}", err=True)


@dataclass(frozen=True)
class _Run:
    """What all files of a call share."""

    settings: dict[str, float]
    choice: Choice
    unsafe: bool


def _refuse_other_files(sources: list[Source]) -> None:
    """Refuse to write a spec over a program, which holds more than a network."""
    path = next((s.path for s in sources if s.is_of_other_kind), None)
    if path is not None:
        spec = quote(str(_free_name(path)))
        raise UserError(
            f"{path}: --fix changes `.cnn` files only: the rest of a program would be lost\n"
            f"  mend a copy: `cp {quote(str(path))} {spec}`, then `cnndsl check --fix {spec}`"
        )


def _free_name(path: Path) -> Path:
    """A spec beside a file; never one that is there."""
    spec = path.with_suffix(".cnn")
    return Path(f"{path}.cnn") if spec.exists() else spec


def _fix_file(run: _Run, source: Source) -> Source:
    """Fix a file; what was done is said on stderr."""
    from cnndsl.edits import rewrite
    from cnndsl.lints.fixing import fixed

    if source.path is None:
        raise click.UsageError("--fix changes files; for standard input there is --diff")
    result = fixed(source, run.settings, run.choice, run.unsafe)
    if result.count:
        rewrite(source.path, result.source.text)
        click.echo(f"{source.name}: {result.count} fixed", err=True)
    elif result.refused:
        click.echo(f"{source.name}: left as it is, as it would have errors after the fixes, too",
                   err=True)  # fmt: skip
    return result.source


def _show_fixes(run: _Run, sources: list[Source]) -> int:
    from cnndsl.edits import difference
    from cnndsl.lints.fixing import fixed

    shown = ""
    for source in sources:
        result = fixed(source, run.settings, run.choice, run.unsafe)
        shown += difference(source, result.source.text)
    click.echo(shown, nl=False)
    return int(bool(shown))
