"""`cnndsl explain CODE`."""

import click

from cnndsl.report.manual import code_page, codes


@click.command("explain")
@click.argument("code", required=False)
def command(code: str | None) -> None:
    """Say what a diagnostic such as E201 means and how to mend it."""
    if code:
        click.echo(code_page(code))
        return
    for known in codes():
        click.echo(code_page(known).splitlines()[0].lstrip("# "))
