"""`cnndsl completion SHELL`."""

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from cnndsl.source import UserError

SHELLS = ("bash", "zsh", "fish")
_HOW = {
    "bash": 'eval "$(cnndsl completion bash)"      in ~/.bashrc',
    "zsh": 'eval "$(cnndsl completion zsh)"       in ~/.zshrc, behind compinit',
    "fish": "cnndsl completion fish > ~/.config/fish/completions/cnndsl.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@click.pass_context
def command(ctx: click.Context, shell: str | None) -> None:
    """Print what makes a shell complete commands and options: bash, zsh or fish."""
    shell = shell or Path(os.environ.get("SHELL", "")).name
    if shell not in SHELLS:
        lines = "\n".join(f"  {how}" for how in _HOW.values())
        raise UserError(f"which shell?\n{lines}")
    made = get_completion_class(shell)
    assert made is not None
    root = ctx.find_root().command
    click.echo(made(root, {}, "cnndsl", "_CNNDSL_COMPLETE").source())
