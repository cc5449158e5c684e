"""`cnndsl graph FILE -o g.svg`."""

from pathlib import Path

import click

from cnndsl.cli.common import load, refuse_overwriting, set_option, spec_argument


@click.command("graph")
@spec_argument
@click.option("-o", "--output", type=click.Path(path_type=Path),
              help="A .svg, .html, .png, .pdf, .dot or .mmd file; else Mermaid.")  # fmt: skip
@set_option
@click.option("--depth", type=click.IntRange(min=0),
              help="Levels of blocks to open; by default as many as stay readable.")  # fmt: skip
@click.option("--direction", type=click.Choice(["TB", "LR"], case_sensitive=False), default="TB",
              show_default=True, help="Where the data flow: down or to the right.")  # fmt: skip
def command(
    file: Path, output: Path | None, settings: tuple[str, ...], depth: int | None, direction: str
) -> None:
    """Draw a network: blocks, shapes, parameters and multiply-accumulates."""
    from cnndsl.diagram import Picture, render
    from cnndsl.files import write_whole

    refuse_overwriting(output, file)
    picture = Picture(load(file, settings), depth, direction.upper() == "TB")
    data = render(picture, output or Path("stdout.mmd"))
    if output is None:
        click.echo(data.decode(), nl=False)
        return
    write_whole(output, data)
    click.echo(f"{output}: {len(data) / 1000:.1f} kB", err=True)
