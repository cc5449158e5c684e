"""Words of messages: for the command line or for Python, and of one thing or several."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_HISSING = ("s", "x", "sh", "tch", "nch")
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


def counted(count: float, noun: str) -> str:
    """`1 channel`, `3 channels`, `1,024 classes`, `2 entries`."""
    number = f"{count:,}" if isinstance(count, int) else f"{count:g}"
    if count == 1:
        return f"{number} {noun}"
    if noun.endswith("y") and noun[-2:-1] not in "aeou":
        return f"{number} {noun[:-1]}ies"
    return f"{number} {noun}es" if noun.endswith(_HISSING) else f"{number} {noun}s"
