"""The items of a statement to the fields of its words.

A flag or key belongs to the nearest word on its left that takes it; a bare value to the last word;
a word that may follow (`relu`, `bn`) opens a slot of its own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cnndsl.passes.convert import convert
from cnndsl.passes.scope import Scope
from cnndsl.passes.sink import Complaint, Sink, Unknown
from cnndsl.passes.values import evaluate, shown
from cnndsl.source import Fix, Span
from cnndsl.syntax import ast
from cnndsl.words import Spec, Word, arguments, flags, keys, nearest, specs, syntax


@dataclass
class Slot:
    """A word being filled: its class, the values of its fields and where they stand."""

    cls: type[Word]
    span: Span
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    spans: dict[str, Span] = field(default_factory=dict[str, Span])
    labels: list[ast.Name] = field(default_factory=list[ast.Name])

    @property
    def free(self) -> Spec | None:
        """The next positional field without a value."""
        return next((s for s in arguments(self.cls) if s.name not in self.values), None)

    def put(self, spec: Spec, value: Any, span: Span) -> None:
        """Fill a field; Complaint where it has a value already."""
        if spec.name in self.spans:
            before = self.spans[spec.name].text
            message = f"`{spec.title}` is given twice: `{before}` and `{span.text}`"
            raise Complaint("E108", message, span, "keep one of them")
        self.values[spec.name] = value
        self.spans[spec.name] = span

    def build(self) -> Any:
        """The word itself; Complaint where a required field is missing."""
        for spec in specs(self.cls):
            if spec.required and spec.name not in self.values:
                message = f"`{self.cls.word}` needs its {spec.name}: {spec.doc}"
                raise Complaint("E105", message, self.span, f"write `{syntax(self.cls)}`")
        return self.cls(**self.values)


@dataclass
class Binder:
    """Fills slots from items. `follow` are the words that may open a slot of their own."""

    sink: Sink
    scope: Scope
    follow: Mapping[str, type[Word]]
    words: Iterable[str] = ()
    slots: list[Slot] = field(default_factory=list[Slot])
    plain: bool = False
    failed: bool = False

    def take(self, items: Iterable[ast.Item], weak: bool = False) -> None:
        """Bind items; `weak` ones (from `default`) leave filled fields as they are."""
        for item in items:
            try:
                self._item(item, weak)
            except Complaint as complaint:
                self.failed = True
                self.sink.add(complaint.diagnostic)
            except Unknown:
                self.failed = True

    def build(self) -> list[Any]:
        """All words, as far as they are understood; nothing where a required field is missing."""
        try:
            return [slot.build() for slot in self.slots]
        except Complaint as complaint:
            if not self.failed:
                self.sink.add(complaint.diagnostic)
            return []

    def _item(self, item: ast.Item, weak: bool) -> None:
        match item:
            case ast.Positional(span, ast.Name(_, name)) if self._word(name, span, weak):
                return
            case ast.Positional(_, ast.Name() as name) if self.slots[-1].cls.takes_labels:
                self._label(name)
            case ast.Positional(span, value):
                self._value(span, value)
            case ast.Key(span, name, value):
                self._key(span, name.id, name.span, value, weak)
            case ast.Stride(span, value):
                self._key(span, "stride", span, value, weak)
            case ast.Repeat():
                pass

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

    def _value(self, span: Span, value: ast.Expr) -> None:
        slot = self.slots[-1]
        spec = slot.free
        if isinstance(value, ast.Name):
            if spec is not None and (spec.kind == "text" or value.id in spec.words):
                return slot.put(spec, value.id, span)
            self._refuse_stranger(value, slot)
        if spec is None:
            raise self._surplus(span, evaluate(value, self.scope), slot)
        slot.put(spec, convert(evaluate(value, self.scope), spec, span, slot.cls), span)

    def _surplus(self, span: Span, value: Any, slot: Slot) -> Complaint:
        word = slot.cls.word
        mend = f"write `{syntax(slot.cls)}`"
        if slot is not self.slots[0]:
            mend = f"values of `{self.slots[0].cls.word}` stand before `{word}`"
        return Complaint("E104", f"`{word}` does not take {shown(value)} here", span, mend)

    def _refuse_layer(self, name: ast.Name) -> None:
        if name.id in self.words:
            fix = Fix(Span(name.span.source, name.span.start, name.span.start), "; ", "insert `;`")
            message = f"`{name.id}` is a statement of its own, it cannot follow here"
            raise Complaint("E109", message, name.span, f"put `;` before it: `; {name.id} …`", fix)

    def _refuse_stranger(self, name: ast.Name, slot: Slot) -> None:
        """A bare name that is no variable: say what was probably meant."""
        self._refuse_layer(name)
        if name.id in self.scope.known("values"):
            return
        near = set(self.follow) | self.scope.known("values") | set(flags(slot.cls))
        if slot.free and slot.free.kind == "choice":
            near |= set(slot.free.words)
        near |= {word for other in self.slots for word in flags(other.cls)}
        if self.scope.label(name.id) is not None:
            mend = f"a label is used as in `concat {name.id}`, `add {name.id}` or `from {name.id}`"
        else:
            close = nearest(name.id, near)
            mend = f"did you mean `{close}`?" if close else self._options(slot)
        raise Complaint("E102", f"unknown name `{name.id}`", name.span, mend)

    def _options(self, slot: Slot) -> str:
        if slot.free and slot.free.kind == "choice":
            return "one of " + ", ".join(slot.free.words)
        return f"write `{syntax(slot.cls)}`"

    def _key(self, span: Span, key: str, place: Span, value: ast.Expr, weak: bool) -> None:
        slot = next((s for s in reversed(self.slots) if key in keys(s.cls)), None)
        if slot is None:
            raise self._unknown_key(key, place)
        spec = keys(slot.cls)[key]
        if weak and spec.name in slot.spans:
            return
        if isinstance(value, ast.Name) and spec.kind in ("choice", "text"):
            found: Any = value.id
        else:
            found = evaluate(value, self.scope)
        slot.put(spec, convert(found, spec, value.span, slot.cls), span)

    def _unknown_key(self, key: str, place: Span) -> Complaint:
        word = self.slots[0].cls.word
        if key == "stride" and place.text.startswith("/"):
            return Complaint("E103", f"`{word}` has no stride", place, "remove it")
        known = {k for slot in self.slots for k in keys(slot.cls)}
        close = nearest(key, known)
        fix = Fix(place, close, f"write `{close}`") if close else None
        listed = ", ".join(sorted(known))
        mend = f"did you mean `{close}`?" if close else (
            f"`{word}` has {listed}" if listed else f"`{word}` has no keys"
        )  # fmt: skip
        return Complaint("E103", f"`{word}` has no key `{key}`", place, mend, fix)
