"""`cnndsl layers [NAME]`."""

import click

from cnndsl.report.manual import layer_list, layer_page


@click.command("layers")
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """List the layers, or print the manual page of one."""
    if name:
        click.echo(layer_page(name))
    else:
        click.echo(f"{layer_list()}\n\n`cnndsl layers NAME` prints a word's manual page.")
