"""Who defines a name and who uses it: blocks, parameters, values and labels."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from cnndsl.passes.control import RESERVED, WORDS
from cnndsl.passes.synonyms import reserved_words
from cnndsl.recipe import CHOSEN
from cnndsl.source import Span
from cnndsl.syntax import ast
from cnndsl.syntax.walk import walk


@dataclass(frozen=True)
class Definition:
    """A name, what it stands for, and the statement that says so."""

    kind: str
    name: ast.Name
    node: Any


@dataclass
class Room:
    """Where names are known: the file, or a block. Branches share the room that they are in."""

    outer: "Room | None"
    known: dict[str, Definition] = field(default_factory=dict[str, Definition])
    uses: list[ast.Name] = field(default_factory=list[ast.Name])

    def find(self, name: str) -> Definition | None:
        """What a name means here."""
        if name in self.known:
            return self.known[name]
        return self.outer.find(name) if self.outer else None


class Names:
    """All names of a file, with the blocks and values that it has from others."""

    def __init__(self, file: ast.File, used: Iterable[ast.File] = ()) -> None:
        self.file = file
        brought = Room(None)
        for node in (node for other in used for node in other.body):
            if isinstance(node, ast.Block | ast.Let):
                kind = "block" if isinstance(node, ast.Block) else "value"
                brought.known.setdefault(node.name.id, Definition(kind, node.name, node))
        self.top = Room(brought)
        self._rooms: list[tuple[Span | None, Room]] = [(None, self.top)]
        self._fill(self.top, file.body)

    def _fill(self, room: Room, *roots: Any) -> None:
        blocks = [n for n in walk(*roots) if isinstance(n, ast.Block)]
        inside = [n.span for n in blocks]
        for node in walk(*roots):
            span = getattr(node, "span", None)
            if not any(_within(span, block) for block in inside):
                self._note(room, node)
        for block in blocks:
            if not any(_within(block.span, other) for other in inside if other is not block.span):
                room.known.setdefault(block.name.id, Definition("block", block.name, block))
                inner = Room(room)
                self._rooms.append((block.span, inner))
                for param in block.params:
                    inner.known[param.name.id] = Definition("parameter", param.name, block)
                self._fill(inner, block.params, block.body)

    def _note(self, room: Room, node: Any) -> None:
        match node:
            case ast.Let():
                room.known.setdefault(node.name.id, Definition("value", node.name, node))
            case ast.Statement(label=ast.Name() as label):
                room.known.setdefault(label.id, Definition("label", label, node))
            case ast.Name():
                room.uses.append(node)
            case _:
                pass

    def room_at(self, offset: int) -> Room:
        """The innermost room around a place."""
        around = [(s, r) for s, r in self._rooms if s is not None and s.start <= offset <= s.end]
        return min(around, key=lambda x: x[0].end - x[0].start)[1] if around else self.top

    def at(self, offset: int) -> ast.Name | None:
        """The word at a place."""
        names = (n for n in walk(self.file.body) if isinstance(n, ast.Name))
        return next((n for n in names if n.span.start <= offset <= n.span.end), None)

    def is_own(self, found: Definition) -> bool:
        """Whether a name is defined in this file."""
        return found.name.span.source is self.file.source

    def is_output(self, found: Definition) -> bool:
        """Whether an output of the network is called by a label."""
        outputs = (n for n in walk(self.file.body) if isinstance(n, ast.Statement))
        spans = [n.span for n in outputs if n.head.id == "output" and n.group is None]
        return any(_within(name.span, s) for name in self.references(found) for s in spans)

    def definition(self, name: ast.Name) -> Definition | None:
        """What a word was defined as; None for words of the language."""
        for room in self._rooms:
            for found in room[1].known.values():
                if found.name.span == name.span:
                    return found
        called = self._called_by_key(name)
        if called is not None:
            return called
        found = self.room_at(name.span.start).find(name.id)
        is_number = found is not None and found.kind in ("value", "parameter")
        return None if is_number and name.span in self._words else found

    @cached_property
    def _words(self) -> set[Span]:
        """Places where a name is not a number: keys, functions, heads, and choices of settings."""
        found = set[Span]()
        varied = _varied(self.file)
        for node in walk(self.file.body):
            match node:
                case ast.Key(_, name, value):
                    found.add(name.span)
                    if isinstance(value, ast.Name) and name.id == "init":
                        found.add(value.span)
                case ast.Call(_, function):
                    found.add(function.span)
                case ast.Statement(head=head, items=items):
                    if head.span not in varied:
                        found.add(head.span)
                    if head.id in _CHOOSING and items and isinstance(items[0], ast.Positional):
                        found.add(items[0].span)
                case _:
                    pass
        return found

    def _called_by_key(self, name: ast.Name) -> Definition | None:
        """The block's parameter, for the key of a call: `unit c=64`."""
        for node in walk(self.file.body):
            if isinstance(node, ast.Statement):
                for item in (*node.items, *node.tail):
                    if isinstance(item, ast.Key) and item.name.span == name.span:
                        return self._parameter(node.head, name.id)
        return None

    def _parameter(self, head: ast.Name, key: str) -> Definition | None:
        block = self.room_at(head.span.start).find(head.id)
        inner = next((r for s, r in self._rooms if block and s == block.node.span), None)
        return inner.known.get(key) if inner else None

    def references(self, wanted: Definition) -> Iterator[ast.Name]:
        """Every place that means a definition, its own among them."""
        for node in walk(self.file.body):
            if isinstance(node, ast.Name) and node.id == wanted.name.id:
                found = self.definition(node)
                if found is not None and found.name.span == wanted.name.span:
                    yield node


_CHOOSING = {*CHOSEN, "data", "output"}  # words before a name that no `let` has a say in


def _varied(file: ast.File) -> set[Span]:
    """The first words of a `search` section: names of `let`s, where there are such."""
    sections = [n for n in file.body if isinstance(n, ast.Statement) and n.head.id == "search"]
    nodes = (node for section in sections for node in walk(section.group))
    return {node.head.span for node in nodes if isinstance(node, ast.Statement)}


def _within(span: Span | None, outer: Span) -> bool:
    """Whether a span is part of another, but not the other itself."""
    return span is not None and span != outer and outer.holds(span)


@cache
def taken_words() -> frozenset[str]:
    """The words of the language, which nothing can be called."""
    return frozenset({*RESERVED, *WORDS, *reserved_words()})
