"""What stands in a Python call, read without running it: numbers, texts, names and calls."""

import ast
import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

Value = Any
"""None, a truth value, a number, a text, a tuple of values, a Symbol or a Call."""


class Unreadable(Exception):  # noqa: N818
    """An expression whose value depends on more than what is written."""


@dataclass(frozen=True)
class Symbol:
    """A name, perhaps behind modules (`tf.nn.relu`), or arithmetic of names (`2*c`)."""

    path: str

    @property
    def name(self) -> str:
        """The name without the modules."""
        return self.path.rpartition(".")[2]


@dataclass(frozen=True)
class Call:
    """`nn.Conv2d(3, 32, 3)`; of `Flatten()(x)`, which calls a layer, it is `Flatten()`."""

    path: str
    arguments: tuple[Value, ...] = ()
    keywords: dict[str, Value] = field(default_factory=dict[str, Value])
    node: ast.Call | None = field(default=None, compare=False, repr=False)
    """Where it is written."""

    @property
    def name(self) -> str:
        """The function's name without the modules."""
        return self.path.rpartition(".")[2]


_PYTHON: Any = operator  # its annotations are incomplete
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _PYTHON.truediv,
    ast.FloorDiv: _PYTHON.floordiv,
}


def parsed(text: str) -> ast.Module | None:
    """The syntax tree of Python text; None for anything else. Nothing is run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def parts_of(value: Value) -> tuple[Value, ...] | None:
    """The parts of a tuple or list; None for a single value."""
    return cast("tuple[Value, ...]", value) if isinstance(value, tuple) else None


def path_of(expr: ast.expr) -> str:
    """`a.b.c` of a name behind modules; Unreadable."""
    match expr:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{path_of(value)}.{name}"
        case _:
            raise Unreadable


def value_of(expr: ast.expr) -> Value:
    """What an expression says; Unreadable."""
    match expr:
        case ast.Constant(value=value):
            return value
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return tuple(map(value_of, parts))
        case ast.Name() | ast.Attribute():
            return Symbol(path_of(expr))
        case ast.Call():
            return call_of(expr)
        case ast.UnaryOp(op=ast.USub(), operand=inner) if isinstance(inner, ast.Constant):
            return -_number(value_of(inner))
        case ast.BinOp(left=left, op=sign, right=right):
            return _combined(expr, value_of(left), sign, value_of(right))
        case _:
            raise Unreadable


def _number(value: Value) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unreadable
    return value


def _combined(expr: ast.BinOp, left: Value, sign: ast.operator, right: Value) -> Value:
    if type(sign) not in _OPERATORS:
        raise Unreadable
    if isinstance(left, Symbol) or isinstance(right, Symbol):
        return Symbol(ast.unparse(expr).replace(" ", ""))
    try:
        return _OPERATORS[type(sign)](_number(left), _number(right))
    except (ZeroDivisionError, OverflowError):
        raise Unreadable from None


def call_of(node: ast.Call) -> Call:
    """A call with its arguments; Unreadable where these are no plain values."""
    if isinstance(node.func, ast.Call):
        return call_of(node.func)
    keywords = {k.arg: _lenient(k.value) for k in node.keywords if k.arg is not None}
    return Call(path_of(node.func), tuple(map(_lenient, node.args)), keywords)


def _lenient(expr: ast.expr) -> Value:
    """A value, or the text of what cannot be read: it may be an argument that says nothing here."""
    try:
        return value_of(expr.value if isinstance(expr, ast.Starred) else expr)
    except Unreadable:
        return Symbol(f"<{type(expr).__name__}>.{ast.unparse(expr)[:40]}")
