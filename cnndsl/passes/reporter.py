"""Where passes put what they find."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from cnndsl import limits
from cnndsl.source import Diagnostic, Fix, Severity, Source, Span


class SpecError(Exception):
    """An error at a place; whoever knows how to go on catches it and hands it to the reporter."""

    def __init__(
        self, code: str, message: str, span: Span, help: str | None = None, fix: Fix | None = None
    ) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(code, message, span, help=help, fix=fix)


class Unknown(Exception):  # noqa: N818
    """A value depends on something that already failed: say nothing more about it."""


def line_of(span: Span, place: Source) -> str:
    """The line of a span, with its file where that is another one."""
    file = "" if span.source is place else f" of {span.source.name}"
    return f"line {span.line}{file}"


def _no_calls(place: Source) -> tuple[str, ...]:
    return ()


def unknown_value() -> Any:
    """The value of a variable whose definition failed."""
    raise Unknown


class Reporter:
    """Collects diagnostics; the same one from several calls of a block is kept once.

    `calls` gives the notes on the block calls on the way to the statement at hand.
    """

    def __init__(self) -> None:
        self.calls: Callable[[Source], tuple[str, ...]] = _no_calls
        self._found: dict[tuple[str, int, int, int], Diagnostic] = {}
        self._only: frozenset[str] | None = None
        self._held_back = list[Diagnostic]()

    def add(self, diagnostic: Diagnostic) -> None:
        """Keep a diagnostic."""
        span = diagnostic.span
        key = (diagnostic.code, id(span.source), span.start, span.end)
        if self._only is not None and diagnostic.code not in self._only:
            self._held_back.append(diagnostic)
        elif key not in self._found and not self.full:
            notes = (*diagnostic.notes, *self.calls(span.source))
            self._found[key] = replace(diagnostic, notes=notes)

    def report(
        self,
        code: str,
        message: str,
        span: Span,
        help: str | None = None,
        notes: tuple[str, ...] = (),
        fix: Fix | None = None,
        severity: Severity = "error",
    ) -> None:
        """Keep a diagnostic, written out."""
        self.add(Diagnostic(code, message, span, notes, help, fix, severity))

    @contextmanager
    def only(self, *codes: str) -> Generator[list[Diagnostic]]:
        """Report nothing but these codes: where a statement is read as what was probably meant.

        Yields a list that takes what else is found.
        """
        before = self._only, self._held_back
        self._only, self._held_back = frozenset(codes), list[Diagnostic]()
        try:
            yield self._held_back
        finally:
            self._only, self._held_back = before

    @property
    def full(self) -> bool:
        """Whether no more is reported: what would be said need not be worked out."""
        return len(self._found) >= limits.ERRORS

    @property
    def closed(self) -> bool:
        """Whether there is no model any more and nothing is reported: to go on is of no use."""
        return self.full and self.failed

    @property
    def all(self) -> list[Diagnostic]:
        """What was found, in the order of the text."""
        return sorted(self._found.values(), key=lambda d: (d.span.source.name, d.span.start))

    @property
    def failed(self) -> bool:
        """Whether any error is among them."""
        return any(d.severity == "error" for d in self._found.values())
