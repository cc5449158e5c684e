"""What an unknown word was meant to be: first by what it means elsewhere, then as a slip."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from cnndsl.fields import flags, keys
from cnndsl.frameworks.words import kinds_of, lookup
from cnndsl.init import INITIALISERS
from cnndsl.layers import vocabulary
from cnndsl.passes.slips import guess, slip
from cnndsl.recipe import CHOSEN, PLAIN
from cnndsl.source import Fix, Span

__all__ = ["Suggestion", "guess", "is_word", "reserved_words", "suggest", "suggest_key"]

_FIRST = "numbers stand behind the word without a name: `conv 64 3x3`, `dense 10`"
_KNOWN = "what comes in is known from the statements above: leave it out"

_KEY_HINTS = {
    "activation": "an activation is a word of its own: `conv 64 3x3 relu`",
    "padding": "write `same`, `valid`, `pad` or `pad=1`",
    "use_bias": "write `bias` or `nobias`", "bias": "write `bias` or `nobias`",
    "bias_initializer": "biases start at 0",
    "filters": _FIRST, "out_channels": _FIRST, "units": _FIRST, "out_features": _FIRST,
    "pool_size": _FIRST, "size": _FIRST,
    "in_channels": _KNOWN, "in_features": _KNOWN, "input_shape": _KNOWN, "input_dim": _KNOWN,
    "name": "a name is a label: `e1: conv 64 3x3`",
}  # fmt: skip

# Where a word of another kind belongs, with a hole for the word.
_PLACES = {
    "layer": "`{0}` is a layer: it stands at the start of its line, or behind a `;`",
    "init": "`{0}` is an initialiser: `conv 64 3x3 init={0}`",
    "task": "`{0}` is a task: `train {{ task {0} }}`",
    "loss": "`{0}` is a loss: `train {{ loss {0} }}`",
    "optimizer": "`{0}` is an optimizer: `train {{ optimizer {0} }}`",
    "schedule": "`{0}` is a schedule: `train {{ schedule {0} }}`",
    "setting": "`{0}` is a setting: `train {{ {0} … }}`",
    "data": "`{0}` is a data set: `train {{ data {0} }}`",
    "key": "`{0}` is a key of a layer or an optimizer: `{0}=…` behind its word",
    "augment": "`{0}` changes pictures: `train {{ augment {0} }}`",
}


@dataclass(frozen=True)
class Suggestion:
    """What to say of an unknown word, and what to write in its place, where that is certain."""

    hint: str
    text: str | None = None

    def fix(self, span: Span) -> Fix | None:
        """A fix that writes it."""
        return Fix(span, self.text, f"write `{self.text}`") if self.text else None


@cache
def reserved_words() -> frozenset[str]:
    """The layers and the flags that they take: no names for anything else."""
    layers = vocabulary()
    return frozenset((*layers, *(word for cls in layers.values() for word in flags(cls))))


@cache
def _ours() -> dict[str, str]:
    """Every word of the language but reserved ones, with the kind of thing that it names."""
    found = dict.fromkeys((*PLAIN, *CHOSEN), "setting")
    found |= {word: kind for kind, choices in CHOSEN.items() for word in choices}
    found |= dict.fromkeys(INITIALISERS, "init") | dict.fromkeys(vocabulary(), "layer")
    return found


def kind_of(word: str) -> str | None:
    """What a word names here, or else in other frameworks; None for no word of the field."""
    found = _ours().get(word.lower()) or next(kinds_of(word), None)
    return found or ("key" if word.lower() in _keys() else None)


def is_word(name: str) -> bool:
    """Whether a name is a word of the field: then it is not a slip of another one."""
    return kind_of(name) is not None or name.lower() in reserved_words()


def suggest(kind: str, name: str, known: Collection[str]) -> Suggestion | None:
    """What an unknown word of a kind (`layer`, `loss` …) was meant to be, among known ones."""
    same = next((k for k in sorted(known) if k.lower() == name.lower()), None)
    if same is not None:
        return Suggestion(f"did you mean `{same}`?", same)
    meaning = lookup(kind, name, known)
    if meaning is not None:
        return Suggestion(meaning.hint(name), meaning.counterpart)
    other = kind_of(name)
    if other is not None and other != kind:
        return _elsewhere(name, other)
    close = slip(name, known) if len(name) > 2 and not is_word(name) else None
    close = None if close and _holds_another(name, close) else close
    return Suggestion(f"did you mean `{close}`?", close) if close else None


def _holds_another(name: str, close: str) -> bool:
    """Whether a name begins with a word of the field that its nearest word does not: `silu6`."""
    starts = (name[:end].lower() for end in range(4, len(name)))
    return any(is_word(start) and not close.startswith(start) for start in starts)


def _elsewhere(name: str, kind: str) -> Suggestion:
    """Where a word of another kind belongs, as it is called here."""
    meaning = lookup(kind, name)
    if meaning is None or meaning.counterpart is not None:
        return Suggestion(_PLACES[kind].format((meaning and meaning.counterpart) or name))
    return Suggestion(meaning.hint(name))


def suggest_key(key: str, known: Collection[str]) -> Suggestion | None:
    """The key of ours that was meant, or else how the same thing is written."""
    meaning = lookup("key", key)
    if meaning is not None and meaning.counterpart in known:
        return Suggestion(meaning.hint(key), meaning.counterpart)
    if meaning is not None and meaning.counterpart is None:
        return Suggestion(meaning.remark or "")
    if key.lower() in _KEY_HINTS:
        return Suggestion(_KEY_HINTS[key.lower()])
    if meaning is not None or _is_key(key) or is_word(key):
        return None
    close = guess(key, known)
    return Suggestion(f"did you mean `{close}`?", close) if close else None


@cache
def _keys() -> frozenset[str]:
    classes = [*vocabulary().values(), *PLAIN.values()]
    classes += [cls for choices in CHOSEN.values() for cls in choices.values()]
    return frozenset(key for cls in classes for key in keys(cls))


def _is_key(name: str) -> bool:
    """Whether a name is a key of anything here: then it is not a slip of another key."""
    return name in _keys()
