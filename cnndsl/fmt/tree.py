"""A spec as it is laid out: statements, groups, comments, and what the author put on one line.

The syntax tree knows no comments and no lines; this one knows nothing else.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from cnndsl.source import Source
from cnndsl.syntax.parser import raw_tokens
from cnndsl.syntax.tokens import BAR, CLOSE, OPEN, SEP

NEWLINE, SEMICOLON, COMMENT, END = "newline", ";", "comment", "end"
_COMMENT = re.compile(r"#[^\n]*")


@dataclass(frozen=True)
class Lexeme:
    """A token, a comment, or what parts statements."""

    kind: str
    text: str


@dataclass
class Group:
    """`{ a | b }`. Comments stand behind its `{` and behind each of its `|`."""

    branches: list["Suite"] = field(default_factory=list["Suite"])
    comments: list[str] = field(default_factory=list[str])
    broken: bool = False
    """Whether the author broke it over several lines."""


@dataclass
class Statement:
    """Tokens and groups; `comment` stands behind it, at the end of its line."""

    parts: list["Lexeme | Group"]
    joined: bool
    """Whether the author put it on the line of the statement before."""
    blank: bool
    """Whether an empty line stands before it."""
    comment: str = ""


@dataclass
class Remark:
    """A comment on a line of its own."""

    text: str
    blank: bool


Suite = list["Statement | Remark"]


def lexemes(source: Source) -> Iterator[Lexeme]:
    """All that a source says, in order; spaces are gone."""
    at = 0
    for token in raw_tokens(source):
        start = token.start_pos or 0
        yield from (Lexeme(COMMENT, c.rstrip()) for c in _COMMENT.findall(source.text[at:start]))
        at = token.end_pos or 0
        if token.type == SEP:
            yield Lexeme(NEWLINE if token == "\n" else SEMICOLON, "")
        else:
            yield Lexeme(token.type, str(token))
    yield from (Lexeme(COMMENT, c.rstrip()) for c in _COMMENT.findall(source.text[at:]))
    yield Lexeme(END, "")


class Reader:
    """Lexemes to the tree, for a source that parses."""

    def __init__(self, source: Source) -> None:
        self._all = list(lexemes(source))
        self._at = 0

    def _kind(self) -> str:
        return self._all[self._at].kind

    def _take(self) -> Lexeme:
        self._at += 1
        return self._all[self._at - 1]

    def suite(self) -> Suite:
        """Statements and remarks up to a `|`, a `}` or the end."""
        found: Suite = []
        newlines = 0
        while self._kind() not in (BAR, CLOSE, END):
            kind, blank = self._kind(), newlines > 1 and bool(found)
            if kind in (NEWLINE, SEMICOLON):
                newlines += kind == NEWLINE
                self._take()
                continue
            if kind == COMMENT:
                self._comment(found, newlines, blank)
            else:
                joined = bool(found) and not newlines
                found.append(self._statement(joined, blank))
            newlines = 0
        return found

    def _comment(self, found: Suite, newlines: int, blank: bool) -> None:
        text, last = self._take().text, found[-1] if found else None
        if isinstance(last, Statement) and not newlines and not last.comment:
            last.comment = text
        else:
            found.append(Remark(text, blank))

    def _statement(self, joined: bool, blank: bool) -> Statement:
        made = Statement([], joined, blank)
        while True:
            kind = self._kind()
            if kind == OPEN:
                made.parts.append(self._group())
            elif kind in (NEWLINE, SEMICOLON, COMMENT):
                if not self._goes_on():
                    return made
                self._skip_to_group(made)
            elif kind in (BAR, CLOSE, END):
                return made
            else:
                made.parts.append(self._take())

    def _goes_on(self) -> bool:
        """Whether behind comments and line ends comes a `{` or `else`, which continue."""
        at = self._at
        while self._all[at].kind in (NEWLINE, SEMICOLON, COMMENT):
            at += 1
        return self._all[at].kind in (OPEN, "_ELSE")

    def _skip_to_group(self, made: Statement) -> None:
        while self._kind() in (NEWLINE, SEMICOLON, COMMENT):
            lexeme = self._take()
            if lexeme.kind == COMMENT:
                made.comment = f"{made.comment}  {lexeme.text}".strip()

    def _group(self) -> Group:
        made, first = Group(), self._at
        while self._kind() != CLOSE:
            self._take()  # the `{` or a `|`
            made.comments.append(self._take().text if self._kind() == COMMENT else "")
            made.branches.append(self.suite())
        made.broken = any(x.kind == NEWLINE for x in self._all[first : self._at])
        self._take()
        return made
