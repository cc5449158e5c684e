"""Walks over syntax trees."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, cast

from cnndsl.source import Span
from cnndsl.syntax import ast


def walk(*roots: Any) -> Iterator[Any]:
    """Every node under the roots, statements and expressions, in the order of the text."""
    waiting: list[Any] = list(reversed(roots))
    while waiting:
        node = waiting.pop()
        if isinstance(node, tuple):
            waiting.extend(reversed(cast("tuple[Any, ...]", node)))
        elif is_dataclass(node) and not isinstance(node, Span):
            yield node
            waiting.extend(getattr(node, f.name) for f in reversed(fields(node)))


def names(*roots: Any) -> set[str]:
    """All bare words in expressions, calls of functions left out."""
    found = list(walk(*roots))
    called = {id(node.function) for node in found if isinstance(node, ast.Call)}
    return {node.id for node in found if isinstance(node, ast.Name) and id(node) not in called}


def signature(node: Any) -> Any:
    """What a tree says, without its places: equal for texts that mean the same."""
    if isinstance(node, tuple):
        return tuple(map(signature, cast("tuple[Any, ...]", node)))
    if not is_dataclass(node):
        return node
    parts = [getattr(node, f.name) for f in fields(node)]
    return (type(node).__name__, *(signature(p) for p in parts if not isinstance(p, Span)))
