"""Texts, places in them, what is said about a place, and the exceptions that carry it."""

from cnndsl.source.diagnostic import Diagnostic, Fix, Severity
from cnndsl.source.errors import Failed, UserError, listed, printable
from cnndsl.source.text import Source, Span
from cnndsl.source.wording import command_line, counted, either, option

__all__ = [
    "Diagnostic", "Failed", "Fix", "Severity", "Source", "Span", "UserError", "command_line",
    "counted", "either", "listed", "option", "printable",
]  # fmt: skip
