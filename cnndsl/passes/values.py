"""Expressions to values. No Python, no `eval`; chains of operators do not recurse."""

import math
import operator
from collections.abc import Callable
from typing import Any, cast

from cnndsl import limits
from cnndsl.passes.reporter import SpecError, Unknown
from cnndsl.passes.scope import Scope, Value
from cnndsl.passes.synonyms import guess, reserved_words
from cnndsl.shapes import show
from cnndsl.source import Fix
from cnndsl.syntax import ast

_OPERATORS: Any = operator  # its annotations are incomplete

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _OPERATORS.truediv,
    "//": _OPERATORS.floordiv,
    "%": operator.mod,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _round8(number: float) -> int:
    """To a multiple of 8, never below 90 % (MobileNet's rule, arXiv:1704.04861)."""
    rounded = max(8, int(number + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * number else rounded


FUNCTIONS: dict[str, tuple[Callable[..., Any], int | None]] = {
    "min": (lambda *numbers: min(numbers), None),  # of one number, too
    "max": (lambda *numbers: max(numbers), None),
    "ceil": (math.ceil, 1),
    "floor": (math.floor, 1),
    "round8": (_round8, 1),
}


def evaluate(expr: ast.Expr, scope: Scope) -> Value:
    """The value of an expression; raises SpecError, or Unknown where `ch` is not known."""
    match expr:
        case ast.Number(_, value) | ast.Bool(_, value) | ast.Text(_, value):
            return value
        case ast.Dims(_, sizes):
            return sizes
        case ast.Name():
            return _variable(expr, scope)
        case ast.Unary():
            return _unary(expr, scope)
        case ast.Call():
            return _call(expr, scope)
        case ast.Binary():
            return _binary(expr, scope)


def _variable(name: ast.Name, scope: Scope) -> Value:
    try:
        value: Any = scope.value(name.id)
    except KeyError:
        if scope.incomplete:
            raise Unknown from None
        close = guess(name.id, scope.known("values"))
        hint = f"did you mean `{close}`?" if close else f"define it: `let {name.id} = …`"
        if name.id in ("True", "False"):
            close, hint = name.id.lower(), f"write `{name.id.lower()}`"
        if name.id in reserved_words():
            hint = f"`{name.id}` is a word of the language, no value"
        fix = Fix(name.span, close, f"write `{close}`") if close else None
        raise SpecError("E102", f"unknown name `{name.id}`", name.span, hint, fix) from None
    return cast(Value, value() if callable(value) else value)


def _unary(expr: ast.Unary, scope: Scope) -> Value:
    flips, inner = 1, expr.operand
    while isinstance(inner, ast.Unary) and inner.operator == expr.operator:
        flips, inner = flips + 1, inner.operand
    value = evaluate(inner, scope)
    if expr.operator == "not":
        return truth(value, inner) ^ bool(flips % 2)
    return -_number(value, inner) if flips % 2 else _number(value, inner)


def _binary(expr: ast.Binary, scope: Scope) -> Value:
    spine, left = list[ast.Binary](), expr
    while isinstance(left, ast.Binary):
        spine.append(left)
        left = left.left
    value = evaluate(left, scope)
    for step in reversed(spine):
        value = _combine(value, step, scope)
    return value


def _combine(left: Value, step: ast.Binary, scope: Scope) -> Value:
    if step.operator in ("and", "or"):
        if truth(left, step.left) == (step.operator == "or"):
            return left
        return truth(evaluate(step.right, scope), step.right)
    right = evaluate(step.right, scope)
    if step.operator in ("==", "!="):
        return BINARY[step.operator](left, right)
    return _arithmetic(step, _number(left, step.left), _number(right, step.right))


def _arithmetic(step: ast.Binary, left: float, right: float) -> Value:
    try:
        value = BINARY[step.operator](left, right)
    except ZeroDivisionError:
        raise SpecError("E113", "division by zero", step.span) from None
    except OverflowError:
        value = math.inf
    return _bounded(value, step)


def _bounded(value: Any, expr: ast.Expr) -> Value:
    if isinstance(value, float) and not math.isfinite(value):
        raise SpecError("E113", "the result is too large for a number", expr.span)
    if abs(value) >= 10**limits.DIGITS and isinstance(value, int):
        message = f"the result has more than {limits.DIGITS} digits"
        raise SpecError("E902", message, expr.span)
    return value


def _call(expr: ast.Call, scope: Scope) -> Value:
    name = expr.function.id
    if name not in FUNCTIONS:
        close = guess(name, FUNCTIONS)
        hint = f"did you mean `{close}`?" if close else "functions: " + ", ".join(FUNCTIONS)
        raise SpecError("E102", f"unknown function `{name}`", expr.function.span, hint)
    function, count = FUNCTIONS[name]
    if not expr.arguments or (count and len(expr.arguments) != count):
        wanted = "one value" if count else "at least one value"
        raise SpecError("E105", f"`{name}` takes {wanted}", expr.span)
    numbers = [_number(evaluate(a, scope), a) for a in expr.arguments]
    return _bounded(function(*numbers), expr)


def truth(value: Value, expr: ast.Expr) -> bool:
    """A condition's value: a truth value or a number."""
    if isinstance(value, str | tuple):
        raise SpecError("E106", f"{shown(value)} is not a condition", expr.span)
    return bool(value)


def _number(value: Value, expr: ast.Expr) -> int | float:
    if isinstance(value, bool | int | float):
        return value
    raise SpecError("E106", f"{shown(value)} is not a number", expr.span)


def shown(value: Value) -> str:
    """A value as it is written in a spec."""
    match value:
        case tuple():
            return show(value)
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case float():
            return f"{value:.6g}"
        case int():
            return str(value)
