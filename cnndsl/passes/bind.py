"""The items of a statement to the fields of its words.

A flag or key belongs to the nearest word on its left that takes it; a bare value to the last word;
a word that may follow (`relu`, `bn`) opens a slot of its own.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cnndsl.passes.convert import convert
from cnndsl.passes.habits import SYNONYMS, guess, meant_key
from cnndsl.passes.scope import Scope
from cnndsl.passes.sink import Complaint, Sink, Unknown
from cnndsl.passes.slot import Slot, surplus
from cnndsl.passes.values import evaluate
from cnndsl.source import Fix, Span
from cnndsl.syntax import ast
from cnndsl.syntax.complaints import SIZES
from cnndsl.words import Word, arguments, flags, in_order, keys, specs, syntax

_ARITHMETIC = "a stride or repeat has a space before and none after: `/2`, `*3`"


@dataclass
class Binder:
    """Fills slots from items. `follow` are the words that may open a slot of their own.

    Complaints go to the sink, and binding goes on: a value that failed still takes its place.
    Behind a bare item that is not understood it is unclear which value is which, so that later
    ones are not complained of (`unsure`); behind a word that starts a statement of its own,
    nothing belongs to this statement any more (`cut`).
    """

    sink: Sink
    scope: Scope
    follow: Mapping[str, type[Word]]
    words: Collection[str] = ()
    slots: list[Slot] = field(default_factory=list[Slot])
    plain: bool = False
    failed: bool = False
    unsure: bool = False
    cut: bool = False

    def take(self, items: Iterable[ast.Item], weak: bool = False) -> None:
        """Bind items; `weak` ones (from `default`) leave filled fields as they are."""
        for item in items:
            if self.cut:
                return
            try:
                self._item(item, weak)
            except Complaint as complaint:
                self._complain(complaint, isinstance(item, ast.Positional))
            except Unknown:
                self.failed = True

    def build(self) -> list[Any]:
        """All words, as far as they are understood; nothing where a required field is missing."""
        if self.cut:
            return []
        try:
            return [slot.build() for slot in self.slots]
        except Complaint as complaint:
            if not self.failed:
                self.sink.add(complaint.diagnostic)
            return []

    def _complain(self, complaint: Complaint, bare: bool) -> None:
        code = complaint.diagnostic.code
        self.failed = True
        self.cut |= code == "E109"
        if not (self.unsure and bare and code in ("E104", "E106", "E107")):
            self.sink.add(complaint.diagnostic)
        self.unsure |= bare and code in ("E102", "E104")

    def _item(self, item: ast.Item, weak: bool) -> None:
        match item:
            case ast.Positional(span, ast.Name(_, name)) if self._word(name, span, weak):
                return
            case ast.Positional(_, ast.Name() as name) if self.slots[-1].cls.takes_labels:
                self._label(name)
            case ast.Positional(span, ast.Name() as name):
                self._name(span, name)
            case ast.Positional(span, value):
                self._value(span, value)
            case ast.Key(span, name, value):
                self._key(span, name.id, name.span, value, weak)
            case ast.Stride(span, value):
                self._key(span, "stride", span, value, weak)
            case ast.Repeat():
                pass

    # Bare items

    def _word(self, name: str, span: Span, weak: bool) -> bool:
        """Whether a bare name is a flag or a word that may follow."""
        for slot in reversed(self.slots):
            spec = flags(slot.cls).get(name)
            if spec is not None:
                if not (weak and spec.name in slot.spans):
                    slot.put(spec, name, span)
                return True
        if name == "plain":
            self.plain = True
            return True
        if name in self.follow:
            self.slots.append(Slot(self.follow[name], span))
            return True
        return False

    def _label(self, name: ast.Name) -> None:
        self._refuse_layer(name)
        self.slots[-1].labels.append(name)

    def _name(self, span: Span, name: ast.Name) -> None:
        """A bare name that is neither flag nor word: a choice, a text or a variable."""
        spec = self.slots[-1].free
        if spec is not None and (spec.kind == "text" or name.id in spec.words):
            return self.slots[-1].put(spec, name.id, span)
        self._refuse_layer(name)
        if name.id not in self.scope.known("values"):
            if self.scope.incomplete:
                self.unsure = True
                raise Unknown
            raise Complaint("E102", f"unknown name `{name.id}`", name.span, self._mend(name))
        self._value(span, name)

    def _value(self, span: Span, value: ast.Expr) -> None:
        slot = self.slots[-1]
        spec = slot.free
        if spec is None:
            raise self._misread(value) or surplus(slot, self.slots[0], span, value)
        slot.take(spec, span)
        try:
            slot.values[spec.name] = convert(evaluate(value, self.scope), spec, span, slot.cls)
        except Complaint as complaint:
            raise self._misread(value) or complaint from None

    def _misread(self, value: ast.Expr) -> Complaint | None:
        """`3x3/2`, `same * 3`, `relu()`: arithmetic and calls that were not meant as such."""
        mine = {*self.follow, *(w for slot in self.slots for w in flags(slot.cls))}
        match value:
            case ast.Call(span, function, _) if function.id in mine:
                message = f"`{function.id}` is no function"
                mend = f"write `{function.id}` without parentheses"
                return Complaint("E102", message, span, mend)
            case ast.Binary(span, "/" | "*", left, _) if _no_number(left, mine):
                message = f"`{span.text}` is read as arithmetic"
                return Complaint("E106", message, span, _ARITHMETIC)
            case _:
                return None

    def _refuse_layer(self, name: ast.Name) -> None:
        if name.id not in self.words:
            return
        message = f"`{name.id}` is a statement of its own, it cannot follow here"
        first = self.slots[0].cls
        if first.takes_group:
            mend = f"put it in braces: `{first.word} {{ {name.id} … }}`"
            raise Complaint("E109", message, name.span, mend)
        fix = Fix(Span(name.span.source, name.span.start, name.span.start), "; ", "insert `;`")
        raise Complaint("E109", message, name.span, f"put `;` before it: `; {name.id} …`", fix)

    def _mend(self, unknown: ast.Name) -> str:
        """What an unknown bare name was probably meant to be."""
        name, span = unknown.id, unknown.span
        if self.scope.label(name) is not None:
            return f"a label is used as in `concat {name}`, `add {name}` or `from {name}`"
        if any(name in keys(slot.cls) for slot in self.slots):
            said = re.match(r"[ \t]+([\w.+-]+)", span.source.text[span.end :])
            return f"a key takes its value behind `=`: `{name}={said[1] if said else 2}`"
        if re.fullmatch(r"x[0-9]*", name):
            return "a size is one word, `3x3`; a repeat is `*3`"
        if self._is_size(name):
            return SIZES
        if re.fullmatch(r"k[0-9x]+", name):
            return f"write `k={name[1:]}`, or the size alone: `{name[1:]}`"
        ours = SYNONYMS.get(name.lower())
        if ours in self.words and ours not in self.follow:
            return f"did you mean `; {ours} …`, a statement of its own?"
        near = {"plain", *self.follow, *self.scope.known("values"), *self._own_words()}
        close = ours if ours in near else guess(name, near)
        return f"did you mean `{close}`?" if close else self._options(name)

    def _is_size(self, name: str) -> bool:
        """Whether it is `kxk` or `kx3`, for a variable k."""
        left, _, right = name.rpartition("x")
        known = self.scope.known("values")
        return left in known and (right in known or right.isdigit())

    def _own_words(self) -> set[str]:
        """The words that this statement may hold."""
        free = self.slots[-1].free
        chosen = free.words if free is not None and free.kind == "choice" else ()
        return {*chosen, *(w for slot in self.slots for w in flags(slot.cls))}

    def _options(self, name: str) -> str:
        slot = self.slots[-1]
        if slot.free and slot.free.kind == "choice":
            return "one of " + ", ".join(slot.free.words)
        if not specs(slot.cls):
            return f"`{slot.cls.word}` takes nothing"
        if slot.free and slot.free.kind in ("int", "float"):
            return f"a variable is defined above its use: `let {name} = …`"
        return f"write `{syntax(slot.cls)}`"

    # Keys

    def _key(self, span: Span, key: str, place: Span, value: ast.Expr, weak: bool) -> None:
        slot = next((s for s in reversed(self.slots) if key in keys(s.cls)), None)
        if slot is None:
            raise self._unknown_key(key, place, value)
        spec = keys(slot.cls)[key]
        if weak and spec.name in slot.spans:
            return
        slot.take(spec, span)
        if isinstance(value, ast.Name) and value.id in self._own_words() - {*spec.words}:
            mend = f"`{value.id}` is a word of its own: `{slot.cls.word} … {value.id}`"
            raise Complaint("E106", f"`{key}` is a number, not a word", value.span, mend)
        if isinstance(value, ast.Name) and spec.kind in ("choice", "text"):
            found: Any = value.id
        else:
            found = evaluate(value, self.scope)
        slot.values[spec.name] = convert(found, spec, value.span, slot.cls)

    def _unknown_key(self, key: str, place: Span, value: ast.Expr) -> Complaint:
        word = self.slots[0].cls.word
        if key == "stride" and place.text.startswith("/"):
            return Complaint("E103", f"`{word}` has no stride", place, "remove it")
        message = f"`{word}` has no key `{key}`"
        own = self._written_as_words(key, value)
        if own and isinstance(value, ast.Bool) and not value.value:
            off = f"no{key}"
            mend = f"write `{off}`" if off in self._own_words() else f"leave `{key}` out"
            return Complaint("E103", message, place, mend)
        if own:
            mend = f"`{own}` is written without `=`: `{word} … {own}`"
            return Complaint("E103", message, place, mend)
        named = next((mend for slot in self.slots if (mend := _named(slot.cls, key, value))), None)
        if named:
            return Complaint("E103", message, place, named)
        known = {k for slot in self.slots for k in keys(slot.cls)}
        close, hint = meant_key(key, known)
        fix = Fix(place, close, f"write `{close}`") if close else None
        mend = f"did you mean `{close}`?" if close else hint or _listed(self.slots[0].cls, known)
        return Complaint("E103", message, place, mend, fix)

    def _written_as_words(self, key: str, value: ast.Expr) -> str | None:
        """`bn=true`, `dropout=0.5` and `mode=bilinear`, as they are written here."""
        if isinstance(value, ast.Name) and value.id in self._own_words():
            return value.id
        if key in self.follow or key in self._own_words():
            return key if isinstance(value, ast.Bool) else f"{key} {value.span.text}"
        return None


def _named(cls: type[Word], key: str, value: ast.Expr) -> str | None:
    """How a word's positional field is written, where `key` is its name."""
    if key not in (names := [spec.name for spec in arguments(cls)]):
        return None
    if len(names) > 1:
        return f"`{key}` is written without its name; the order is `{in_order(cls)}`"
    return f"`{key}` is written without its name: `{cls.word} {value.span.text}`"


def _listed(cls: type[Word], known: set[str]) -> str:
    if not known:
        return f"`{cls.word}` has no keys: write `{syntax(cls)}`"
    return f"its keys: {', '.join(sorted(known))}"


def _no_number(left: ast.Expr, words: set[str]) -> bool:
    """Whether the left end of a product can be no number: a size such as 3x3, or a word."""
    while isinstance(left, ast.Binary):
        left = left.left
    return isinstance(left, ast.Dims) or (isinstance(left, ast.Name) and left.id in words)
