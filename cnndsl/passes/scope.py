"""What names mean at a place: values, blocks, labels and defaults."""

from dataclasses import dataclass, field
from typing import Any, cast

from cnndsl.passes.reporter import Unknown
from cnndsl.shapes import Shape
from cnndsl.source import Span
from cnndsl.syntax import ast

Number = int | float | bool
Value = int | float | bool | str | tuple[int, ...]
Defaults = dict[str, tuple[ast.Item, ...]]


@dataclass(frozen=True)
class Tensor:
    """The output of a node; a shape of None means that it could not be worked out."""

    index: int
    shape: Shape | None


UNKNOWN = Tensor(-1, None)


@dataclass(frozen=True, eq=False)
class Closure:
    """A block with the scope and the defaults of its definition."""

    block: ast.Block
    scope: "Scope"
    defaults: Defaults


@dataclass(eq=False)
class Scope:
    """Names of one suite. Lookups go outwards; labels stop at the block that they are in."""

    file: ast.File
    parent: "Scope | None" = None
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    blocks: dict[str, Closure] = field(default_factory=dict[str, Closure])
    labels: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    places: dict[str, Span] = field(default_factory=dict[str, Span])
    defaults: Defaults = field(default_factory=dict[str, tuple[ast.Item, ...]])
    opens_block: bool = False
    lacks_include: bool = False
    """Whether a `use` failed here: any unknown name may have been meant to come from there."""

    def inner(self) -> "Scope":
        """A scope for a branch."""
        return Scope(self.file, self, defaults=dict(self.defaults))

    def value(self, name: str) -> Any:
        """The value of a variable; KeyError."""
        scope = self
        while name not in scope.values:
            if scope.parent is None:
                raise KeyError(name)
            scope = scope.parent
        return scope.values[name]

    def values_at_hand(self, name: str) -> Value | None:
        """The value of a variable; None where it is not known."""
        try:
            value: Any = self.value(name)
            return cast(Value, value() if callable(value) else value)
        except (KeyError, Unknown):
            return None

    @property
    def incomplete(self) -> bool:
        """Whether names may be missing through no fault of the statement that uses them."""
        scope: Scope | None = self
        while scope is not None and not scope.lacks_include:
            scope = scope.parent
        return scope is not None

    def block(self, name: str) -> Closure | None:
        """The block of this name."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.blocks:
                return scope.blocks[name]
            scope = scope.parent
        return None

    def label(self, name: str) -> Tensor | None:
        """The labelled tensor of this name, in this block."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.labels:
                return scope.labels[name]
            scope = None if scope.opens_block else scope.parent
        return None

    def known(self, what: str) -> set[str]:
        """All names of a kind (`values`, `blocks` or `labels`) that can be seen from here."""
        names, scope = set[str](), self
        while scope is not None:
            names |= set(getattr(scope, what))
            scope = None if what == "labels" and scope.opens_block else scope.parent
        return names
