"""The items of a statement to the fields of its words.

A flag or key belongs to the nearest word on its left that takes it; a bare value to the last word;
a word that may follow (`relu`, `bn`) opens a binding of its own.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cnndsl.edits import removal
from cnndsl.fields import Spec, Word, flags, keys
from cnndsl.passes.binding import Binding, surplus
from cnndsl.passes.convert import convert
from cnndsl.passes.misread import misread, unquoted, warn_of_product
from cnndsl.passes.reporter import Reporter, SpecError, Unknown
from cnndsl.passes.scope import Scope
from cnndsl.passes.unknown_items import Place, own_words
from cnndsl.passes.values import evaluate
from cnndsl.source import Fix, Span
from cnndsl.syntax import ast


@dataclass
class Binder:
    """Fills bindings from items. `follow` are the words that may open a binding of their own.

    Complaints go to the reporter, and binding goes on: a value that failed still takes its place.
    Behind a bare item that is not understood it is unclear which value is which, so that later
    ones are not complained of (`unsure`); behind a word that starts a statement of its own,
    nothing belongs to this statement any more (`cut`).
    """

    reporter: Reporter
    scope: Scope
    follow: Mapping[str, type[Word]]
    words: Collection[str] = ()
    bindings: list[Binding] = field(default_factory=list[Binding])
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
            except SpecError as complaint:
                self._complain(complaint, isinstance(item, ast.Positional))
            except Unknown:
                self.failed = True

    def build(self) -> list[Any]:
        """All words, as far as they are understood; nothing where a required field is missing."""
        if self.cut:
            return []
        try:
            return [binding.build() for binding in self.bindings]
        except SpecError as complaint:
            if not self.failed:
                self.reporter.add(complaint.diagnostic)
            return []

    def _complain(self, complaint: SpecError, bare: bool) -> None:
        code = complaint.diagnostic.code
        self.failed = True
        self.cut |= code == "E109"
        if not (self.unsure and bare and code in ("E104", "E106", "E107")):
            self.reporter.add(complaint.diagnostic)
        self.unsure |= bare and code in ("E102", "E104")

    def _item(self, item: ast.Item, weak: bool) -> None:
        match item:
            case ast.Positional(span, ast.Name(_, name)) if self._word(name, span, weak):
                return
            case ast.Positional(_, ast.Name() as name) if self.bindings[-1].cls.takes_labels:
                self._label(name)
            case ast.Positional(span, ast.Name() as name):
                self._name(span, name)
            case ast.Positional() if weak and self.bindings[-1].free is None:
                pass
            case ast.Positional(span, value):
                self._value(span, value)
            case ast.Key():
                self._key(item, weak)
            case ast.Stride(span, value):
                self._stride(ast.Key(span, ast.Name(span, "stride"), value), weak)
            case ast.Repeat():
                pass

    @property
    def _place(self) -> Place:
        return Place(self.bindings, self.follow, self.words, self.scope)

    # Bare items

    def _word(self, name: str, span: Span, weak: bool) -> bool:
        """Whether a bare name is a flag or a word that may follow."""
        for binding in reversed(self.bindings):
            spec = flags(binding.cls).get(name)
            if spec is not None:
                if not (weak and spec.name in binding.spans):
                    binding.put(spec, spec.value_of(name), span)
                return True
        if name == "plain":
            self.plain = True
            return True
        if name in self.follow:
            self.bindings.append(Binding(self.follow[name], span))
            return True
        return False

    def _label(self, name: ast.Name) -> None:
        self._refuse_layer(name)
        self.bindings[-1].labels.append(name)

    def _name(self, span: Span, name: ast.Name) -> None:
        """A bare name that is neither flag nor word: a choice, a text or a variable."""
        spec = self.bindings[-1].free
        if spec is not None and spec.kind == "texts":
            return self.bindings[-1].put(spec, (name.id,), span)
        if spec is not None and (spec.kind == "text" or name.id in spec.words):
            return self.bindings[-1].put(spec, name.id, span)
        self._refuse_layer(name)
        if name.id not in self.scope.known("values"):
            if self.scope.incomplete:
                self.unsure = True
                raise Unknown
            raise self._place.unknown_name(name)
        self._value(span, name)

    def _value(self, span: Span, value: ast.Expr) -> None:
        binding = self.bindings[-1]
        spec = binding.free
        if spec is None:
            channels = self.scope.values_at_hand("ch")
            unfit = surplus(binding, self.bindings[0], span, value, channels)
            raise self._misread(value) or self._place.without_sign(value) or unfit
        binding.take(spec, span)
        if spec.kind == "pair":
            warn_of_product(value, self.reporter)
        _refuse_unquoted(value, spec, binding)
        try:
            binding.fill(spec, convert(evaluate(value, self.scope), spec, span, binding.cls))
        except SpecError as complaint:
            raise self._misread(value) or complaint from None

    def _misread(self, value: ast.Expr) -> SpecError | None:
        mine = {*self.follow, *(w for binding in self.bindings for w in flags(binding.cls))}
        return misread(value, mine)

    def _refuse_layer(self, name: ast.Name) -> None:
        if name.id not in self.words:
            return
        message = f"`{name.id}` is a statement of its own, it cannot follow here"
        first = self.bindings[0].cls
        if first.takes_group:
            hint = f"put it in braces: `{first.word} {{ {name.id} … }}`"
            raise SpecError("E109", message, name.span, hint, _in_braces(name.span))
        fix = Fix(Span(name.span.source, name.span.start, name.span.start), "; ", "insert `;`")
        raise SpecError("E109", message, name.span, f"put `;` before it: `; {name.id} …`", fix)

    # Keys

    def _stride(self, item: ast.Key, weak: bool) -> None:
        if not any("stride" in keys(binding.cls) for binding in self.bindings):
            word = self.bindings[0].cls.word
            raise SpecError("E103", f"`{word}` has no stride", item.span, "remove it",
                            removal(item.span))  # fmt: skip
        self._key(item, weak)

    def _key(self, item: ast.Key, weak: bool) -> None:
        key, value = item.name.id, item.value
        binding = next((s for s in reversed(self.bindings) if key in keys(s.cls)), None)
        if binding is None:
            raise self._place.unknown_key(item)
        spec = keys(binding.cls)[key]
        if weak and spec.name in binding.spans:
            return
        binding.take(spec, item.span)
        if isinstance(value, ast.Name) and value.id in own_words(self.bindings) - {*spec.words}:
            hint = f"`{value.id}` is a word of its own: `{binding.cls.word} … {value.id}`"
            fix = Fix(item.span, value.id, f"write `{value.id}`")
            raise SpecError("E106", f"`{key}` is a number, not a word", value.span, hint, fix)
        if isinstance(value, ast.Name) and spec.kind in ("choice", "text", "texts"):
            found: Any = value.id
        else:
            _refuse_unquoted(value, spec, binding)
            found = evaluate(value, self.scope)
        binding.values[spec.name] = convert(found, spec, value.span, binding.cls)


def _refuse_unquoted(value: ast.Expr, spec: Spec, binding: Binding) -> None:
    if spec.kind in ("text", "texts") and (error := unquoted(value, binding.cls.word == "data")):
        raise error


def _in_braces(start: Span) -> Fix | None:
    """The rest of a statement in braces."""
    text = re.match(r"[^\n;{}|#]*[^\n;{}|#\s]", start.source.text[start.start :])
    if text is None:
        return None
    span = Span(start.source, start.start, start.start + len(text[0]))
    return Fix(span, f"{{ {text[0]} }}", f"write `{{ {text[0]} }}`")
