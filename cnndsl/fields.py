"""What a word of the language may take: the annotated fields of its class *are* its syntax.

    @dataclass(frozen=True)
    class Pool(Layer, word="pool"):
        kernel: Pair = arg("pair", key="k", low=1, doc="window")
        stride: Pair | None = key("pair", low=1, doc="step; the window by default")
        padding: Padding = word("valid", "same", "pad", doc="zeros around")

From these the binder, the manual pages, completion and "did you mean" are all derived.
"""

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from difflib import get_close_matches
from functools import cache
from typing import Any, ClassVar, Literal
from warnings import warn

Kind = Literal["int", "float", "floats", "pair", "shape", "choice", "text", "texts", "flag"]
_QUOTED = ("floats",)
Role = Literal["arg", "key", "word"]


@dataclass(frozen=True)
class Spec:
    """How one field is written. `low` and `high` are inclusive bounds."""

    role: Role
    kind: Kind
    doc: str
    key: str | None = None
    words: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    name: str = ""
    required: bool = False
    default: Any = None

    @property
    def title(self) -> str:
        """How the field is called in messages: as it is written."""
        return "|".join(self.words) if self.role == "word" else (self.key or self.name)

    def value_of(self, word: str) -> str | bool:
        """What a bare word sets the field to."""
        return word == self.words[0] if self.kind == "flag" else word

    def word_for(self, value: Any) -> str:
        """The bare word that sets the field to a value; none for a flag that only can be set."""
        return next((word for word in self.words if self.value_of(word) == value), "")


def arg(
    kind: Kind,
    *,
    doc: str,
    default: Any = MISSING,
    key: str | None = None,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A positional value; with `key` it may be written by name too."""
    spec = Spec("arg", kind, doc, key, choices, low, high)
    return field(default=default, metadata={"spec": spec})


def key(
    kind: Kind,
    *,
    doc: str,
    default: Any = None,
    name: str | None = None,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A value written `name=value`; the name is the field's unless given."""
    return field(
        default=default, metadata={"spec": Spec("key", kind, doc, name, choices, low, high)}
    )


def word(*words: str, doc: str, default: str | None = None) -> Any:
    """One of a closed set of bare words."""
    return field(default=default, metadata={"spec": Spec("word", "choice", doc, None, words)})


def flag(*words: str, doc: str, default: bool | None = False) -> Any:
    """A bool: True by the first bare word, False by the second, if there is one.

    A default of None leaves it to the layer and its neighbours.
    """
    return field(default=default, metadata={"spec": Spec("word", "flag", doc, None, words)})


class Word:
    """Base of all that a word can mean; subclasses are frozen dataclasses."""

    word: ClassVar[str] = ""
    takes_labels: ClassVar[bool] = False
    """Whether bare names are labels of tensors here."""
    takes_group: ClassVar[bool] = False
    """Whether `{ … }` may follow."""

    def __init_subclass__(cls, word: str = "") -> None:
        cls.word = word

    def __post_init__(self) -> None:
        """Accept a flag as it was before it was a bool: `Sgd(nesterov="nesterov")`, or None."""
        for spec in _flags(type(self)):
            value = getattr(self, spec.name)
            if value is None:
                object.__setattr__(self, spec.name, spec.default)
            elif isinstance(value, str) and value in spec.words:
                meant = spec.value_of(value)
                message = f"{type(self).__name__}({spec.name}={value!r}): write {meant}"
                warn(message, DeprecationWarning, stacklevel=3)
                object.__setattr__(self, spec.name, meant)


@cache
def specs(cls: type[Word]) -> tuple[Spec, ...]:
    """The fields of a word's class, positional ones first; names, keys and defaults filled in."""
    found = (
        _filled(f.name, f.metadata["spec"], f.default)
        for f in fields(cls)  # pyright: ignore[reportArgumentType]  (subclasses are dataclasses)
        if "spec" in f.metadata
    )
    return tuple(sorted(found, key=lambda spec: spec.role != "arg"))


@cache
def _flags(cls: type[Word]) -> tuple[Spec, ...]:
    return tuple(spec for spec in specs(cls) if spec.kind == "flag")


def _filled(name: str, spec: Spec, default: Any) -> Spec:
    needed = default is MISSING
    written = spec.key or (name if spec.role == "key" else None)
    given = None if needed else default
    return replace(spec, name=name, key=written, required=needed, default=given)


@cache
def arguments(cls: type[Word]) -> tuple[Spec, ...]:
    """The positional fields in their order."""
    return tuple(spec for spec in specs(cls) if spec.role == "arg")


def in_order(cls: type[Word]) -> str:
    """A word with its positional fields: `conv <filters> <kernel>`."""
    return " ".join([cls.word, *(f"<{spec.name}>" for spec in arguments(cls))])


@cache
def keys(cls: type[Word]) -> Mapping[str, Spec]:
    """The fields that can be written `name=value`, by that name."""
    return {spec.key: spec for spec in specs(cls) if spec.key}


@cache
def flags(cls: type[Word]) -> Mapping[str, Spec]:
    """The fields that bare words set, by word."""
    return {w: spec for spec in specs(cls) if spec.role == "word" for w in spec.words}


def syntax(cls: type[Word]) -> str:
    """The syntax line of a word's manual page, derived from its fields."""
    parts = [cls.word]
    for spec in specs(cls):
        quoted = f'"<{spec.name}> …"' if spec.kind in _QUOTED else f"<{spec.name}>"
        shown = quoted if spec.role == "arg" else spec.title
        if spec.role == "key":
            shown = "/N" if spec.key == "stride" else f"{spec.key}=…"
        parts.append(shown if spec.required else f"[{shown}]")
    return " ".join([*parts, *(["<label>…"] if cls.takes_labels else [])])


def example(cls: type[Word]) -> str | None:
    """A use of the word that its docstring shows: `conv 32 3x3 same relu`; None where none is."""
    shown = re.search(rf"(?:^ +|`|; ){re.escape(cls.word)} [^#;`\n…]+", cls.__doc__ or "", re.M)
    return shown and shown[0].strip(" `;")


def usage(cls: type[Word]) -> str:
    """How a word is written, as the end of a hint: an example, else its syntax."""
    shown, line = example(cls), syntax(cls)
    return f"for example `{shown}`; the syntax is `{line}`" if shown else f"write `{line}`"


def written(value: Word) -> str:
    """A word with its fields as a spec has them: `sgd lr=0.1 nesterov`, defaults left out."""
    parts = [value.word]
    for spec in specs(type(value)):
        found = getattr(value, spec.name)
        if spec.required or found != spec.default:
            text = _written(found, spec)
            parts.append(text if spec.role != "key" else f"{spec.key}={text}")
    return " ".join(parts)


def _written(value: Any, spec: Spec) -> str:
    if spec.kind == "text":
        return f'"{value}"'
    if spec.kind == "flag":
        return spec.word_for(value)
    if spec.kind == "texts":
        parts = value if spec.role == "arg" else [" ".join(value)]
        return " ".join(f'"{text}"' for text in parts)
    if spec.kind == "floats":
        return f'"{" ".join(map(str, value))}"'
    return "x".join(map(str, value)) if spec.kind in ("pair", "shape") else str(value)


def nearest(name: str, known: "list[str] | set[str]") -> str | None:
    """The known name that was most likely meant, or None."""
    found = get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return found[0] if found else None
