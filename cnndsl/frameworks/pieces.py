"""A text cut into statements, by the brackets and strings of Python and the signs of ours."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_BLOCK = re.compile(  # a class or function of Python, with its indented lines
    r"^(?:@[^\n]*\n)*(?:class|def)[ \t][^\n]*:[ \t]*(?:#[^\n]*)?(?:\n(?:[ \t][^\n]*)?(?=\n|$))+",
    re.MULTILINE,
)
_CLOSING = re.compile(r"[\])]+,?\s*$")


@dataclass(frozen=True)
class Piece:
    """A stretch of a text between two ends of statements."""

    start: int
    end: int
    text: str


def pieces(text: str) -> Iterator[Piece]:
    """The text cut where statements end: at line ends, `;`, `{`, `|`, `}` outside of brackets."""
    start = at = 0
    while at <= len(text):
        if (block := _BLOCK.match(text, at)) is not None:
            yield from _stripped(text, start, at)
            yield from _stripped(text, at, block.end())
            start = at = block.end()
        elif at == len(text) or text[at] in "\n;{}|":
            yield from _stripped(text, start, at)
            start = at = at + 1
        elif text[at] == "#":
            stop = text.find("\n", at)
            yield from _stripped(text, start, at)
            start = at = len(text) if stop < 0 else stop
        else:
            at = _behind(text, at)


def _stripped(text: str, start: int, end: int) -> Iterator[Piece]:
    """The piece without spaces, a comma behind it or a label before it."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    piece = piece.strip().removesuffix(",").rstrip()
    if piece and not _CLOSING.fullmatch(piece):
        yield Piece(start, start + len(piece), piece)


def _behind(text: str, at: int) -> int:
    """The place behind a character, a string or everything in a pair of brackets."""
    if text[at] in "\"'":
        return _behind_string(text, at)
    if text[at] in "([":
        return behind_brackets(text, at)
    return at + 1


def _behind_string(text: str, at: int) -> int:
    sign = text[at]
    stop = at + 1
    while stop < len(text) and text[stop] not in (sign, "\n"):
        stop += 2 if text[stop] == "\\" else 1
    return min(stop + (text[stop : stop + 1] == sign), len(text))


def behind_brackets(text: str, at: int) -> int:
    """The place behind the closing bracket; behind the opening one where it is never closed."""
    depth, stop = 0, at
    while stop < len(text):
        if text[stop] in "\"'":
            stop = _behind_string(text, stop)
            continue
        if text[stop] == "#":
            end = text.find("\n", stop)
            stop = len(text) if end < 0 else end
            continue
        depth += (text[stop] in "([{") - (text[stop] in ")]}")
        stop += 1
        if depth == 0:
            return stop
    return at + 1
