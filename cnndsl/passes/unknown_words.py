"""Statements whose first word means nothing: what it was meant to be, and the statement so read."""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from cnndsl.edits import joined
from cnndsl.layers import vocabulary
from cnndsl.passes.loose_keys import in_section
from cnndsl.passes.reporter import SpecError
from cnndsl.passes.scope import Scope
from cnndsl.passes.synonyms import Suggestion, reserved_words, suggest
from cnndsl.source import Diagnostic
from cnndsl.syntax import ast

SECTIONS = ("train", "search")
_JOINED = re.compile(r"([a-z]+)([0-9]+)")
_NUMBER = re.compile(r"[ \t]+[0-9]+(?![0-9x])")
CONTROL = ("input", "from", "output", "default", "train", "search", "cnn")
STARTS = ("let", "block", "if", "else", "use")


def unknown(head: ast.Name, blocks: Collection[str]) -> SpecError:
    """The error for a statement that starts with a word that means nothing."""
    found = meant(head, blocks)
    message = f"unknown layer or block `{head.id}`"
    fix = found.fix(head.span) or in_section(head.span.source, head.span.start)
    return SpecError("E101", message, head.span, found.hint, fix)


def meant(head: ast.Name, blocks: Collection[str]) -> Suggestion:
    """What an unknown first word was meant to be."""
    known = {*vocabulary(), *CONTROL, *STARTS, *blocks}
    if head.id in reserved_words() - known:
        return Suggestion(
            f"`{head.id}` stands behind a layer, on its line: `conv 64 3x3 same relu`"
        )
    found = suggest("layer", head.id, known) or _apart(head)
    return found or Suggestion("`cnndsl layers` lists the layers")


def _apart(head: ast.Name) -> Suggestion | None:
    """`conv32 3x3`, `dense10`: a number without the space before it."""
    match = _JOINED.fullmatch(head.id)
    behind = head.span.source.text[head.span.end :]
    if match is None or match[1] not in vocabulary() or _NUMBER.match(behind):
        return None
    text = f"{match[1]} {match[2]}"
    return Suggestion(f"a space parts a word from its number: `{text}`", text)


def as_meant(node: ast.Statement, scope: Scope) -> ast.Statement | None:
    """The statement with the layer or block that its unknown word stands for, if it does."""
    head = node.head
    if head.id in (*vocabulary(), *CONTROL) or scope.block(head.id) is not None or scope.incomplete:
        return None
    blocks = scope.known("blocks")
    ours = meant(head, blocks).text
    if ours is None or ours not in (*vocabulary(), *blocks, *SECTIONS):
        return None
    return replace(node, head=ast.Name(head.span, ours))


def with_items(found: Diagnostic, others: Sequence[Diagnostic]) -> Diagnostic:
    """The error for an unknown word whose fix mends its items, too; without one if that fails.

    `others` is what is found where the statement is read as it was meant.
    """
    items = [d for d in others if d.code in ("E104", "E106", "E107", "E109")]
    fixes = [d.fix for d in (found, *items) if d.fix is not None]
    if found.fix is None or not items:
        return found
    return replace(found, fix=joined(fixes) if len(fixes) == 1 + len(items) else None)
