"""Diagnostics as text, for people (`full`, `concise`) and programs (`json`, `github`, `sarif`)."""

import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from cnndsl.source import Diagnostic, Fix, Span
from cnndsl.source.excerpt import full, header
from cnndsl.style import Style

Render = Callable[[Sequence[Diagnostic], Style], str]


def concise(found: Sequence[Diagnostic], style: Style) -> str:
    """One line each: file:line:column: severity[code]: message."""
    return "\n".join(header(d, style) for d in found)


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
