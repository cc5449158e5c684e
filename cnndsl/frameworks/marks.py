"""Marks around pasted code: fences of Markdown, prompts of Python, commands of notebooks."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from cnndsl.frameworks.region import Region

_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[^\n`]*(?:\n|$)", re.MULTILINE)
_PROMPT = re.compile(r"^[ \t]*(?:>>>|\.\.\.)(?:[ ]|$)", re.MULTILINE)
_CELL = re.compile(r"^(?:In \[[0-9 ]*\]:|[ ]*\.\.\.+:) ?", re.MULTILINE)
_MAGIC = re.compile(r"^[%!][%\w].*(?:\n|$)", re.MULTILINE)

Mark = tuple[int, int]


def marks(text: str) -> list[Mark]:
    """Where marks start and end, in their order."""
    signs = [_FENCE, _MAGIC]
    signs += [_PROMPT] if re.search(r"^[ \t]*>>>", text, re.MULTILINE) else []
    signs += [_CELL] if re.search(r"^In \[", text, re.MULTILINE) else []
    return sorted((m.start(), m.end()) for sign in signs for m in sign.finditer(text) if m[0])


def without(text: str, found: Sequence[Mark]) -> str:
    """The text without its marks."""
    ends = [0, *(end for _, end in found)]
    starts = [*(start for start, _ in found), len(text)]
    return "".join(text[end:start] for end, start in zip(ends, starts, strict=True))


def with_marks(text: str, inner: Sequence[Region], found: Sequence[Mark]) -> Iterator[Region]:
    """Regions of a text without its marks at their places in the text, and the marks beside them.

    A mark with nothing but spaces between it and a region is a part of the region.
    """
    left = list(found)
    for region in (_moved(region, found) for region in inner):
        start, end = _widened(text, region, found)
        left = [mark for mark in left if not start <= mark[0] < end]
        yield replace(region, start=start, end=end)
    for start, end in left:
        stop = start + len(text[start:end].rstrip("\n"))
        if stop > start:
            yield Region(start, stop, (), what="a mark of a page or a prompt")


def _widened(text: str, region: Region, found: Sequence[Mark]) -> Mark:
    start, end = region.start, region.end
    for before in reversed(found):
        if before[1] <= start and not text[before[1] : start].strip():
            start = before[0]
    for behind in found:
        if end <= behind[0] and not text[end : behind[0]].strip():
            end = behind[0] + len(text[behind[0] : behind[1]].rstrip("\n"))
    return start, end


def _moved(region: Region, found: Sequence[Mark]) -> Region:
    """A region at its place in the text with marks."""

    def back(place: int, is_end: bool = False) -> int:
        for start, end in found:
            if start < place or (start == place and not is_end):
                place += end - start
        return place

    problems = tuple((back(a), back(b, True), said) for a, b, said in region.problems)
    origins = tuple(
        each and replace(each, start=back(each.start), end=back(each.end, True))
        for each in region.origins
    )
    return replace(region, start=back(region.start), end=back(region.end, True),
                   problems=problems, origins=origins)  # fmt: skip
