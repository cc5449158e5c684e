"""`cnndsl init NAME`."""

from pathlib import Path

import click

from cnndsl import resources
from cnndsl.fields import nearest
from cnndsl.source import UserError


@click.command("init")
@click.argument("name", required=False)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="NAME.cnn by default.")
@click.option("--list", is_flag=True, help="The templates there are.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def command(name: str | None, output: Path | None, force: bool, **options: bool) -> None:
    """Start from a published network: a commented spec to change."""
    known = {path.stem: path for path in sorted(resources.folder("specs").glob("*.cnn"))}
    if options["list"] or name is None:
        _list(known)
        return
    if name not in known:
        close = nearest(name, set(known))
        hint = f"did you mean `{close}`?" if close else "`cnndsl init --list` shows them"
        raise UserError(f"there is no template `{name}`; {hint}")
    target = output or Path(f"{name}.cnn")
    if target.exists() and not force:
        raise UserError(f"{target}: is there already\n  --force writes over it, -o names another")
    from cnndsl.files import write_whole

    write_whole(target, known[name].read_bytes())
    click.echo(f"{target}: {_about(known[name])}\n  cnndsl check {target}")


def _list(known: dict[str, Path]) -> None:
    width = max(map(len, known))
    for name, path in known.items():
        click.echo(f"{name:<{width}}  {_about(path)}")


def _about(path: Path) -> str:
    """The first line of a spec: its title."""
    return path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
