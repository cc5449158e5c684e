"""What can stand at a place: words of the language, settings, names of the file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cnndsl.fields import Word, arguments, flags, keys, syntax
from cnndsl.layers import vocabulary
from cnndsl.lints.training import CLASSES
from cnndsl.lsp.document import Document
from cnndsl.lsp.names import Names
from cnndsl.passes.control import WORDS
from cnndsl.passes.reporter import line_of
from cnndsl.passes.search_setting import VARIED
from cnndsl.recipe import CHOSEN, PLAIN
from cnndsl.source import counted
from cnndsl.space import MEASURES
from cnndsl.syntax import ast

_TRAIN = re.compile(r"\btrain\s*\{[^}]*$")
_SEARCH = re.compile(r"\bsearch\s*\{[^}]*$")
_KEY = re.compile(r"(\w+)=\w*$")
_START = re.compile(r"[;\n{|]|^")
_CONTROLS = {
    "input": "input 3x32x32", "from": "go on from a label", "output": "name an output",
    "default": "words for the later layers of a kind", "train": "how to train",
    "search": "what a search varies and keeps",
    "block": "define a block", "let": "name a value", "use": "bring in a file",
    "if": "only under a condition", "cnn": "version of the language",
}  # fmt: skip


_RANGE = {
    "to": "a range: 16 to 64", "step=": "16 to 64 step=8", "log": "evenly by orders of magnitude",
}  # fmt: skip


@dataclass(frozen=True)
class Proposal:
    """A word with its kind (`layer`, `word`, `key`, `block`, `label`, `value`) and a short text."""

    text: str
    kind: str
    about: str


def complete(document: Document, offset: int) -> list[Proposal]:
    """Everything that fits at a place, whatever of it is already typed."""
    before = document.source.text[:offset]
    before = re.sub(r"#[^\n]*", "", before) if not _in_comment(before) else None
    if before is None:
        return []
    start = max(m.end() for m in _START.finditer(before))
    words = re.sub(r"^\s*\w+\s*:\s*", "", before[start:]).split()
    if before[-1:].isalnum() or before[-1:] in ("_", "="):
        words = words[:-1]
    names = document.names
    if in_train(before):
        return list(_settings(words))
    if _SEARCH.search(before) is not None:
        return list(_searched(words, names, offset))
    key = _KEY.search(before)
    if key is not None:
        return list(_choices(words, key[1]))
    return list(_statement(words, names, offset))


def in_train(before: str) -> bool:
    """Whether a text ends inside of `train { … }`."""
    return _TRAIN.search(before) is not None


def _in_comment(before: str) -> bool:
    return "#" in before.rpartition("\n")[2]


def _first_line(cls: type) -> str:
    return (cls.__doc__ or "").strip().partition("\n")[0]


def _statement(words: list[str], names: Names, offset: int) -> Iterator[Proposal]:
    layers = vocabulary()
    room = names.room_at(offset)
    if not words:
        yield from (Proposal(w, "layer", _first_line(cls)) for w, cls in layers.items())
        controls = sorted({*_CONTROLS, *WORDS} - {*layers})
        yield from (Proposal(w, "word", _CONTROLS.get(w, "")) for w in controls)
        yield from _named(names, offset, "block")
        return
    head = words[0]
    if head in ("from", "output") or (head in layers and layers[head].takes_labels):
        yield from _named(names, offset, "label")
        if head in ("from", "output"):
            return
    if head == "default":
        if len(words) == 1:
            yield from (Proposal(w, "layer", _first_line(cls)) for w, cls in layers.items())
        words = words[1:]
        head = words[0] if words else ""
    if head in layers or head == "}":  # behind the end of a group its statement goes on
        for word in dict.fromkeys(w for w in words if w in layers):
            yield from _items(layers[word])
        yield from (Proposal(w, "word", _first_line(c)) for w, c in layers.items() if c.post)
    elif (block := room.find(head)) is not None and isinstance(block.node, ast.Block):
        for param in block.node.params:
            yield Proposal(f"{param.name.id}=", "key", f"parameter of {head}")
        yield from (Proposal(w, "word", _first_line(c)) for w, c in layers.items() if c.post)
    yield from _named(names, offset, "value")
    yield from _named(names, offset, "parameter")


def _choices(words: list[str], key: str) -> Iterator[Proposal]:
    """What a key of the layers of a statement may be."""
    for layer in (vocabulary()[word] for word in words if word in vocabulary()):
        spec = keys(layer).get(key)
        if spec is not None:
            yield from (Proposal(word, "word", spec.doc) for word in spec.words)


def _items(cls: type[Word]) -> Iterator[Proposal]:
    for word, spec in flags(cls).items():
        yield Proposal(word, "word", spec.doc)
    for key, spec in keys(cls).items():
        yield Proposal(f"{key}=", "key", spec.doc)


def _named(names: Names, offset: int, kind: str) -> Iterator[Proposal]:
    room = names.room_at(offset)
    while room is not None:
        for found in room.known.values():
            if found.kind == kind:
                line = line_of(found.name.span, names.file.source)
                yield Proposal(found.name.id, kind, f"{kind} of {line}")
        room = None if kind == "label" else room.outer


def _searched(words: list[str], names: Names, offset: int) -> Iterator[Proposal]:
    """What can be varied, kept and looked for."""
    if words[:1] == ["keep"]:
        yield from (Proposal(w, "word", about) for w, (about, _) in MEASURES.items())
    elif words[:1] in (["optimizer"], ["schedule"], ["loss"], ["augment"]):
        yield from _settings(words[:1])
    elif not words:
        yield from _named(names, offset, "value")
        yield Proposal("keep", "word", "a bound: keep params < 100k")
        yield Proposal("goal", "word", "what is looked for: goal val_accuracy")
        yield from (p for p in _settings([]) if p.text in VARIED)
    else:
        yield from (Proposal(w, "word", about) for w, about in _RANGE.items())


def _settings(words: list[str]) -> Iterator[Proposal]:
    if not words:
        yield from (Proposal(w, "word", _first_line(cls)) for w, cls in PLAIN.items())
        yield from (Proposal(w, "word", f"which {w}: {', '.join(c)}") for w, c in CHOSEN.items())
        return
    chosen = CHOSEN.get(words[0], {})
    if len(words) == 1 and chosen:
        yield from (Proposal(w, "word", _first_line(cls)) for w, cls in chosen.items())
        return
    if words[0] == "data":
        yield from (Proposal(name, "word", counted(n, "output")) for name, n in CLASSES.items())
    cls = chosen.get(words[1]) if chosen else PLAIN.get(words[0])
    if cls is not None:
        yield from _items(cls)
        for spec in arguments(cls):
            yield from (Proposal(word, "word", syntax(cls)) for word in spec.words)
