"""Where options get their values from besides the command line: the environment, `pyproject.toml`.

Both name an option as it is written: `--output-format` is `CNNDSL_CHECK_OUTPUT_FORMAT`, and
`output-format` or `output_format` in `[tool.cnndsl.check]`.
"""

from pathlib import Path
from typing import Any, cast

import click

from cnndsl.fields import nearest
from cnndsl.source import UserError


def options(command: click.Command) -> dict[str, click.Option]:
    """The options of a command by their long names, `-` as `_`."""
    found = [p for p in command.params if isinstance(p, click.Option)]
    return {o[2:].replace("-", "_"): p for p in found for o in p.opts if o.startswith("--")}


def name_variables(name: str, command: click.Command) -> None:
    """Give each option its variable in the environment."""
    for long, option in options(command).items():
        option.envvar = f"CNNDSL_{name}_{long}".upper()


def project_defaults(name: str, command: click.Command, known: set[str]) -> dict[str, Any]:
    """What `[tool.cnndsl.NAME]` of a pyproject.toml here or above says of a command's options.

    UserError for a section or an option that there is not.
    """
    file = next((p for p in _projects() if p.is_file()), None)
    if file is None:
        return {}
    sections = _table(_table(_read(file), "tool", file), "cnndsl", file)
    for section in sections:
        if section not in known:
            raise _unknown(file, f"[tool.cnndsl.{section}]", section, known)
    there, found = options(command), dict[str, Any]()
    for key, value in _table(sections, name, file).items():
        long = key.replace("-", "_")
        if long not in there:
            raise _unknown(file, f"`{key}` in [tool.cnndsl.{name}]", long, set(there))
        option = there[long]
        if option.is_flag and not isinstance(value, bool):
            raise UserError(f"{file}: `{key}` in [tool.cnndsl.{name}] is true or false")
        assert option.name is not None
        found[option.name] = [value] if option.multiple and not isinstance(value, list) else value
    return found


def _projects() -> list[Path]:
    here = Path.cwd()
    return [folder / "pyproject.toml" for folder in (here, *here.parents)]


def _read(file: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: cannot be read: {error}") from None


def _table(inside: dict[str, Any], key: str, file: Path) -> dict[str, Any]:
    found = inside.get(key, {})
    if not isinstance(found, dict):
        raise UserError(f"{file}: `{key}` is a table: write `[tool.cnndsl.check]`")
    return cast("dict[str, Any]", found)


def _unknown(file: Path, what: str, name: str, known: set[str]) -> UserError:
    close = nearest(name, known)
    hint = f"did you mean `{close}`?" if close else f"known are {', '.join(sorted(known))}"
    return UserError(f"{file}: there is no {what}\n  {hint}")
