"""`cnndsl fmt FILE…`."""

from pathlib import Path

import click

from cnndsl.cli.common import spec_files, spec_source
from cnndsl.source import Diagnostic, Failed, Source


@click.command("fmt")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--check", is_flag=True, help="Change nothing; exit 1 if it would.")
@click.option("--diff", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--annotate", is_flag=True, help="Write output shapes as comments.")
@click.option("--expand", is_flag=True, help="Print the spec with blocks and repeats unrolled.")
def command(files: tuple[Path, ...], check: bool, diff: bool, annotate: bool, expand: bool) -> int:
    """Bring specs into the one layout (- reads standard input and prints; a folder: all below it).

    Exit 0: done, or nothing to do · 1: errors, or with --check and --diff: it would change.
    """
    if expand and (check or diff):
        raise click.UsageError("--expand prints; it says nothing to --check and --diff")
    would_change, found = False, list[Diagnostic]()
    for file in spec_files(files):
        source = spec_source(file)
        try:
            text = _laid_out(source, annotate, expand)
        except Failed as failed:  # the others are laid out all the same
            found += failed.diagnostics
            continue
        if expand or (source.path is None and not (check or diff)):
            click.echo(text, nl=False)
        elif text != source.text:
            would_change |= check or diff
            _change(source, text, check, diff)
    if found:
        raise Failed(found)
    return int(would_change)


def _laid_out(source: Source, annotate: bool, expand: bool) -> str:
    from cnndsl.fmt import formatted

    text = formatted(source)
    if not (annotate or expand):
        return text
    from cnndsl.fmt.annotate import annotated
    from cnndsl.fmt.unroll import unrolled
    from cnndsl.passes.analyse import analyse

    neat = Source(text, source.name, source.path)
    model, found = analyse(neat)
    if model is None:
        raise Failed(found)
    if not expand:
        return annotated(neat, model)
    flat = Source(unrolled(model), source.name)
    again = analyse(flat)[0]
    return annotated(flat, again) if annotate and again else flat.text


def _change(source: Source, text: str, check: bool, diff: bool) -> None:
    from cnndsl.edits import difference, rewrite

    if diff:
        click.echo(difference(source, text), nl=False)
    elif check:
        click.echo(f"would change: {source.name}")
    elif source.path is not None:
        rewrite(source.path, text)
        click.echo(f"changed: {source.name}", err=True)
