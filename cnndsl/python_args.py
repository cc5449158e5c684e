"""What callers in Python give, as plain numbers and the recipe that a spec would have said."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from math import inf
from pathlib import Path
from typing import Any, cast

from cnndsl.fields import Word, written
from cnndsl.passes.analyse import recipe_of
from cnndsl.recipe import CHOSEN, REPEATED, Recipe
from cnndsl.source import UserError

_OPTIONAL = ("data", "task", "loss", "clip", "ema", "stop", "watch", "holdout", "ground")


def numbers(settings: Mapping[str, Any]) -> dict[str, float]:
    """Values for lets, those of NumPy as Python's; UserError for what is no finite number."""
    plain = {name: _plain(value) for name, value in settings.items()}
    for name, value in plain.items():
        if not isinstance(value, int | float) or not abs(value) < inf:
            raise UserError(f"{name}={value!r}: a `let` is a number, true or false")
    return plain


def _plain(value: Any) -> Any:
    """A scalar of NumPy as Python's own."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def changed(recipe: Recipe, changes: Mapping[str, Any], origin: str = "cnndsl.train") -> Recipe:
    """The recipe with changes, all of them read as a spec's are; Failed or UserError as there.

    Errors name the `origin`.
    """
    known = [f.name for f in fields(recipe) if f.compare]
    strange = sorted(changes.keys() - set(known))
    if strange:
        raise UserError(f"a recipe has no {', '.join(strange)}; it has {', '.join(known)}")
    given = {name: _plain(value) for name, value in changes.items()}
    none = {name: None for name, value in given.items() if value is None and name in _OPTIONAL}
    data = {"data": str(given["data"])} if given.get("data") is not None else {}
    said = {name: _words(name, given[name]) for name in given if name not in {*none, *data}}
    read = recipe_of("; ".join(said.values()), origin)
    if more := sorted(read.said - said.keys()):
        raise UserError(
            f"{origin}: `{more[0]}` is a setting of its own, not a part of {', '.join(said)}"
        )
    return replace(recipe, **none, **data, **{name: getattr(read, name) for name in said})


def _finetuning(name: str, value: Any) -> Iterator[str]:
    """`freeze` of a pattern or several, `rate` of a dict, or such objects."""
    if isinstance(value, str):
        yield f'{name} "{value}"' if name == "freeze" else f"{name} {value}"
    elif isinstance(value, Mapping):
        yield from (f'{name} "{k}" {v}' for k, v in cast("Mapping[str, Any]", value).items())
    elif isinstance(value, Word):
        yield written(value)
    elif isinstance(value, Iterable):
        for each in cast("Iterable[Any]", value):
            yield from _finetuning(name, each)
    else:
        raise UserError(f"{name}: {value!r} is no setting; give patterns of paths")


def _words(name: str, value: Any) -> str:
    """A setting as a spec has it."""
    if name in REPEATED:
        return "; ".join(_finetuning(name, value))
    if isinstance(value, Word):
        return f"{name} {written(value)}" if name in CHOSEN else written(value)
    if isinstance(value, str | int | float | Path) and not isinstance(value, bool):
        return f"{name} {value}"
    if isinstance(value, type):
        raise UserError(f"{name}: give an object, `{value.__name__}()`, or the words of a spec")
    raise UserError(f"{name}: {value!r} is no setting; give a number or the words of a spec")
