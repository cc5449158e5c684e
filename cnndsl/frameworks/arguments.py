"""Arguments of a call by the names that its framework gives them, and our words for values."""

import re
from typing import Any

from cnndsl.frameworks.values import Call, Symbol, Value, parts_of
from cnndsl.frameworks.words import lookup

INIT = re.compile(r" init=\w+")
"""How weights are drawn, among the keys of a layer in our words."""

_SILENT = ("name", "dtype", "data_format", "trainable", "inplace", "device", "autocast")
_ABOUT = "`{0}={1}` of `{2}` has no counterpart here"


class NoCounterpart(Exception):  # noqa: N818
    """What a call says cannot be said here; the text tells what is nearest."""


class NotTheirs(Exception):  # noqa: N818
    """The framework has no such argument: this is not a call of it."""


class Arguments:
    """The values of a call by name. Those that nothing asks for are refused at the end."""

    def __init__(self, call: Call, order: str) -> None:
        names = order.split()
        if len(call.arguments) > len(names):
            raise NotTheirs(call.name)
        self.call = call
        self._given = dict(zip(names, call.arguments, strict=False))
        for name, value in call.keywords.items():
            if name not in (*names, *_SILENT, *_SHAPES) or name in self._given:
                raise NotTheirs(name)
            self._given[name] = value
        if not isinstance(self._given.get("inplace", False), bool):
            raise NotTheirs("inplace")
        self._asked = {*_SILENT, *_SHAPES}

    def has(self, name: str) -> bool:
        """Whether an argument is given, and is not None."""
        return self._given.get(name) is not None

    def get(self, name: str, default: Value = None) -> Value:
        """The value of an argument."""
        self._asked.add(name)
        return self._given[name] if self.has(name) else default

    def skip(self, *names: str) -> None:
        """Accept arguments that need no word here."""
        self._asked.update(names)

    def only(self, name: str, *values: Value) -> None:
        """Refuse other values of an argument than these."""
        if self.get(name, values[0]) not in values:
            raise self._refused(name)

    def needed(self, name: str) -> Value:
        """The value of an argument that a call must have."""
        if not self.has(name):
            raise NotTheirs(name)
        return self.get(name)

    def number(self, name: str, default: float | None = None) -> Any:
        """A number, or the name of one."""
        value = self.needed(name) if default is None else self.get(name, default)
        if isinstance(value, Symbol) and value.path.lstrip("_").isidentifier():
            return value.path
        if isinstance(value, Symbol) and "." not in value.path:
            return value.path
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._refused(name)
        return value

    def flag(self, name: str, default: bool) -> bool:
        """A truth value."""
        value = self.get(name, default)
        if not isinstance(value, bool):
            raise self._refused(name)
        return value

    def pair(self, name: str, default: tuple[int, int] | None = None) -> tuple[Any, Any]:
        """A size of two sides, from one number or two."""
        value = self.needed(name) if default is None else self.get(name, default)
        sides = parts_of(value)
        if sides is not None:
            both = sides * 2 if len(sides) == 1 else sides
            if len(both) == 2 and all(type(side) is int for side in both):
                return both[0], both[1]
            raise self._refused(name)
        side = self.number(name, 0)
        return side, side

    def word(self, name: str, default: str | None = None) -> str | None:
        """A text or the name of a function or class, without capitals."""
        value = self.get(name, default)
        if value is None:
            return None
        if isinstance(value, Symbol | Call):
            return value.name
        if not isinstance(value, str):
            raise self._refused(name)
        return value

    def done(self) -> None:
        """Refuse what nothing has asked for."""
        for name in self._given:
            if name not in self._asked and self.has(name):
                raise self._refused(name)

    def _refused(self, name: str) -> NoCounterpart:
        value = self._given.get(name)
        shown = value.path if isinstance(value, Symbol | Call) else value
        return NoCounterpart(_ABOUT.format(name, shown, self.call.name))


_SHAPES = ("input_shape", "batch_input_shape", "input_dim")


def number(value: Any) -> str:
    """A number as a spec has it."""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def size(pair: tuple[Any, Any]) -> str:
    """`3x3`; one name for a square of a variable."""
    if isinstance(pair[0], str):
        return pair[0]
    return f"{pair[0]}x{pair[1]}"


def short(pair: tuple[Any, Any]) -> str:
    """`2` for a square, else `2x1`."""
    return number(pair[0]) if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"


def norm(written: str, eps: Any, scale: bool, shift: bool) -> str:
    """A normalisation with what it does not learn and its eps."""
    left_out = ("" if scale else " noscale") + ("" if shift else " noshift")
    return f"{written}{left_out}{key('eps', eps, 1e-5)}"


def key(name: str, value: Any, ours: Any) -> str:
    """` name=value`, or nothing where it is our default."""
    return "" if value == ours else f" {name}={number(value)}"


def stride(pair: tuple[Any, Any], ours: Any = (1, 1)) -> str:
    """` /2`, ` stride=2x1`, or nothing where it is our default."""
    if pair == ours:
        return ""
    return f" /{short(pair)}" if pair[0] == pair[1] else f" stride={short(pair)}"


def counterpart(kind: str, name: str, known: Any) -> str:
    """Our word for one of a framework; NoCounterpart with what is nearest."""
    if name in known:
        return name
    if name.lower() in known:
        return name.lower()
    meaning = lookup(kind, name, known)
    if meaning is None:
        raise NoCounterpart(f"there is no `{name}` here")
    if meaning.counterpart is None:
        raise NoCounterpart(meaning.hint(name))
    return meaning.counterpart
