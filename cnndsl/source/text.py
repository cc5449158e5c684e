"""Texts, and places in them: a `Span` points into a `Source`."""

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True, eq=False)
class Source:
    """The text of one file (or of one string, then `path` is None)."""

    text: str = field(repr=False)
    name: str = "<text>"
    path: Path | None = None

    @property
    def is_of_other_kind(self) -> bool:
        """Whether it is a file that does not end in `.cnn`, such as a program of Python."""
        return self.path is not None and self.path.suffix.lower() != ".cnn"

    @cached_property
    def line_starts(self) -> list[int]:
        """Offset of the first character of every line; lines end at `\\n` only."""
        return [0, *(i + 1 for i, char in enumerate(self.text) if char == "\n")]

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both counted from 1, in characters."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, without its end."""
        start = self.line_starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : len(self.text) if end < 0 else end].rstrip("\r")


@dataclass(frozen=True, slots=True)
class Span:
    """The characters `start` to `end` (exclusive) of a source."""

    source: Source
    start: int
    end: int

    @property
    def text(self) -> str:
        """The characters themselves."""
        return self.source.text[self.start : self.end]

    @property
    def line(self) -> int:
        """Line of the first character, from 1."""
        return self.source.place(self.start)[0]

    @property
    def column(self) -> int:
        """Column of the first character, from 1."""
        return self.source.place(self.start)[1]

    @property
    def stop(self) -> tuple[int, int]:
        """Line and column just behind the last character."""
        return self.source.place(self.end)

    def holds(self, other: "Span") -> bool:
        """Whether another span stands inside of this one, or is it."""
        return other.source is self.source and self.start <= other.start and other.end <= self.end

    def at_start(self) -> "Span":
        """The empty place before the first character."""
        return Span(self.source, self.start, self.start)

    def at_end(self) -> "Span":
        """The empty place behind the last character."""
        return Span(self.source, self.end, self.end)

    def to(self, other: "Span") -> "Span":
        """From the start of this span to the end of the other."""
        return Span(self.source, self.start, max(self.end, other.end))
