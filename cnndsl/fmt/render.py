"""The tree of a layout to text: two spaces a level, 100 columns, comments aligned.

A line that ends with `# cnn: ignore[…]` is not broken: the comment speaks for the whole line.

Neighbouring lines that begin with the same word have their first numbers in columns, as the tables
of papers do: `stage 6  24 2 /2` over `stage 6 160 3 /2`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from math import inf

from cnndsl.fmt.tree import Group, Lexeme, Reader, Remark, Statement, Suite
from cnndsl.source import Failed, Source
from cnndsl.syntax.parser import parse
from cnndsl.syntax.walk import signature

WIDTH = 100
_INDENT = "  "
_VALUES = ("NAME", "NUMBER", "DIMS", "RPAR", "TRUE", "FALSE", "STRING")
_LOOSE = ("PLUS", "MINUS", "COMPARE", "AND", "OR")
_TIGHT = ("TIMES", "OVER", "INTDIV", "MOD")
_IGNORES = re.compile(r"#\s*cnn:\s*ignore\[")


@dataclass
class Line:
    """A line to be: comments are put behind the text when all lines are known."""

    depth: int
    text: str
    comment: str = ""
    blank: bool = False
    """Whether an empty line goes before it."""
    cells: list[str] = field(default_factory=list[str])
    """The word that it begins with and the numbers right behind it."""

    @property
    def body(self) -> str:
        """The indented text."""
        return (_INDENT * self.depth + self.text).rstrip()


def formatted(source: Source) -> str:
    """The text in its one layout; Failed where it does not parse.

    What it means stays the same: the syntax trees before and after are compared.
    """
    before, errors = parse(source)
    if errors:
        raise Failed(errors)
    lines = _suite(Reader(source).suite(), 0)
    for table in _tables(lines):
        _align(table)
    text = _joined(lines)
    after, _ = parse(Source(text))
    assert signature(before.body) == signature(after.body), "the layout changed what is said"
    return text


def _tables(lines: list[Line]) -> Iterator[list[Line]]:
    """Runs of lines that begin with the same word and a number."""
    number = 0

    def key(line: Line) -> tuple[int, ...] | tuple[int, int, str]:
        nonlocal number
        number += line.blank or len(line.cells) < 2
        return (number, line.depth, line.cells[0]) if len(line.cells) > 1 else (number,)

    return (list(run) for k, run in groupby(lines, key) if len(k) == 3)


def _align(table: list[Line]) -> None:
    """The numbers that all lines have, each column to the right; nothing if one gets too long."""
    count = min(len(line.cells) for line in table)
    widths = [max(len(line.cells[i]) for line in table) for i in range(count)]
    texts = list[str]()
    for line in table:
        old = " ".join(line.cells[:count])
        new = " ".join(f"{c:>{w}}" for c, w in zip(line.cells, widths, strict=False))
        texts.append(new + line.text[len(old) :])
    if all(len(_INDENT) * table[0].depth + len(text) <= WIDTH for text in texts):
        for line, text in zip(table, texts, strict=True):
            line.text = text


def _joined(lines: list[Line]) -> str:
    """The lines as text; comments behind neighbouring lines are aligned."""
    out, run = list[str](), list[Line]()
    for line in lines:
        if line.blank or not (line.comment and line.text):
            out += _aligned(run)
            run = []
        if line.blank and out:
            out.append("")
        if line.comment and line.text:
            run.append(line)
        else:
            out.append(line.body + (_INDENT * line.depth + line.comment if line.comment else ""))
    return "".join(f"{line}\n" for line in [*out, *_aligned(run)])


def _aligned(run: list[Line]) -> list[str]:
    width = max((len(line.body) for line in run if len(line.body) <= WIDTH), default=0)
    return [f"{line.body:<{width}}  {line.comment}" for line in run]


def _suite(suite: Suite, depth: int) -> list[Line]:
    lines = list[Line]()
    for i, entry in enumerate(suite):
        if isinstance(entry, Remark):
            lines.append(Line(depth, "", _neat(entry.text), entry.blank))
            continue
        width = inf if _IGNORES.match(_last_comment(suite[i:])) else WIDTH
        made = _statement(entry, depth, width)
        before = suite[i - 1] if i else None
        joins = entry.joined and isinstance(before, Statement) and not before.comment
        if joins and len(lines[-1].body) + 2 + len(made[0].text) <= width:
            lines[-1].text += f"; {made[0].text}"
            lines[-1].comment = made[0].comment
            made = made[1:]
        elif made:
            made[0].blank = entry.blank
        lines += made
    return lines


def _last_comment(suite: Suite) -> str:
    """What stands behind the last of the statements that share the first one's line."""
    last = suite[0]
    for entry in suite[1:]:
        if not isinstance(entry, Statement) or not entry.joined:
            break
        last = entry
    return last.comment if isinstance(last, Statement) else ""


def _neat(comment: str) -> str:
    """`#text` as `# text`."""
    return f"# {comment[1:]}" if comment[1:2].isalnum() else comment


def _statement(statement: Statement, depth: int, width: float = WIDTH) -> list[Line]:
    """The lines of a statement; on one where the author had it so and it fits."""
    groups = [part for part in statement.parts if isinstance(part, Group)]
    if not any(group.broken for group in groups):
        text = _flat(statement)
        if not groups or len(_INDENT) * depth + len(text) <= width:
            return [Line(depth, text, _neat(statement.comment), cells=_cells(statement))]
    return _raise_nonfinite(statement, depth)


def _cells(statement: Statement) -> list[str]:
    """The head and the plain numbers right behind it; nothing where it has groups or a label."""
    parts = [part for part in statement.parts if isinstance(part, Lexeme)]
    if len(parts) < len(statement.parts) or parts[0].kind != "NAME":
        return []
    kinds = [part.kind for part in parts] + [""]
    end = 1
    while kinds[end] == "NUMBER" and kinds[end + 1] not in (*_TIGHT, *_LOOSE):
        end += 1
    return [part.text for part in parts[:end]]


def _flat(statement: Statement) -> str:
    """On one line, groups and all."""
    text, tokens = "", list[Lexeme]()
    for part in statement.parts:
        if isinstance(part, Group):
            branches = ["; ".join(_flat(s) for s in b if isinstance(s, Statement))
                        for b in part.branches]  # fmt: skip
            text += f" {{ {' | '.join(branches)} }}".replace("{  ", "{ ").replace("  }", " }")
            tokens.append(Lexeme("RBRACE", "}"))
        else:
            text += _gap(tokens, part, statement) + part.text
            tokens.append(part)
    return text


def _raise_nonfinite(statement: Statement, depth: int) -> list[Line]:
    """With every group on lines of its own."""
    lines, tokens = [Line(depth, "")], list[Lexeme]()
    for part in statement.parts:
        if isinstance(part, Group):
            lines += _group_lines(part, lines[-1], depth)
            tokens.append(Lexeme("RBRACE", "}"))
        else:
            lines[-1].text += _gap(tokens, part, statement) + part.text
            tokens.append(part)
    lines[-1].comment = _neat(statement.comment)
    return lines


def _group_lines(group: Group, head: Line, depth: int) -> list[Line]:
    """`{` ends the line before; `|` stands on the level of the group, `}` too."""
    head.text += " {"
    head.comment = _neat(group.comments[0])
    lines = list[Line]()
    for i, (branch, comment) in enumerate(zip(group.branches, group.comments, strict=True)):
        inner = _suite(branch, depth + 1)
        if i:
            bar = Line(depth, "|", _neat(comment))
            if len(inner) == 1 and inner[0].text and not comment:
                bar.text, bar.comment, inner = f"| {inner[0].text}", inner[0].comment, []
            lines.append(bar)
        lines += inner
    return [*lines, Line(depth, "}")]


def _gap(before: list[Lexeme], token: Lexeme, statement: Statement) -> str:
    """The space between a token and those before it in its statement."""
    if not before:
        return ""
    last, kind = before[-1].kind, token.kind
    if kind == "_WHEN":
        return "  "
    if kind in ("COMMA", "RPAR", "COLON", "_CALL") or last in ("LPAR", "_CALL"):
        return ""
    if kind == "LPAR" and before[0].kind == "BLOCK":
        return ""
    if last in ("STRIDE", "REPEAT") or _is_sign(before, len(before) - 1):
        return ""
    if "EQUAL" in (kind, last):
        return " " if before[0].kind == "LET" and _equals(before, token) == 1 else ""
    if kind in _TIGHT or last in _TIGHT:
        return ""
    if kind in _LOOSE or last in _LOOSE:
        return " " if _is_roomy(before, token) else ""
    return " "


def _equals(before: list[Lexeme], token: Lexeme) -> int:
    return sum(x.kind == "EQUAL" for x in (*before, token))


def _is_sign(tokens: list[Lexeme], at: int) -> bool:
    """Whether a minus stands before a value rather than between two."""
    return tokens[at].kind == "MINUS" and (at == 0 or tokens[at - 1].kind not in _VALUES)


def _is_roomy(before: list[Lexeme], token: Lexeme) -> bool:
    """Sums are spaced in `let` and in conditions, tight in the items of a statement."""
    words = {"COMPARE", "AND", "OR"} & {token.kind, before[-1].kind}
    return bool(words) or any(x.kind in ("LET", "IF", "_WHEN") for x in before)
