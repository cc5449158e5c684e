"""Diagnostics with their line of the spec, carets, notes and help: rustc's form."""

from collections.abc import Sequence
from unicodedata import combining, east_asian_width

from cnndsl.source.diagnostic import Diagnostic, Severity
from cnndsl.source.text import Span
from cnndsl.style import Style


def full(found: Sequence[Diagnostic], style: Style) -> str:
    """With the line of the spec, carets, notes and help: rustc's form."""
    return "\n\n".join(_full(d, style) for d in found)


def _full(d: Diagnostic, style: Style) -> str:
    margin = " " * len(f"{d.span.line}")
    shown, carets = _excerpt(d.span, style.width - len(f"  {margin} | "))
    lines = [
        header(d, style),
        f"  {style.dim(f'{d.span.line} |')} {shown}".rstrip(),
        f"  {style.dim(f'{margin} |')} {_marked(carets, style, d.severity)}",
        *(f"  {style.bold('note')}: {_visible(note)}" for note in d.notes),
        *([f"  {style.good('help')}: {_visible(d.help)}"] if d.help else []),
    ]
    return "\n".join(lines)


def header(d: Diagnostic, style: Style) -> str:
    """`FILE:LINE:COLUMN: error[CODE]: message`."""
    where = f"{_visible(d.span.source.name)}:{d.span.line}:{d.span.column}"
    kind = style.severity(d.severity, f"{d.severity}[{d.code}]")
    return f"{style.bold(where)}: {kind}: {_visible(d.message)}"


def _visible(text: str) -> str:
    """Control and direction-changing characters as their replacements; a tab as one space."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "\ufffd" for c in text)


def _width(text: str) -> int:
    """Columns of a terminal that a text takes."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def _excerpt(span: Span, columns: int) -> tuple[str, str]:
    """The line, cut around the span where it is long, and carets under the span's part of it."""
    line = span.source.line(span.line)
    room = max(10, columns // (1 if _width(line) == len(line) else 2) - 2)  # characters
    start = span.column - 1
    end = span.stop[1] - 1 if span.stop[0] == span.line else len(line)
    first = max(0, start - room // 2) if len(line) > room else 0
    last = min(len(line), first + room)
    before = ("…" if first else "") + _visible(line[first:start])
    marked = _visible(line[start : min(end, last)])
    behind = _visible(line[min(end, last) : last]) + ("…" if last < len(line) else "")
    return before + marked + behind, " " * _width(before) + "^" * max(1, _width(marked))


def _marked(carets: str, style: Style, severity: Severity) -> str:
    """The carets in the colour of the severity, the space before them in none."""
    bare = carets.lstrip()
    return carets[: len(carets) - len(bare)] + style.severity(severity, bare)
