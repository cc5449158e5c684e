"""Diagnostics as text, for people (`full`, `concise`) and programs (`json`, `github`, `sarif`)."""

import json
from collections.abc import Callable, Sequence
from typing import Any
from unicodedata import combining, east_asian_width
from urllib.parse import quote

from cnndsl.report.style import Style
from cnndsl.source import Diagnostic, Fix, Severity, Span

Render = Callable[[Sequence[Diagnostic], Style], str]


def full(found: Sequence[Diagnostic], style: Style) -> str:
    """With the line of the spec, carets, notes and help: rustc's form."""
    return "\n\n".join(_full(d, style) for d in found)


def _full(d: Diagnostic, style: Style) -> str:
    margin = " " * len(f"{d.span.line}")
    shown, carets = _excerpt(d.span, style.width - len(f"  {margin} | "))
    lines = [
        _header(d, style),
        f"  {style.dim(f'{d.span.line} |')} {shown}".rstrip(),
        f"  {style.dim(f'{margin} |')} {_marked(carets, style, d.severity)}",
        *(f"  {style.bold('note')}: {_visible(note)}" for note in d.notes),
        *([f"  {style.good('help')}: {_visible(d.help)}"] if d.help else []),
    ]
    return "\n".join(lines)


def _header(d: Diagnostic, style: Style) -> str:
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


def concise(found: Sequence[Diagnostic], style: Style) -> str:
    """One line each: file:line:column: severity[code]: message."""
    return "\n".join(_header(d, style) for d in found)


def as_dict(d: Diagnostic) -> dict[str, Any]:
    """The JSON form of a diagnostic (docs/cli.md)."""
    end_line, end_column = d.span.stop
    fix = d.fix and {
        "title": d.fix.title,
        "text": d.fix.text,
        "line": d.fix.span.line,
        "column": d.fix.span.column,
        "end_line": d.fix.span.stop[0],
        "end_column": d.fix.span.stop[1],
    }
    return {
        "code": d.code, "severity": d.severity, "message": d.message, "file": d.span.source.name,
        "line": d.span.line, "column": d.span.column, "end_line": end_line,
        "end_column": end_column, "notes": list(d.notes), "help": d.help, "fix": fix,
    }  # fmt: skip


def as_json(found: Sequence[Diagnostic], style: Style) -> str:
    """A JSON array of diagnostics."""
    return json.dumps([as_dict(d) for d in found], indent=2)


def github(found: Sequence[Diagnostic], style: Style) -> str:
    """Workflow commands that GitHub shows at the line."""
    return "\n".join(
        f"::{d.severity} file={_escaped(d.span.source.name)},line={d.span.line},"
        f"col={d.span.column},endLine={d.span.stop[0]},endColumn={d.span.stop[1]},"
        f"title={d.code}::{_data(d)}"
        for d in found
    )


def _escaped(text: str) -> str:
    for char, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")):
        text = text.replace(char, code)
    return text


def _data(d: Diagnostic) -> str:
    text = " · ".join([d.message, *d.notes, *([f"help: {d.help}"] if d.help else [])])
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def sarif(found: Sequence[Diagnostic], style: Style) -> str:
    """SARIF 2.1.0, for code-scanning services."""
    from cnndsl.version import version

    codes = sorted({d.code for d in found})
    driver = {
        "name": "cnndsl",
        "version": version(),
        "informationUri": "https://pypi.org/project/cnndsl",
        "rules": [_sarif_rule(code) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(d, codes.index(d.code)) for d in found],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2)


def _sarif_rule(code: str) -> dict[str, Any]:
    """The code with its page, as far as it has one."""
    from cnndsl.report.manual import code_page, code_title, codes

    if code not in codes():
        return {"id": code}
    return {
        "id": code,
        "shortDescription": {"text": code_title(code)},
        "help": {"text": code_page(code), "markdown": code_page(code)},
    }


def _sarif_result(d: Diagnostic, rule: int) -> dict[str, Any]:
    text = "\n".join([d.message, *d.notes, *([f"help: {d.help}"] if d.help else [])])
    place = {"artifactLocation": _sarif_file(d.span), "region": _sarif_region(d.span)}
    result: dict[str, Any] = {
        "ruleId": d.code,
        "ruleIndex": rule,
        "level": d.severity,
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
    }
    if d.fix:
        result["fixes"] = [_sarif_fix(d.fix)]
    return result


def _sarif_file(span: Span) -> dict[str, str]:
    return {"uri": quote(span.source.name.replace("\\", "/"), errors="replace")}


def _sarif_region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line, "startColumn": span.column,
        "endLine": span.stop[0], "endColumn": span.stop[1],
    }  # fmt: skip


def _sarif_fix(fix: Fix) -> dict[str, Any]:
    replacement = {
        "deletedRegion": _sarif_region(fix.span),
        "insertedContent": {"text": fix.text},
    }
    change = {"artifactLocation": _sarif_file(fix.span), "replacements": [replacement]}
    return {"description": {"text": fix.title}, "artifactChanges": [change]}


FORMATS: dict[str, Render] = {
    "full": full,
    "concise": concise,
    "json": as_json,
    "github": github,
    "sarif": sarif,
}
