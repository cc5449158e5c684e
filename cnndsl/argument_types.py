"""Kinds of arguments that the public functions take: another is one error, in Python's words."""

from collections.abc import Iterable
from operator import index
from pathlib import Path
from typing import Any, SupportsFloat, cast

from cnndsl.source import UserError

_PLAIN = (str, int, float, bool, type(None))
_LONGEST = 40


class WrongType(UserError, TypeError):  # noqa: N818  (read as: the wrong type)
    """An argument of another kind than the function takes."""


def shown(value: object) -> str:
    """A plain value as it is written, anything else by its type: `3`, `a History`."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    text = repr(value)
    if isinstance(value, _PLAIN) and len(text) <= _LONGEST:
        return text
    name = type(value).__name__.replace("ndarray", "array")
    return f"{'an' if name[0].lower() in 'aeio' else 'a'} {name}"


def as_path(name: str, value: object) -> Path:
    """A path, given as one or as its text."""
    if isinstance(value, str | Path):
        return Path(value)
    raise WrongType(f"{name}: a path, not {shown(value)}")


def as_text(name: str, value: object) -> str:
    """A text."""
    if isinstance(value, str):
        return value
    raise WrongType(f"{name}: a text, not {shown(value)}")


def as_texts(name: str, value: Any) -> tuple[str, ...]:
    """One text or several."""
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Iterable):
        raise WrongType(f"{name}: a text or several, not {shown(value)}")
    return tuple(as_text(name, each) for each in cast("Iterable[object]", value))


def as_flag(name: str, value: object) -> bool:
    """True or False, also those of NumPy."""
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise WrongType(f"{name}: True or False, not {shown(value)}")


def as_whole(name: str, value: Any, least: int | None = None) -> int:
    """A whole number, also one of NumPy, at least as large as `least`."""
    try:
        number = index(value)
    except TypeError:
        raise WrongType(f"{name}: a whole number, not {shown(value)}") from None
    if isinstance(value, bool):
        raise WrongType(f"{name}: a whole number, not {value}")
    if least is not None and number < least:
        raise UserError(f"{name}: at least {least}, not {number}")
    return number


def as_number(name: str, value: Any, least: float) -> float:
    """A number, also one of NumPy, at least as large as `least`."""
    if isinstance(value, bool) or not isinstance(value, SupportsFloat):
        raise WrongType(f"{name}: a number, not {shown(value)}")
    number = float(value)
    if not number >= least:
        raise UserError(f"{name}: at least {least:g}, not {number:g}")
    return number


def optional(check: Any, name: str, value: object, *rest: Any) -> Any:
    """What a check gives; None for None."""
    return None if value is None else check(name, value, *rest)
