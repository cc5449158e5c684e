"""Bare names and keys that no word of a statement takes: what they were meant to be."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cnndsl.edits import removal
from cnndsl.fields import Word, arguments, flags, in_order, keys, specs, syntax
from cnndsl.frameworks.words import lookup
from cnndsl.passes.binding import Binding
from cnndsl.passes.reporter import SpecError
from cnndsl.passes.scope import Scope
from cnndsl.passes.slips import slip
from cnndsl.passes.synonyms import Suggestion, is_word, suggest, suggest_key
from cnndsl.passes.written import name_of, truth_of
from cnndsl.source import Fix, Span
from cnndsl.syntax import ast
from cnndsl.syntax.explain import SIZES

_VALUE = re.compile(r"[ \t]+([\w.+-]+)")
_ENDS_IN_NUMBER = re.compile(r"([0-9]+)[ \t]+$")
_STARTS = re.compile(r"[ \t]+([0-9]+)")
_ANNOUNCED = ("activation", "act", "padding", "norm", "normalization", "with")
_SHAPES = ("shape", "input_shape", "size", "dims", "target_shape")
_EXAMPLES = {"rotate": "15", "crop": "4", "cutout": "8", "lr": "0.001", "momentum": "0.9",
             "decay": "1e-4", "eps": "1e-5"}  # fmt: skip
_PADDED = {"padding": "pad", "pads": "pad"}
_FILTERS = ("filters", "out_channels", "units", "out_features", "num_output", "features",
            "num_classes", "classes", "n_classes")  # fmt: skip


def own_words(bindings: Sequence[Binding]) -> set[str]:
    """The words that a statement may hold."""
    free = bindings[-1].free
    chosen = free.words if free is not None and free.kind == "choice" else ()
    return {*chosen, *(w for binding in bindings for w in flags(binding.cls))}


@dataclass(frozen=True)
class Place:
    """A statement as it is read so far: its words, what may follow them and what names mean."""

    bindings: Sequence[Binding]
    follow: Mapping[str, type[Word]]
    words: Collection[str]
    scope: Scope

    @property
    def known(self) -> set[str]:
        """The bare names that can stand here."""
        return {"plain", *self.follow, *self.scope.known("values"), *own_words(self.bindings)}

    # Bare names

    def unknown_name(self, name: ast.Name) -> SpecError:
        """The error for a bare name that means nothing here."""
        message = f"unknown name `{name.id}`"
        if (announced := self._announced(name)) is not None:
            word = self.bindings[0].cls.word
            hint = f"`{announced.text}` is a word of its own: `{word} … {announced.text}`"
            return SpecError("E102", message, name.span, hint, announced)
        found = self._meant(name)
        fix = found.fix(name.span) or self._as_key(name) or _spaced_size(name.span)
        if fix is not None and "=" in fix.text and found.text is None:
            found = Suggestion(f"a key takes its value behind `=`: `{fix.text}`")
        return SpecError("E102", message, name.span, found.hint, fix)

    def _announced(self, name: ast.Name) -> Fix | None:
        """`padding same` and `activation relu` without the first word."""
        behind = _VALUE.match(name.span.source.text, name.span.end)
        words = {*self.follow, *own_words(self.bindings)}
        if behind is None or name.id not in _ANNOUNCED or behind[1] not in words:
            return None
        span = Span(name.span.source, name.span.start, behind.end())
        return Fix(span, behind[1], f"write `{behind[1]}`")

    def without_sign(self, value: ast.Expr) -> SpecError | None:
        """The error for a variable that has the name of a key, and a value behind it."""
        fix = self._as_key(value) if isinstance(value, ast.Name) else None
        if fix is None:
            return None
        message = f"`{self.bindings[0].cls.word}` does not take `{value.span.text}` here"
        hint = f"a key takes its value behind `=`: `{fix.text}`"
        return SpecError("E104", message, value.span, hint, fix)

    def _as_key(self, name: ast.Name) -> Fix | None:
        """`stride 2` as `stride=2`."""
        behind, meaning = self._value_behind(name), lookup("key", name.id)
        key = _PADDED.get(name.id, (meaning and meaning.counterpart) or name.id)
        if behind is None or key not in self._keys:
            return None
        text = f"{key}={behind[1]}"
        return Fix(Span(name.span.source, name.span.start, behind.end()), text, f"write `{text}`")

    def _meant(self, unknown: ast.Name) -> Suggestion:
        name = unknown.id
        if self.scope.label(name) is not None:
            return Suggestion(
                f"a label is used as in `concat {name}`, `add {name}` or `from {name}`"
            )
        if name in self._keys:
            behind = self._value_behind(unknown)
            value = behind[1] if behind else self._example(name)
            return Suggestion(f"a key takes its value behind `=`: `{name}={value}`")
        return self._size(name) or self._word(name) or Suggestion(self._options(name))

    def _value_behind(self, name: ast.Name) -> re.Match[str] | None:
        """What follows a name and may be its value: no word or key of the statement."""
        behind = _VALUE.match(name.span.source.text, name.span.end)
        words = {*self.follow, *own_words(self.bindings), *self._keys}
        return behind if behind and behind[1] not in words else None

    @property
    def _keys(self) -> set[str]:
        return {key for binding in self.bindings for key in keys(binding.cls)}

    def _example(self, key: str) -> str:
        """A value that a key may have."""
        found = [keys(binding.cls)[key] for binding in self.bindings if key in keys(binding.cls)]
        return _EXAMPLES.get(key) or ("0.1" if found[0].kind == "float" else "2")

    def _size(self, name: str) -> Suggestion | None:
        """`x3`, `kx3` for a variable k, `k3`."""
        if re.fullmatch(r"x[0-9]*", name):
            return Suggestion("a size is one word, `3x3`; a repeat is `*3`")
        left, _, right = name.rpartition("x")
        known = self.scope.known("values")
        if left in known and (right in known or right.isdigit()):
            return Suggestion(SIZES)
        if (stride := re.fullmatch(r"s([0-9]+)", name)) is not None:
            return Suggestion(f"a stride has a `/`: `/{stride[1]}`", f"/{stride[1]}")
        if re.fullmatch(r"p[0-9]+", name):
            return Suggestion(f"write `pad={name[1:]}`", f"pad={name[1:]}")
        if re.fullmatch(r"k[0-9x]+", name):
            hint = f"write `k={name[1:]}`, or the size alone: `{name[1:]}`"
            return Suggestion(hint, f"k={name[1:]}")
        return None

    def _word(self, name: str) -> Suggestion | None:
        """A word of the language or of another framework, or a slip."""
        meaning = lookup("layer", name, {*self.words, *self.known})
        ours = meaning.counterpart if meaning else None
        if ours in self.words and ours not in self.follow:
            return Suggestion(f"did you mean `; {ours} …`, a statement of its own?")
        if len(name) > 2 and not is_word(name) and (close := slip(name, self.known)):
            return Suggestion(f"did you mean `{close}`?", close)
        if self._kind == "augment":
            return self._change(name)
        return suggest("layer", name, self.known)

    def _change(self, name: str) -> Suggestion | None:
        """A change of pictures by its name elsewhere."""
        known = set(keys(self.bindings[0].cls))
        found = suggest("augment", name, known | self.known)
        if found and found.text in known:
            return Suggestion(
                f"it is a key and takes a value: `{found.text}={self._example(found.text)}`"
            )
        return found

    @property
    def _kind(self) -> str:
        """What kind of words the statement takes."""
        return "augment" if self.bindings[0].cls.word == "augment" else "layer"

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

    def unknown_key(self, item: ast.Key) -> SpecError:
        """The error for `name=value` where no word has such a key."""
        key = item.name.id
        found = self._as_words(item) or self._positional(item) or self._padding(item)
        if found is not None:
            return self._key_error(item, found.hint, found.fix(item.span))
        if truth_of(item.value, self._takes_nothing(key)) is False and self._is_flag(key):
            return self._key_error(item, f"leave `{key}` out", removal(item.span))
        known = self._keys
        meant = (
            suggest("augment", key, known | own_words(self.bindings))
            if self._kind == "augment"
            else None
        )
        meant = meant or suggest_key(key, known) or Suggestion(_listed(self.bindings[0].cls, known))
        return self._key_error(item, meant.hint, meant.fix(item.name.span))

    def _key_error(self, item: ast.Key, hint: str, fix: Fix | None) -> SpecError:
        message = f"`{self.bindings[0].cls.word}` has no key `{item.name.id}`"
        return SpecError("E103", message, item.name.span, hint, fix)

    def _is_flag(self, key: str) -> bool:
        return key in self.follow or key in own_words(self.bindings)

    def _takes_nothing(self, key: str) -> bool:
        """Whether a bare word has no value behind it, as `flip` and `bn`."""
        follows = key in self.follow and not arguments(self.follow[key])
        return follows or not {key, f"no{key}"}.isdisjoint(own_words(self.bindings))

    def _as_words(self, item: ast.Key) -> Suggestion | None:
        """`bn=true`, `bias=False`, `dropout=0.5`, `mode=bilinear`, as they are written here."""
        key = {"use_bias": "bias", "batch_norm": "bn"}.get(item.name.id, item.name.id)
        own = own_words(self.bindings)
        truth = truth_of(item.value, self._takes_nothing(key))
        if truth is not None and self._is_flag(key):
            return self._switched(item, key, truth)
        named = name_of(item.value)
        text = named if named in own else self._following(item.name.id, named)
        if text is None and key in own:
            return Suggestion(f"`{key}` takes no value: `{self.bindings[0].cls.word} … {key}`")
        if text is None and self._is_flag(key):
            text = f"{key} {item.value.span.text}"
        if text is None:
            return None
        if item.name.id == "activation":
            return Suggestion(f"an activation is a word of its own: `conv 64 3x3 {text}`", text)
        return Suggestion(self._without_equals(text), text)

    def _without_equals(self, text: str) -> str:
        return f"`{text}` is written without `=`: `{self.bindings[0].cls.word} … {text}`"

    def _switched(self, item: ast.Key, word: str, truth: bool) -> Suggestion | None:
        """`bn=true` and `bias=False`."""
        text, own = word if truth else f"no{word}", own_words(self.bindings)
        if not truth and text not in own:
            return None
        if truth and word not in own and f"no{word}" in own:  # the scale of `bn`
            return Suggestion(f"leave `{word}` out: it is there without a word")
        if item.name.id == "use_bias":
            return Suggestion("write `bias` or `nobias`", text)
        return Suggestion(self._without_equals(text) if truth else f"write `{text}`", text)

    def _following(self, key: str, named: str | None) -> str | None:
        """The word of `activation=relu` or `norm=batchnorm`."""
        if named is None or key not in (
            "activation",
            "act",
            "nonlinearity",
            "norm",
            "normalization",
        ):
            return None
        found = suggest("layer", named, set(self.follow))
        return found.text if found else None

    def _positional(self, item: ast.Key) -> Suggestion | None:
        """`filters=64`, `out_channels=64`: a positional field by its name."""
        for binding in self.bindings:
            names = [spec.name for spec in arguments(binding.cls)]
            key = item.name.id
            shaped = [spec.name for spec in arguments(binding.cls) if spec.kind == "shape"]
            key = shaped[0] if shaped and key in _SHAPES else key
            key = names[0] if names and key in _FILTERS and names[0] in _FILTERS else key
            if key in names:
                text = item.value.span.text
                free = binding.free is not None and binding.free.name == key
                binding.spans.setdefault(key, item.span)
                return Suggestion(_order(binding.cls, item, names), text if free else None)
        return None

    def _padding(self, item: ast.Key) -> Suggestion | None:
        """`padding=1`."""
        padded = any("pad" in keys(binding.cls) for binding in self.bindings)
        number = isinstance(item.value, ast.Number | ast.Dims)
        if item.name.id not in ("padding", "pads") or not padded or not number:
            return None
        return Suggestion("write `same`, `valid`, `pad` or `pad=1`" if item.value.span.text == "1"
                          else f"write `pad={item.value.span.text}`",
                          f"pad={item.value.span.text}")  # fmt: skip


def _spaced_size(sign: Span) -> Fix | None:
    """`3 x 3` as `3x3`."""
    text = sign.source.text
    before, after = _ENDS_IN_NUMBER.search(text[: sign.start]), _STARTS.match(text, sign.end)
    if sign.text != "x" or before is None or after is None:
        return None
    size = f"{before[1]}x{after[1]}"
    return Fix(Span(sign.source, before.start(), after.end()), size, f"write `{size}`")


def _order(cls: type[Word], item: ast.Key, names: list[str]) -> str:
    key = item.name.id
    if len(names) > 1:
        return f"`{key}` is written without its name; the order is `{in_order(cls)}`"
    return f"`{key}` is written without its name: `{cls.word} {item.value.span.text}`"


def _listed(cls: type[Word], known: set[str]) -> str:
    if not known:
        return f"`{cls.word}` has no keys: write `{syntax(cls)}`"
    return f"its keys: {', '.join(sorted(known))}"
