"""Calls of other frameworks among our words: `conv 32 3x3 LeakyReLU(0.1)`, `Conv2D(8, 3) relu`."""

import ast
import re
from collections.abc import Iterator

from cnndsl.frameworks.arguments import INIT, NoCounterpart, NotTheirs
from cnndsl.frameworks.framework import Context, is_layer, layer
from cnndsl.frameworks.pieces import Piece, behind_brackets
from cnndsl.frameworks.values import Unreadable, call_of, parsed
from cnndsl.layers import vocabulary

_CALL = re.compile(r"(?<![\w.=])[A-Za-z_][\w.]*\(")
_WORDS = re.compile(r"[ \t]+[a-z/]")


def inline(piece: Piece, context: Context) -> Iterator[tuple[int, int, str]]:
    """Start and end of each such call in a statement of ours, and what it is in our words.

    At the start of the statement it is a layer that our words follow; behind it, one that follows,
    or the next statement.
    """
    for match in _CALL.finditer(piece.text):
        end = behind_brackets(piece.text, match.end() - 1)
        followed = _WORDS.match(piece.text, end) is not None
        text = _written(piece.text[match.start() : end], context)
        if text is None or (match.start() == 0 and not followed):
            continue
        start = match.start()
        if start and not vocabulary()[text.split()[0]].post:
            start, text = len(piece.text[:start].rstrip()), f"; {text}"
        yield piece.start + start, piece.start + end, text


def _written(text: str, context: Context) -> str | None:
    """One layer in our words; None for anything else."""
    tree = parsed(text)
    match tree and tree.body:
        case [ast.Expr(value=ast.Call() as node)]:
            pass
        case _:
            return None
    try:
        call = call_of(node)
        ours = layer(call, context) if is_layer(call) else ""
    except (NoCounterpart, NotTheirs, Unreadable):
        return None
    ours = ours if "init" in text else INIT.sub("", ours)
    return ours if ours.partition(" ")[0] in vocabulary() and ";" not in ours else None
