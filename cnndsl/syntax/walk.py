"""Walks over syntax trees."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, cast

from cnndsl.source import Span
from cnndsl.syntax import ast


@cache
def _parts(kind: Any) -> tuple[str, ...] | None:
    """The names of a node's fields but its places; None for what is not a node."""
    if kind is Span or not is_dataclass(kind):
        return None
    return tuple(f.name for f in fields(kind) if f.name not in ("span", "places"))


def walk(*roots: Any) -> Iterator[Any]:
    """Every node under the roots, statements and expressions, in the order of the text."""
    waiting: list[Any] = list(reversed(roots))
    while waiting:
        node = waiting.pop()
        if isinstance(node, tuple):
            waiting.extend(reversed(cast("tuple[Any, ...]", node)))
        elif node is not None and (parts := _parts(node.__class__)) is not None:
            yield node
            waiting.extend([getattr(node, name) for name in reversed(parts)])


def names(*roots: Any) -> set[str]:
    """All bare words in expressions, calls of functions left out."""
    found = list(walk(*roots))
    called = {id(node.function) for node in found if isinstance(node, ast.Call)}
    return {node.id for node in found if isinstance(node, ast.Name) and id(node) not in called}


def signature(node: Any) -> Any:
    """What a tree says, without its places: equal for texts that mean the same."""
    if isinstance(node, tuple):
        return tuple(map(signature, cast("tuple[Any, ...]", node)))
    parts = _parts(node.__class__)
    if parts is None:
        return node
    return (type(node).__name__, *(signature(getattr(node, name)) for name in parts))
