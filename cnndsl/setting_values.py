"""Settings of a recipe and values of lets, from what Python, a command or a run folder gives."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields, replace
from math import inf
from typing import Any, cast

from cnndsl.argument_types import WrongType
from cnndsl.fields import Spec, Word, specs
from cnndsl.finetune import Freeze, Rate
from cnndsl.passes.analyse import recipe_of
from cnndsl.passes.convert import convert
from cnndsl.passes.reporter import SpecError
from cnndsl.recipe import CHOSEN, PLAIN, REPEATED, Recipe, Views, value_of
from cnndsl.source import Failed, Source, Span, UserError
from cnndsl.unknown_arguments import unknown_argument

_OPTIONAL = (
    "data", "task", "loss", "clip", "ema", "stop", "watch", "weights", "holdout", "ground",
    "export", "lookahead", "quantize", "cache", "precision",
)  # fmt: skip
_BLANK_IS_NONE = ("quantize", "precision")  # a command has no other way to leave these out


def numbers(settings: Mapping[str, Any]) -> dict[str, float]:
    """Values for lets, those of NumPy as Python's; UserError for what is not a finite number."""
    plain = {name: _plain(value) for name, value in settings.items()}
    for name, value in plain.items():
        if not isinstance(value, int | float) or not abs(value) < inf:
            raise UserError(f"{name}={value!r}: a `let` is a number, true or false")
    return plain


def _plain(value: Any) -> Any:
    """A scalar of NumPy as Python's own."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def settings_of(
    changes: Mapping[str, Any], origin: str = "cnndsl.train", arguments: Collection[str] = ()
) -> dict[str, Any]:
    """Settings as a recipe holds them, from numbers, objects or the words of a spec.

    Failed or UserError where a spec would have an error, too; they name the `origin`. `arguments`
    are others that it takes, for a name that is neither.
    """
    known = [f.name for f in fields(Recipe) if f.compare]
    for name, value in changes.items():
        if name not in known:
            raise WrongType(f"{origin}: {unknown_argument(name, value, known, arguments)}")
    return {name: _setting(name, _plain(value), origin) for name, value in changes.items()}


def views_of(given: Any, origin: str) -> Views | None:
    """Test-time views, from the words of a spec or an object; None where nothing is given."""
    return None if given is None else settings_of({"views": given}, origin)["views"]


def _repeated(name: str, value: Any, origin: str) -> Iterator[Any]:
    """`freeze` of a pattern or several, `rate` of a dict, or such objects."""
    if isinstance(value, str) and name == "freeze":
        yield _from_object(name, Freeze(tuple(value.replace(",", " ").split())), origin)
    elif isinstance(value, str):
        yield from _from_words(name, value, origin)
    elif isinstance(value, Mapping):
        rates = cast("Mapping[str, Any]", value).items()
        yield from (
            _from_object(name, Rate(path, _plain(factor)), origin) for path, factor in rates
        )
    elif isinstance(value, Word):
        yield _from_object(name, value, origin)
    elif isinstance(value, Iterable):
        for each in cast("Iterable[Any]", value):
            yield from _repeated(name, each, origin)
    else:
        raise UserError(f"{name}: {value!r} is not a setting; give patterns of paths")


def _setting(name: str, value: Any, origin: str) -> Any:
    if name in REPEATED:
        return tuple(_repeated(name, value, origin))
    if value is None and name in _OPTIONAL:
        return None
    if isinstance(value, str) and not value.strip() and name in _BLANK_IS_NONE:
        return None
    if name == "data":
        return str(value)
    if isinstance(value, str):
        return _from_words(name, value, origin)
    if isinstance(value, Word):
        return _from_object(name, value, origin)
    if name in PLAIN and isinstance(value, int | float) and not isinstance(value, bool):
        return value_of(_checked(PLAIN[name](value), origin))  # pyright: ignore  (a dataclass)
    if isinstance(value, type):
        raise UserError(f"{name}: give an object, `{value.__name__}()`, or the words of a spec")
    raise UserError(f"{name}: {value!r} is not a setting; give a number or the words of a spec")


def _from_words(name: str, words: str, origin: str) -> Any:
    read = recipe_of(f"{name} {words}", origin)
    if more := sorted(read.said - {name}):
        raise UserError(f"{origin}: `{more[0]}` is a setting of its own, not a part of {name}")
    return getattr(read, name)


def _from_object(name: str, value: Word, origin: str) -> Any:
    fitting = {name: PLAIN[name]} if name in PLAIN else CHOSEN[name]
    if fitting.get(value.word) is not type(value):
        raise UserError(f"{name}: {value!r} is none of {', '.join(fitting)}")
    return value_of(_checked(value, origin))


def _checked(word: Any, origin: str) -> Any:
    """The word with each field of its kind and within its bounds; Failed where one is not."""
    span, cls = _span(repr(word), origin), cast("type[Word]", type(word))
    try:
        return replace(
            word, **{s.name: _field(getattr(word, s.name), s, span, cls) for s in specs(cls)}
        )
    except SpecError as error:
        raise Failed([replace(error.diagnostic, fix=None)]) from None


def _field(value: Any, spec: Spec, span: Span, cls: type[Word]) -> Any:
    plain = _plain(value)
    if plain == spec.default and not spec.required:
        return spec.default
    return convert(plain, spec, span, cls)


def _span(text: str, origin: str) -> Span:
    return Span(Source(text, origin), 0, len(text))
