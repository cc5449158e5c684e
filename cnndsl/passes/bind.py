"""The items of a statement to the fields of its words.

A flag or key belongs to the nearest word on its left that takes it; a bare value to the last word;
a word that may follow (`relu`, `bn`) opens a binding of its own.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cnndsl.fields import Word, arguments, flags, in_order, keys, specs, syntax
from cnndsl.passes.binding import Binding, surplus
from cnndsl.passes.convert import convert
from cnndsl.passes.reporter import Reporter, SpecError, Unknown
from cnndsl.passes.scope import Scope
from cnndsl.passes.synonyms import SYNONYMS, guess, meant_key
from cnndsl.passes.values import evaluate
from cnndsl.source import Fix, Span
from cnndsl.syntax import ast
from cnndsl.syntax.explain import SIZES

_ARITHMETIC = "a stride or repeat has a space before and none after: `/2`, `*3`"


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
            case ast.Key(span, name, value):
                self._key(span, name.id, name.span, value, weak)
            case ast.Stride(span, value):
                self._key(span, "stride", span, value, weak)
            case ast.Repeat():
                pass

    # Bare items

    def _word(self, name: str, span: Span, weak: bool) -> bool:
        """Whether a bare name is a flag or a word that may follow."""
        for binding in reversed(self.bindings):
            spec = flags(binding.cls).get(name)
            if spec is not None:
                if not (weak and spec.name in binding.spans):
                    binding.put(spec, name, span)
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
        if spec is not None and (spec.kind == "text" or name.id in spec.words):
            return self.bindings[-1].put(spec, name.id, span)
        self._refuse_layer(name)
        if name.id not in self.scope.known("values"):
            if self.scope.incomplete:
                self.unsure = True
                raise Unknown
            raise SpecError("E102", f"unknown name `{name.id}`", name.span, self._hint(name))
        self._value(span, name)

    def _value(self, span: Span, value: ast.Expr) -> None:
        binding = self.bindings[-1]
        spec = binding.free
        if spec is None:
            raise self._misread(value) or surplus(binding, self.bindings[0], span, value)
        binding.take(spec, span)
        try:
            binding.values[spec.name] = convert(
                evaluate(value, self.scope), spec, span, binding.cls
            )
        except SpecError as complaint:
            raise self._misread(value) or complaint from None

    def _misread(self, value: ast.Expr) -> SpecError | None:
        """`3x3/2`, `same * 3`, `relu()`: arithmetic and calls that were not meant as such."""
        mine = {*self.follow, *(w for binding in self.bindings for w in flags(binding.cls))}
        match value:
            case ast.Call(span, function, _) if function.id in mine:
                message = f"`{function.id}` is no function"
                hint = f"write `{function.id}` without parentheses"
                return SpecError("E102", message, span, hint)
            case ast.Binary(span, "/" | "*", left, _) if _no_number(left, mine):
                message = f"`{span.text}` is read as arithmetic"
                return SpecError("E106", message, span, _ARITHMETIC)
            case _:
                return None

    def _refuse_layer(self, name: ast.Name) -> None:
        if name.id not in self.words:
            return
        message = f"`{name.id}` is a statement of its own, it cannot follow here"
        first = self.bindings[0].cls
        if first.takes_group:
            hint = f"put it in braces: `{first.word} {{ {name.id} … }}`"
            raise SpecError("E109", message, name.span, hint)
        fix = Fix(Span(name.span.source, name.span.start, name.span.start), "; ", "insert `;`")
        raise SpecError("E109", message, name.span, f"put `;` before it: `; {name.id} …`", fix)

    def _hint(self, unknown: ast.Name) -> str:
        """What an unknown bare name was probably meant to be."""
        name, span = unknown.id, unknown.span
        if self.scope.label(name) is not None:
            return f"a label is used as in `concat {name}`, `add {name}` or `from {name}`"
        if any(name in keys(binding.cls) for binding in self.bindings):
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
        free = self.bindings[-1].free
        chosen = free.words if free is not None and free.kind == "choice" else ()
        return {*chosen, *(w for binding in self.bindings for w in flags(binding.cls))}

    def _options(self, name: str) -> str:
        binding = self.bindings[-1]
        if binding.free and binding.free.kind == "choice":
            return "one of " + ", ".join(binding.free.words)
        if not specs(binding.cls):
            return f"`{binding.cls.word}` takes nothing"
        if binding.free and binding.free.kind in ("int", "float"):
            return f"a variable is defined above its use: `let {name} = …`"
        return f"write `{syntax(binding.cls)}`"

    # Keys

    def _key(self, span: Span, key: str, place: Span, value: ast.Expr, weak: bool) -> None:
        binding = next((s for s in reversed(self.bindings) if key in keys(s.cls)), None)
        if binding is None:
            raise self._unknown_key(key, place, value)
        spec = keys(binding.cls)[key]
        if weak and spec.name in binding.spans:
            return
        binding.take(spec, span)
        if isinstance(value, ast.Name) and value.id in self._own_words() - {*spec.words}:
            hint = f"`{value.id}` is a word of its own: `{binding.cls.word} … {value.id}`"
            raise SpecError("E106", f"`{key}` is a number, not a word", value.span, hint)
        if isinstance(value, ast.Name) and spec.kind in ("choice", "text"):
            found: Any = value.id
        else:
            found = evaluate(value, self.scope)
        binding.values[spec.name] = convert(found, spec, value.span, binding.cls)

    def _unknown_key(self, key: str, place: Span, value: ast.Expr) -> SpecError:
        word = self.bindings[0].cls.word
        if key == "stride" and place.text.startswith("/"):
            return SpecError("E103", f"`{word}` has no stride", place, "remove it")
        message = f"`{word}` has no key `{key}`"
        own = self._written_as_words(key, value)
        if own and isinstance(value, ast.Bool) and not value.value:
            off = f"no{key}"
            hint = f"write `{off}`" if off in self._own_words() else f"leave `{key}` out"
            return SpecError("E103", message, place, hint)
        if own:
            hint = f"`{own}` is written without `=`: `{word} … {own}`"
            return SpecError("E103", message, place, hint)
        named = next(
            (hint for binding in self.bindings if (hint := _named(binding.cls, key, value))), None
        )
        if named:
            return SpecError("E103", message, place, named)
        known = {k for binding in self.bindings for k in keys(binding.cls)}
        close, hint = meant_key(key, known)
        fix = Fix(place, close, f"write `{close}`") if close else None
        hint = f"did you mean `{close}`?" if close else hint or _listed(self.bindings[0].cls, known)
        return SpecError("E103", message, place, hint, fix)

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
