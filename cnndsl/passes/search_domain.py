"""Ranges and choices of a `search` section: `16 to 64 step=8`, `1e-4 to 1e-1 log`, `8 16 32`."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isclose
from typing import Any

from cnndsl.passes.reporter import SpecError
from cnndsl.passes.scope import Scope, Value
from cnndsl.passes.values import evaluate, shown
from cnndsl.source import Fix, Span
from cnndsl.space import Choices, Range
from cnndsl.syntax import ast
from cnndsl.syntax.search_slips import HABITS, meant

Read = Callable[[ast.Expr], Any]
"""The value of an expression, checked for what is varied; SpecError."""
_CHOSEN_WORDS = "words are chosen by a number: `let kind = 0` and `if kind == 1 { … }`"
_SPAN = re.compile(r"[\d.]+(e-?\d+)? *- *[\d.]+(e-?\d+)?")
_FORMS = "write `16 to 64`, `16 to 64 step=8`, `1e-4 to 0.1 log`, or values: `16 24 32`"


def let_domain(
    node: ast.Statement, items: Sequence[ast.Item], value: Any, scope: Scope
) -> Range | Choices:
    """What a `let` of this value in the file is varied over: numbers, or true and false."""
    name, is_bool = node.head.id, isinstance(value, bool)
    texts = [item.span.text for item in items]
    words = all(text.isidentifier() for text in texts)

    def read(expr: ast.Expr) -> int | float | bool:
        found = _number(expr, scope, name, _CHOSEN_WORDS if words else _FORMS)
        if isinstance(found, bool) != is_bool and not callable(value):
            kind = "true or false" if is_bool else "a number"
            message = f"`{name}` is {kind} in the file, not {shown(found)}"
            raise SpecError("E602", message, expr.span, f"vary it over {_alike(is_bool)}")
        return found

    return domain(node, items, read)


def _alike(is_bool: bool) -> str:
    return "`true false`" if is_bool else "numbers: `16 to 64`, `16 32 64`"


def _number(expr: ast.Expr, scope: Scope, name: str, hint: str) -> int | float | bool:
    unknown = isinstance(expr, ast.Name) and expr.id not in scope.known("values")
    found: Value = expr.span.text if unknown else evaluate(expr, scope)
    if isinstance(found, bool | int | float):
        return found
    message = f"`let {name}` is a number, true or false, not {shown(found)}"
    raise SpecError("E602", message, expr.span, hint)


def domain(node: ast.Statement, items: Sequence[ast.Item], read: Read) -> Range | Choices:
    """The range or the choices that items say."""
    _refuse_habits(node, items)
    match items:
        case (
            ast.Positional(_, low),
            ast.Positional(_, ast.Name(_, "to")),
            ast.Positional(_, high),
            *rest,
        ):
            return _with_rest(_range(low, high, read), rest, read, low.span.to(high.span))
        case _:
            return _choices(node, items, read)


def _refuse_habits(node: ast.Statement, items: Sequence[ast.Item]) -> None:
    """SpecError for `uniform 8 64`, `range(8, 64)`, `8-64`: how other tuners say it."""
    texts = [item.span.text for item in items]
    for item, text in zip(items, texts, strict=True):
        word = text.partition("(")[0].strip()
        if word in HABITS or _SPAN.fullmatch(text):
            hint = meant(node.head.id, " ".join(texts))
            raise SpecError("E602", f"`{text}` is not a value", item.span, hint or _FORMS)


def _range(low: ast.Expr, high: ast.Expr, read: Read) -> Range:
    first, last = read(low), read(high)
    span = low.span.to(high.span)
    if isinstance(first, bool | str) or isinstance(last, bool | str):
        message = "a range goes from a number to a number"
        raise SpecError("E602", message, span, "give the values: `true false`")
    if first == last:
        raise SpecError("E602", "a range of one value varies nothing", span, _FORMS)
    if first > last:
        text = f"{high.span.text} to {low.span.text}"
        fix = Fix(span, text, f"write `{text}`")
        message = f"the range is reversed: {shown(first)} is more than {shown(last)}"
        raise SpecError("E602", message, span, f"write `{text}`", fix)
    if isinstance(first, int) and isinstance(last, int):
        return Range(first, last)
    return Range(float(first), float(last))


def _with_rest(found: Range, rest: Sequence[ast.Item], read: Read, span: Span) -> Range:
    """The range with `step=` and `log`."""
    texts = [item.span.text for item in rest]
    if "log" in texts and any(text.startswith("step") for text in texts):
        raise SpecError("E602", "a logarithmic range has no steps", span, "keep `log` or `step`")
    for item in rest:
        match item:
            case ast.Positional(_, ast.Name(_, "log")) if not found.log:
                found = replace(found, log=True)
            case ast.Key(_, ast.Name(_, "step"), value) if found.step is None:
                found = replace(found, step=_step(found, value, read))
            case ast.Positional(_, ast.Name(_, "step")):
                hint = "a step is a key: `16 to 64 step=8`"
                raise SpecError("E602", "`step` needs its value", item.span, hint)
            case _:
                message = f"`{item.span.text}` does not belong to a range"
                raise SpecError("E602", message, item.span, _FORMS)
    if found.log and found.low <= 0:
        message = f"a logarithmic range starts above 0, not at {shown(found.low)}"
        raise SpecError("E602", message, span, "write `1e-4 to 0.1 log`")
    return found


def _step(found: Range, expr: ast.Expr, read: Read) -> int | float:
    step = expr.value if isinstance(expr, ast.Number) else read(expr)
    if isinstance(step, bool | str) or step <= 0:
        raise SpecError("E602", "a step is a number above 0", expr.span, _FORMS)
    if found.whole and not isinstance(step, int):
        message = f"whole numbers have whole steps, not {shown(step)}"
        raise SpecError("E602", message, expr.span, f"write `{found.low} to {found.high} step=1`")
    count = (found.high - found.low) / step
    if not isclose(count, round(count), abs_tol=1e-9) or count < 1:
        ends = [found.low + int(count + more) * step for more in (0, 1)]
        message = f"steps of {shown(step)} from {shown(found.low)} do not reach {shown(found.high)}"
        shorter, longer = (f"`{shown(found.low)} to {shown(end)}`" for end in ends)
        hint = f"write {shorter if count >= 1 else longer} or {longer}"
        raise SpecError("E602", message, expr.span, hint if count >= 1 else f"write {longer}")
    return step


def _choices(node: ast.Statement, items: Sequence[ast.Item], read: Read) -> Choices:
    values = list[Any]()
    for item in items:
        if isinstance(item, ast.Positional) and item.span.text == "to":
            raise SpecError("E602", "a range has two ends", node.span, _FORMS)
        if not isinstance(item, ast.Positional):
            message = f"`{item.span.text}` is not a value to choose"
            raise SpecError("E602", message, item.span, _FORMS)
        value = read(item.value)
        if value in values:
            raise SpecError("E108", f"{shown(value)} is given twice", item.span, "keep one")
        values.append(value)
    if len(values) < 2:
        message = "nothing is said to vary over" if not values else "one value varies nothing"
        raise SpecError("E602", message, node.span, _FORMS)
    return Choices(tuple(values))
