"""The Pygments lexer of `.cnn`, found by Pygments through its entry point."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from pygments import lexer
from pygments.lexer import RegexLexer
from pygments.token import (
    Comment,
    Error,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Whitespace,
)

from cnndsl.highlight.rules import REGIONS, SPACE, SPEC, Rule

_PYGMENTS: Any = lexer  # its annotations are incomplete

TOKENS: dict[str, Any] = {
    "": Whitespace,
    "block": Name.Class,
    "boolean": Keyword.Constant,
    "channels": Name.Builtin.Pseudo,
    "choice": Name.Constant,
    "comment": Comment.Single,
    "error": Error,
    "flag": Keyword.Type,
    "follower": Name.Builtin,
    "function": Name.Builtin,
    "key": Name.Attribute,
    "keyword": Keyword,
    "label": Name.Label,
    "layer": Name.Function,
    "logic": Operator.Word,
    "name": Name,
    "number": Number,
    "operator": Operator,
    "parameter": Name.Variable,
    "punctuation": Punctuation,
    "repeat": Operator.Word,
    "setting": Name.Function,
    "size": Number.Integer,
    "stride": Operator.Word,
    "string": String.Double,
}
_BLANK = (rf"\n|{SPACE}+", Whitespace)  # a line's indentation is matched from its start


def _state(rules: Iterable[Rule]) -> list[Any]:
    return [*(_entry(rule, rule.enters) for rule in rules), _BLANK]


def _entry(rule: Rule, state: str) -> tuple[Any, ...]:
    tokens = [TOKENS[kind] for kind in rule.kinds]
    action = _PYGMENTS.bygroups(*tokens) if rule.grouped else tokens[0]
    return (rule.regex, action, state) if state else (rule.regex, action)


class CnnLexer(RegexLexer):
    """Colours the language of `cnndsl`: `pygmentize -l cnn net.cnn`."""

    name = "cnndsl"
    aliases: ClassVar[Sequence[str]] = ["cnn", "cnndsl"]
    filenames: ClassVar[Sequence[str]] = ["*.cnn"]
    mimetypes: ClassVar[Sequence[str]] = ["text/x-cnn"]
    tokens: ClassVar[dict[str, Any]] = {
        "root": _state(SPEC),
        **{
            name: [_entry(region.end, "#pop"), *_state(region.rules)]
            for name, region in REGIONS.items()
        },
    }
