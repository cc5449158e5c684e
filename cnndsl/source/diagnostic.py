"""What is said about a place, as a value: code, message, span, notes, help, fix."""

from dataclasses import dataclass, field
from typing import Literal

from cnndsl.source.text import Span

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Fix:
    """A mechanical hint: put `text` in the place of `span`.

    One that is not `safe` changes what a spec that checks means: it is applied only where asked.
    """

    span: Span
    text: str
    title: str
    safe: bool = True


@dataclass(frozen=True)
class Diagnostic:
    """Something to say about a place in a spec; `code` has its page (`cnndsl explain CODE`)."""

    code: str
    message: str
    span: Span
    notes: tuple[str, ...] = ()
    help: str | None = None
    fix: Fix | None = None
    severity: Severity = field(default="error")
