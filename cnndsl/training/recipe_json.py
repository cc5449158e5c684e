"""Settings of a recipe as JSON values: `{"optimizer": {"word": "sgd", "lr": 0.1, …}, "epochs": 5}`.

Every field of a word is written, also what the training data have added to a task or a loss: so
another default in a later version changes no run.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, cast

from cnndsl.fields import Word, specs
from cnndsl.recipe import CHOSEN, PLAIN, Recipe
from cnndsl.setting_values import settings_of
from cnndsl.source import UserError


def whole(recipe: Recipe) -> dict[str, Any]:
    """Every setting of a recipe by its name, but the data."""
    names = [f.name for f in fields(recipe) if f.compare and f.name != "data"]
    return {name: getattr(recipe, name) for name in names}


def to_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name; None is kept."""
    return {name: _value(value) for name, value in settings.items()}


def _value(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_value(each) for each in cast("tuple[Any, ...]", value)]
    if not isinstance(value, Word):
        return value
    return {"word": value.word, **{name: _value(getattr(value, name)) for name in _names(value)}}


def _names(word: Word | type[Word]) -> list[str]:
    """The fields of a word: what a spec may say, and what the training data have added."""
    return [f.name for f in fields(cast(Any, word))]


def from_json(stored: Any, origin: str) -> dict[str, Any]:
    """What `to_json` gave; Failed or UserError for another thing. Both name the `origin`."""
    if not isinstance(stored, dict):
        raise UserError(f"{origin}: a recipe has settings by name, not {stored!r}")
    settings = cast("dict[str, Any]", stored)
    return {name: _setting(name, value, origin) for name, value in settings.items()}


def _setting(name: str, value: Any, origin: str) -> Any:
    if isinstance(value, list):
        words = [_word(name, each, origin) for each in cast("list[Any]", value)]
        return settings_of({name: words}, origin)[name]
    return settings_of({name: _word(name, value, origin)}, origin)[name]


def _word(name: str, value: Any, origin: str) -> Any:
    """A word of what `_value` gave; other values as they are.

    A field that an earlier version had not has its default, which is what that version did.
    """
    if not isinstance(value, dict):
        return value
    given = dict(cast("dict[str, Any]", value))
    cls = CHOSEN.get(name, PLAIN).get(given.pop("word", ""))
    if cls is None or given.keys() - set(_names(cls)) or _required(cls) - given.keys():
        raise UserError(f"{origin}: this cnndsl knows no {name} {value}")
    return cls(**{key: _as_tuple(each) for key, each in given.items()})


def _required(cls: type[Word]) -> set[str]:
    return {spec.name for spec in specs(cls) if spec.required}


def _as_tuple(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return tuple(_as_tuple(each) for each in cast("list[Any]", value))
