"""`cnndsl fmt FILE…`."""

from pathlib import Path

import click

from cnndsl.cli.common import spec_source
from cnndsl.source import Failed, Source


@click.command("fmt")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--check", "only_check", is_flag=True, help="Change nothing; exit 1 if it would.")
@click.option("--diff", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--annotate", is_flag=True, help="Write output shapes as comments.")
@click.option("--expand", is_flag=True, help="Print the spec with blocks and repeats unrolled.")
def command(
    files: tuple[Path, ...], only_check: bool, diff: bool, annotate: bool, expand: bool
) -> int:
    """Bring specs into the one layout (- reads standard input and prints).

    Exit 0: done, or nothing to do · 1: errors, or with --check and --diff: it would change.
    """
    changed = 0
    for file in files:
        source = spec_source(file)
        text = _laid_out(source, annotate, expand)
        if expand or (source.path is None and not (only_check or diff)):
            click.echo(text, nl=False)
        elif text != source.text:
            changed += 1
            _change(source, text, only_check, diff)
    return int(bool(changed) and (only_check or diff))


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


def _change(source: Source, text: str, only_check: bool, diff: bool) -> None:
    from cnndsl.edits import difference, rewrite

    if diff:
        click.echo(difference(source, text), nl=False)
    elif only_check:
        click.echo(f"would change: {source.name}")
    elif source.path is not None:
        rewrite(source.path, text)
        click.echo(f"changed: {source.name}", err=True)
