"""A value to what a field wants, or a complaint that says what it wants."""

import re
from collections.abc import Sequence
from math import ceil, floor, isfinite
from typing import Any, cast

from cnndsl.fields import Spec, Word, in_order, usage
from cnndsl.passes.reporter import SpecError
from cnndsl.passes.scope import Value
from cnndsl.passes.synonyms import Suggestion, guess, suggest
from cnndsl.passes.values import shown
from cnndsl.source import Fix, Span

_NUMBER = re.compile(r"[ \t]+([0-9]+)(?![\w.])")
_WANTED = {
    "int": "a whole number",
    "float": "a number",
    "floats": 'numbers in quotes such as "30 60 80"',
    "pair": "a size such as 3 or 3x3",
    "shape": "a shape such as 3x32x32",
    "choice": "one of its names",
    "text": "a name or a text in quotes",
    "texts": 'paths in quotes such as "stem*"',
    "flag": "true or false",
}


def convert(value: Value, spec: Spec, span: Span, cls: type[Word]) -> Any:
    """The value as the field's kind, within its bounds."""
    if spec.kind == "choice":
        return _choice(value, spec, span)
    converted = _CONVERTERS[spec.kind](value)
    if converted is None:
        message = f"`{spec.title}` of `{cls.word}` is {_WANTED[spec.kind]}, not {shown(value)}"
        raise SpecError("E106", message, span, _hint(value, spec, cls), _swapped(spec, span))
    _check_bounds(converted, spec, span)
    return converted


def _hint(value: Value, spec: Spec, cls: type[Word]) -> str:
    """How the value was probably meant."""
    if spec.kind == "shape" and isinstance(value, tuple):
        if len(value) == 2:
            return f"write the channels too: `1x{shown(value)}` or `3x{shown(value)}`"
        if len(value) == 4:
            return f"the batch is not written: `{shown(value[1:])}`"
    if spec.kind == "int" and isinstance(value, float):
        return f"write `{floor(value)}` or `{ceil(value)}`"
    if spec.role == "arg" and spec.kind == "int" and isinstance(value, tuple):
        return f"the order is `{in_order(cls)}`"
    return usage(cls)


def _swapped(spec: Spec, span: Span) -> Fix | None:
    """`conv 3x3 32` as `conv 32 3x3`."""
    text = span.source.text
    behind = _NUMBER.match(text, span.end)
    if spec.role != "arg" or spec.kind != "int" or behind is None or "x" not in span.text:
        return None
    written = f"{behind[1]} {span.text}"
    return Fix(Span(span.source, span.start, behind.end()), written, f"write `{written}`")


def whole(value: Value) -> int | None:
    """A number without a fraction, also as `16/2`; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value == int(value) else None


def _float(value: Value) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if isfinite(value) else None


def _floats(value: Value) -> tuple[float, ...] | None:
    """`"30 60 80"`, also with commas; a single number needs no quotes; in Python a sequence."""
    if isinstance(value, tuple | list):
        numbers = [_float(number) for number in value]
        return None if None in numbers else tuple(n for n in numbers if n is not None) or None
    if not isinstance(value, str):
        number = _float(value)
        return None if number is None else (number,)
    try:
        numbers = tuple(float(part) for part in value.replace(",", " ").split())
    except ValueError:
        return None
    return numbers if numbers and all(map(isfinite, numbers)) else None


def _pair(value: Value) -> tuple[int, int] | None:
    if isinstance(value, tuple):
        return (value[0], value[1]) if len(value) == 2 else None
    size = whole(value)
    return None if size is None else (size, size)


def _shape(value: Value) -> tuple[int, ...] | None:
    if isinstance(value, tuple):
        return value if len(value) == 3 else None
    size = whole(value)
    return None if size is None else (size,)


def _text(value: Value) -> str | None:
    """A text; a single number needs no quotes."""
    return value if isinstance(value, str) else None if _float(value) is None else shown(value)


def _texts(value: Value) -> tuple[str, ...] | None:
    """One text, or several with spaces between them; in Python a sequence of them."""
    given: Any = value.split() if isinstance(value, str) else value
    if not isinstance(given, list | tuple):
        return None
    texts = cast("Sequence[Any]", given)
    return tuple(texts) if texts and all(isinstance(text, str) for text in texts) else None


def _flag(value: Value) -> bool | None:
    return value if isinstance(value, bool) else None


_CONVERTERS = {
    "int": whole, "float": _float, "floats": _floats, "pair": _pair, "shape": _shape, "text": _text,
    "texts": _texts, "flag": _flag,
}  # fmt: skip


def _choice(value: Value, spec: Spec, span: Span) -> str:
    if isinstance(value, str) and value in spec.words:
        return value
    written = value if isinstance(value, str) else shown(value)
    if spec.title == "init":
        found = suggest("init", written, spec.words)
    else:  # what a word means elsewhere does not help here
        close = guess(written, spec.words)
        found = Suggestion(f"did you mean `{close}`?", close) if close else None
    hint = found.hint if found else "one of " + ", ".join(spec.words)
    fix = found.fix(span) if found else None
    raise SpecError("E106", f"`{spec.title}` does not know `{written}`", span, hint, fix)


def _check_bounds(value: float | str | tuple[float | str, ...], spec: Spec, span: Span) -> None:
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, str):
            continue
        if spec.low is not None and number < spec.low:
            raise _outside(f"at least {spec.low:g}, not {shown(number)}", spec, span)
        if spec.high is not None and number > spec.high:
            raise _outside(f"at most {spec.high:g}, not {shown(number)}", spec, span)


def _outside(bound: str, spec: Spec, span: Span) -> SpecError:
    percent = span.text.isdigit() and spec.high is not None and 0.9 < spec.high <= 1
    share = f"{int(span.text) / 100:g}" if percent and int(span.text) < 100 else None
    if share is not None:
        fix = Fix(span, share, f"write `{share}`", safe=False)
        return SpecError("E107", f"`{spec.title}` is {bound}", span, f"a share: `{share}`", fix)
    return SpecError("E107", f"`{spec.title}` is {bound}", span, f"it means: {spec.doc}")
