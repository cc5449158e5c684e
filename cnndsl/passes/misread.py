"""Values that are read otherwise than they were meant: `3x3/2`, `3*3`, `relu()`, `cifar-10`."""

from collections.abc import Collection

from cnndsl.frameworks.words import lookup
from cnndsl.passes.reporter import Reporter, SpecError
from cnndsl.source import Fix, Span
from cnndsl.syntax import ast

_ARITHMETIC = "a stride or repeat has a space before and none after: `/2`, `*3`"


def misread(value: ast.Expr, words: Collection[str]) -> SpecError | None:
    """The error for arithmetic or a call that was not meant as such, among a statement's words."""
    match value:
        case ast.Call(span, function, arguments) if function.id in words:
            message = f"`{function.id}` is not a function"
            hint = f"write `{function.id}` without parentheses"
            fix = None if arguments else _written(span, function.id)
            return SpecError("E102", message, span, hint, fix)
        case ast.Binary(span, "+" | "*" as sign, left, ast.Name(_, other)) if (
            other not in words and _no_number(left, words)
        ):
            word = "add" if sign == "+" else "mul"
            text = f"{left.span.text}; {word} {other}"
            message = f"`{span.text}` is read as arithmetic"
            hint = f"tensors are merged by a statement: `; {word} {other}`"
            return SpecError("E106", message, span, hint, _written(span, text))
        case ast.Binary(span, "/" | "*", left, _) if _no_number(left, words):
            message = f"`{span.text}` is read as arithmetic"
            return SpecError("E106", message, span, _ARITHMETIC, _spaced(value))
        case _:
            return None


def _written(span: Span, text: str) -> Fix:
    return Fix(span, text, f"write `{text}`")


def _spaced(value: ast.Binary) -> Fix | None:
    """`3x3/2` as `3x3 /2`."""
    if isinstance(value.left, ast.Binary) or not isinstance(value.right, ast.Number | ast.Dims):
        return None
    return _written(value.span, f"{value.left.span.text} {value.operator}{value.right.span.text}")


def _no_number(left: ast.Expr, words: Collection[str]) -> bool:
    """Whether the left end of a product can be no number: a size such as 3x3, or a word."""
    while isinstance(left, ast.Binary):
        left = left.left
    return isinstance(left, ast.Dims) or (isinstance(left, ast.Name) and left.id in words)


def warn_of_product(value: ast.Expr, reporter: Reporter) -> None:
    """Warn of `3*3` where a size is meant: it is the number 9, a window of 9x9."""
    match value:
        case ast.Binary(span, "*", ast.Number(_, a), ast.Number(_, b)):
            message = f"`{span.text}` is the number {a * b}, a size of {a * b}x{a * b}"
            fix = Fix(span, f"{a}x{b}", f"write `{a}x{b}`", safe=False)
            hint = f"write `{a}x{b}` for a size of two sides, or `{a * b}`"
            reporter.report("W003", message, span, hint, fix=fix, severity="warning")
        case _:
            pass


def unquoted(value: ast.Expr, is_data: bool) -> SpecError | None:
    """The error for a text that is read as arithmetic: `cifar-10`, `data/train`."""
    if not isinstance(value, ast.Binary):
        return None
    name = value.span.text
    message = f"`{name}` is read as arithmetic"
    if not is_data:
        quoted = f'"{name}"'
        hint = f"a text with signs stands in quotes: `{quoted}`"
        return SpecError("E106", message, value.span, hint, _written(value.span, quoted))
    meaning = lookup("data", name)
    if meaning is not None and meaning.counterpart is None:
        return SpecError("E106", message, value.span, meaning.hint(name))
    joined = name.replace("-", "").replace(" ", "")
    ours = meaning.counterpart if meaning else joined if joined.isalnum() else f'"{name}"'
    hint = f"write `{ours}`; a folder or file stands in quotes"
    return SpecError("E106", message, value.span, hint, _written(value.span, ours or name))
