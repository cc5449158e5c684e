"""`cnndsl lsp`."""

import click

from cnndsl.source import UserError


@click.command("lsp")
def command() -> None:
    """Speak the language server protocol on stdin and stdout, for editors."""
    try:
        from cnndsl.lsp.server import server
    except ModuleNotFoundError as error:
        if error.name not in ("pygls", "lsprotocol"):
            raise
        raise UserError("the language server needs pygls\n  pip install pygls") from None
    server.start_io()
