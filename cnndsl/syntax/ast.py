"""The syntax tree: frozen nodes, each with its span."""

from dataclasses import dataclass

from cnndsl.source import Source, Span


@dataclass(frozen=True, slots=True)
class Number:
    """`64`, `1e-3`."""

    span: Span
    value: int | float


@dataclass(frozen=True, slots=True)
class Dims:
    """`3x3`, `3x224x224`."""

    span: Span
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bool:
    """`true`, `false`."""

    span: Span
    value: bool


@dataclass(frozen=True, slots=True)
class Text:
    """`"blocks.cnn"`, without its quotes."""

    span: Span
    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """A bare word."""

    span: Span
    id: str


@dataclass(frozen=True, slots=True)
class Unary:
    """`not a`, `-a`."""

    span: Span
    operator: str
    operand: "Expr"


@dataclass(frozen=True, slots=True)
class Binary:
    """`a + b`, `a < b`, `a and b`."""

    span: Span
    operator: str
    left: "Expr"
    right: "Expr"


@dataclass(frozen=True, slots=True)
class Call:
    """`min(a, b)`."""

    span: Span
    function: Name
    arguments: tuple["Expr", ...]


Expr = Number | Dims | Bool | Text | Name | Unary | Binary | Call


@dataclass(frozen=True, slots=True)
class Positional:
    """A bare item: a value, a flag, a word or a label; the binder tells which."""

    span: Span
    value: Expr


@dataclass(frozen=True, slots=True)
class Key:
    """`name=value`."""

    span: Span
    name: Name
    value: Expr


@dataclass(frozen=True, slots=True)
class Stride:
    """`/2`."""

    span: Span
    value: Expr


@dataclass(frozen=True, slots=True)
class Repeat:
    """`*3`."""

    span: Span
    value: Expr


Item = Positional | Key | Stride | Repeat


@dataclass(frozen=True, slots=True)
class Group:
    """`{ a | b }`: one suite of statements for each branch."""

    span: Span
    branches: tuple["Suite", ...]
    places: tuple[Span, ...]
    """What stands between the braces and bars, a place for each branch."""


@dataclass(frozen=True, slots=True)
class Statement:
    """`label: head items { … } tail if condition`."""

    span: Span
    label: Name | None
    head: Name
    items: tuple[Item, ...]
    group: Group | None
    tail: tuple[Item, ...]
    condition: Expr | None


@dataclass(frozen=True, slots=True)
class Let:
    """`let name = value`."""

    span: Span
    name: Name
    value: Expr


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of a block, perhaps with its default."""

    span: Span
    name: Name
    default: Expr | None


@dataclass(frozen=True, slots=True)
class Block:
    """`block name(params) { … }`."""

    span: Span
    name: Name
    params: tuple[Param, ...]
    body: Group


@dataclass(frozen=True, slots=True)
class Use:
    """`use "blocks.cnn"`."""

    span: Span
    path: Text


@dataclass(frozen=True, slots=True)
class If:
    """`if condition { … } else { … }`; `else if` is an `If` in the else suite."""

    span: Span
    condition: Expr
    then: Group
    orelse: "Group | If | None"


Node = Statement | Let | Block | Use | If
Suite = tuple[Node, ...]


@dataclass(frozen=True)
class File:
    """A parsed file. `broken` holds the start offsets of statements that did not parse.

    It is `unclear` where so much is lost that what is found later would be guesses.
    """

    source: Source
    body: Suite
    broken: frozenset[int]
    unclear: bool = False
