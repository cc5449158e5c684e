"""Changing the text of a spec: fixes applied, files rewritten, differences shown."""

import difflib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cnndsl.files import write_whole
from cnndsl.source import Fix, Source, Span, UserError

_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Edit:
    """A text in the place of a stretch of a source."""

    start: int
    end: int
    text: str


def edit_of(fix: Fix) -> Edit:
    """What a fix changes."""
    return Edit(fix.span.start, fix.span.end, fix.text)


def spliced(text: str, edits: Iterable[Edit], start: int = 0, end: int | None = None) -> str:
    """A stretch of a text with edits in it; those at the same place in their order."""
    parts, at = list[str](), start
    for edit in sorted(edits, key=lambda e: e.start):
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, text[at:end]])


def apply(source: Source, fixes: Iterable[Fix]) -> tuple[str, int]:
    """The text with all fixes in it that do not overlap, earlier ones first; and their number."""
    kept, at = list[Edit](), 0
    for edit in sorted(map(edit_of, fixes), key=lambda e: (e.start, e.end)):
        if edit.start >= at and not (kept and edit.start == at == edit.end):
            kept.append(edit)
            at = edit.end
    return spliced(source.text, kept), len(kept)


def joined(fixes: Sequence[Fix]) -> Fix:
    """Several fixes that do not overlap as one."""
    edits, source = [*map(edit_of, fixes)], fixes[0].span.source
    span = Span(source, min(e.start for e in edits), max(e.end for e in edits))
    text = spliced(source.text, edits, span.start, span.end)
    return Fix(span, text, f"write `{text}`", safe=all(f.safe for f in fixes))


def removal(span: Span, between: str = " \t", safe: bool = True) -> Fix:
    """A fix that removes a stretch, and what of `between` parts it from the text before it."""
    start = len(span.source.text[: span.start].rstrip(between))
    return Fix(Span(span.source, start, span.end), "", f"remove `{span.text}`", safe=safe)


def without(span: Span) -> Fix:
    """A fix that removes a statement, and its line where it stands alone."""
    text, start, end = span.source.text, span.start, span.end
    while end < len(text) and text[end] in " \t":
        end += 1
    if end < len(text) and text[end] == ";":
        end += 1 + (text[end + 1 : end + 2] == " ")
        return Fix(Span(span.source, start, end), "", "remove it")
    line = text.rfind("\n", 0, start) + 1
    if not text[line:start].strip() and text[end : end + 1] in ("", "\n"):
        return Fix(Span(span.source, line, min(end + 1, len(text))), "", "remove its line")
    return Fix(span, "", "remove it")


def rewrite(path: Path, text: str) -> None:
    """Replace a spec's text; line ends, byte-order mark, permissions and links stay as they are.

    UserError where the file is not UTF-8 (what cannot be read would be lost) or not writable.
    """
    path = path.resolve()
    try:
        before, mode = path.read_bytes(), path.stat().st_mode
        before.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8; it is left as it is") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    data = text.encode("utf-8")
    if b"\r\n" in before:
        data = data.replace(b"\n", b"\r\n")
    write_whole(path, (_MARK if before.startswith(_MARK) else b"") + data)
    os.chmod(path, mode & 0o7777)


def difference(source: Source, text: str) -> str:
    """A unified diff from a source to its new text; empty where they are the same."""
    before, after = (t.splitlines(keepends=True) for t in (source.text, text))
    name = source.name
    lines = difflib.unified_diff(before, after, name, name, n=2)
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
