"""Whom a message speaks to: somebody at the command line, or a caller in Python."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_at_command_line = ContextVar("_at_command_line", default=False)


@contextmanager
def command_line() -> Generator[None]:
    """Within it messages name options and commands; elsewhere arguments and functions."""
    token = _at_command_line.set(True)
    try:
        yield
    finally:
        _at_command_line.reset(token)


def either(command: str, python: str) -> str:
    """The words for the command line, or those for Python."""
    return command if _at_command_line.get() else python


def option(name: str, value: object = None) -> str:
    """`--batch 32` or `batch=32`; a flag `--force` or `force=True`; bare `--out` or `out=`."""
    argument = name.replace("-", "_")
    if value is None or value is True:
        return either(f"--{name}", f"{argument}={'' if value is None else True}")
    return either(f"--{name} {value}", f"{argument}={value!r}")
