"""Calls of blocks: positional values, then `key=`; `/s` is the parameter called `stride`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cnndsl.fields import Word
from cnndsl.passes.reporter import SpecError
from cnndsl.passes.scope import Closure, Scope
from cnndsl.passes.synonyms import guess
from cnndsl.passes.values import evaluate, shown
from cnndsl.source import Span
from cnndsl.syntax import ast


@dataclass(frozen=True)
class Called(Word):
    """Stands for the call itself where words follow it."""


def bind_call(
    closure: Closure, node: ast.Statement, scope: Scope, follow: Mapping[str, type[Word]]
) -> tuple[dict[str, Any], list[ast.Item]]:
    """The arguments by parameter, and the items from the first following word (`relu`) on."""
    found: dict[str, Any] = {}
    items = [*node.items, *node.tail]
    behind = next((i for i, item in enumerate(items) if _follows(item, follow)), len(items))
    for item in items[:behind]:
        if not isinstance(item, ast.Repeat):
            name, value, span = _argument(item, closure, found)
            _put(found, closure, name, evaluate(value, scope), span)
    return _completed(closure, found, node), items[behind:]


def _follows(item: ast.Item, follow: Mapping[str, type[Word]]) -> bool:
    match item:
        case ast.Positional(_, ast.Name(_, name)):
            return name in follow
        case _:
            return False


def _argument(
    item: ast.Item, closure: Closure, found: dict[str, Any]
) -> tuple[ast.Name | None, ast.Expr, Span]:
    match item:
        case ast.Key(span, name, value):
            return name, value, span
        case ast.Stride(span, value):
            return ast.Name(span, "stride"), value, span
        case _:
            free = next((p for p in closure.block.params if p.name.id not in found), None)
            return (free.name if free else None), item.value, item.span


def _put(
    found: dict[str, Any], closure: Closure, name: ast.Name | None, value: Any, span: Span
) -> None:
    called = signature(closure)
    if name is None:
        hint = f"its parameters: `{called}`"
        raise SpecError("E104", f"`{called}` does not take `{span.text}` here", span, hint)
    params = {p.name.id for p in closure.block.params}
    if name.id not in params:
        close = guess(name.id, params)
        hint = f"did you mean `{close}`?" if close else f"its parameters: `{called}`"
        word = closure.block.name.id
        raise SpecError("E103", f"the block `{word}` has no parameter `{name.id}`", span, hint)
    if name.id in found:
        raise SpecError("E108", f"`{name.id}` is given twice", span, "keep one of them")
    found[name.id] = value


def _completed(closure: Closure, found: dict[str, Any], node: ast.Statement) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for param in closure.block.params:
        name = param.name.id
        if name in found:
            values[name] = found[name]
        elif param.default is not None:
            values[name] = evaluate(param.default, closure.scope)
        else:
            hint = f"its parameters: `{signature(closure)}`"
            word = closure.block.name.id
            raise SpecError("E105", f"`{word}` needs its `{name}`", node.head.span, hint)
    return values


def signature(closure: Closure) -> str:
    """`bottleneck(c, stride=1)`, as it is defined."""
    params = ", ".join(p.span.text for p in closure.block.params)
    return f"{closure.block.name.id}({params})" if params else closure.block.name.id


def frame_text(name: str, arguments: dict[str, Any]) -> str:
    """`bottleneck(c=64, stride=1)`, as it is called."""
    listed = ", ".join(f"{key}={shown(value)}" for key, value in arguments.items())
    return f"{name}({listed})" if listed else name
