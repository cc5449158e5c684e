"""Functions of Python itself that networks are built with, on known values."""

import math
from collections.abc import Callable
from typing import Any

from cnndsl.frameworks.expressions import is_known, items_of
from cnndsl.frameworks.values import Value

_MOST = 10_000


def _numbers(*ends: int) -> list[int]:
    found = range(*ends)
    if len(found) > _MOST:
        raise ValueError
    return list(found)


def _list(value: Value = ()) -> list[Value]:
    items = items_of(value)
    if items is None:
        raise TypeError
    return items


def _count(value: Value) -> int:
    return len(_list(value))


def _pairs(*lists: Value) -> list[tuple[Value, ...]]:
    return list(zip(*map(_list, lists), strict=False))


def _numbered(value: Value, start: int = 0) -> list[tuple[int, Value]]:
    return list(enumerate(_list(value), start))


def _backwards(value: Value) -> list[Value]:
    return _list(value)[::-1]


def _tuple(value: Value = ()) -> tuple[Value, ...]:
    return tuple(_list(value))


_ON_LISTS: dict[str, Callable[..., Any]] = {
    "len": _count, "zip": _pairs, "enumerate": _numbered, "reversed": _backwards, "list": _list,
    "tuple": _tuple, "dict": dict,
}  # fmt: skip
_ON_NUMBERS: dict[str, Callable[..., Any]] = {
    "range": _numbers, "int": int, "float": float, "round": round, "max": max, "min": min,
    "abs": abs, "sum": sum, "bool": bool, "str": str, "math.ceil": math.ceil,
    "math.floor": math.floor, "math.sqrt": math.sqrt,
}  # fmt: skip


def is_builtin(path: str) -> bool:
    """Whether a name is a function of Python that is known here."""
    return path in _ON_LISTS or path in _ON_NUMBERS


def built_in(path: str, given: list[Value], named: dict[str, Value]) -> Value:
    """What it gives; TypeError, ValueError, ArithmeticError where the values do not fit."""
    if path in _ON_LISTS:
        return _ON_LISTS[path](*given, **named)
    if not all(map(is_known, given)):
        raise TypeError
    return _ON_NUMBERS[path](*given, **named)
