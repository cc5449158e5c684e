"""Code of another framework in a spec, as a value: where it stands, and what it is in our words."""

from dataclasses import dataclass, replace

UNSAID = "this code does not say what"
"""How a problem begins that is a missing value, where the call itself has a counterpart."""


@dataclass(frozen=True)
class Origin:
    """The call that a line is made of, and how many channels or features it is written for."""

    start: int
    end: int
    arriving: int | None = None

    def moved(self, by: int) -> "Origin":
        """The same call in a text that begins further ahead."""
        return replace(self, start=self.start + by, end=self.end + by)


@dataclass(frozen=True)
class Region:
    """Code of another framework at a place.

    `lines` are our statements; `problems` say what has no counterpart, each at its place. A problem
    without a text is a call that no framework has.
    """

    start: int
    end: int
    lines: tuple[str, ...]
    problems: tuple[tuple[int, int, str], ...] = ()
    what: str = ""
    note: str = ""
    origins: tuple[Origin | None, ...] = ()
    """Of each line, as far as they are known."""

    def start_line_only(self, text: str) -> bool:
        """Whether it stands on one line of a text."""
        return "\n" not in text[self.start : self.end]
