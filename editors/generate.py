"""Writes the TextMate grammar from the table of rules; `--check` only says whether it has drifted.

python editors/generate.py
"""

import json
import sys
from pathlib import Path
from typing import Any

from cnndsl.highlight.rules import REGIONS, SPEC, Region, Rule

GRAMMAR = Path(__file__).parent / "vscode/syntaxes/cnn.tmLanguage.json"
SCOPES = {
    "block": "entity.name.function.block",
    "boolean": "constant.language.boolean",
    "channels": "variable.language.channels",
    "choice": "variable.other.enummember",
    "comment": "comment.line.number-sign",
    "error": "invalid.illegal.number",
    "flag": "storage.modifier.flag",
    "follower": "support.type.follower",
    "function": "support.function.math",
    "key": "variable.parameter.key",
    "keyword": "keyword.control",
    "label": "entity.name.label",
    "layer": "support.function.layer",
    "logic": "keyword.operator.expression.logical",
    "name": "variable.other",
    "number": "constant.numeric",
    "operator": "keyword.operator",
    "parameter": "variable.parameter",
    "punctuation": "punctuation",
    "repeat": "keyword.other.repeat",
    "setting": "support.function.setting",
    "size": "constant.numeric.size",
    "stride": "keyword.other.stride",
    "string": "string.quoted.double",
}


def scope(kind: str) -> str:
    """The full name of what a theme colours."""
    return f"{SCOPES[kind]}.cnn"


def captures(rule: Rule) -> dict[str, Any]:
    """The scopes of a rule's groups, or of its whole match as group 0."""
    first = 1 if rule.grouped else 0
    named = enumerate(rule.kinds, first)
    return {str(number): {"name": scope(kind)} for number, kind in named if kind}


def pattern(rule: Rule) -> dict[str, Any]:
    """A rule as a pattern; one that enters a region includes it."""
    if rule.enters:
        return {"include": f"#{rule.enters}"}
    if rule.grouped:
        return {"match": rule.regex, "captures": captures(rule)}
    return {"match": rule.regex, "name": scope(rule.kinds[0])}


def region(name: str, whole: Region) -> dict[str, Any]:
    """A region with the rule that enters it, which is the same everywhere."""
    (begin,) = {rule for rule in (*SPEC, *whole.rules) if rule.enters == name}
    return {
        "begin": begin.regex,
        "beginCaptures": captures(begin),
        "end": whole.end.regex,
        "endCaptures": captures(whole.end),
        "patterns": [pattern(rule) for rule in whole.rules],
    }


def grammar() -> str:
    """The whole grammar as JSON."""
    tree = {
        "$schema": "https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json",
        "information_for_contributors": ["Written by editors/generate.py. Do not edit."],
        "name": "cnndsl",
        "scopeName": "source.cnn",
        "patterns": [pattern(rule) for rule in SPEC],
        "repository": {name: region(name, whole) for name, whole in REGIONS.items()},
    }
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write or check; 1 where the grammar is not that of now."""
    if arguments not in ([], ["--check"]):
        print("usage: python editors/generate.py [--check]", file=sys.stderr)
        return 2
    now = GRAMMAR.read_text(encoding="utf-8") if GRAMMAR.exists() else ""
    if now == grammar():
        return 0
    if arguments:
        print(f"{GRAMMAR} has drifted: run `python editors/generate.py`", file=sys.stderr)
        return 1
    GRAMMAR.parent.mkdir(parents=True, exist_ok=True)
    GRAMMAR.write_text(grammar(), encoding="utf-8")
    print(GRAMMAR)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
