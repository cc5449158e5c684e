"""Code of other frameworks in a spec: what is said of it, and the spec as if it were mended.

The mended text keeps the number of lines, so that what is found behind the code has its true line.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from cnndsl.edits import without
from cnndsl.frameworks.region import UNSAID, Origin, Region
from cnndsl.source import Diagnostic, Fix, Source, Span

_WHOLE, _BEGUN = 72, 48  # characters of a translation that a help shows, whole or as its start
_BROKEN = "?"  # no statement: what it would have given is unknown


def diagnostics(
    source: Source, found: Sequence[Region], refused: Collection[int] = ()
) -> Iterator[Diagnostic]:
    """What to say of each region, with our statements as its fix.

    Those that start at a place of `refused` have none, as they would not check.
    """
    for region in found:
        span = Span(source, region.start, region.end)
        for start, end, message in region.problems:
            text = f"this is {region.what}" if region.what else _refusal(message)
            yield Diagnostic("E006", text, Span(source, start, end), help=message)
        if not region.problems:
            what = "a call" if region.start_line_only(source.text) else "code"
            what = region.what or f"{what} of another framework"
            notes = (region.note,) if region.note else ()
            fix = None if region.start in refused else _fix(span, region)
            hint = _help(region, fix, source.is_of_other_kind)
            yield Diagnostic("E006", f"this is {what}", span, notes, hint, fix)


def _refusal(problem: str) -> str:
    """What is wrong with a call: a value that is missing, or all of it."""
    if problem.startswith(UNSAID):
        return "a value of this call is not known"
    return "this call has no counterpart here"


def _help(region: Region, fix: Fix | None, other_kind: bool) -> str:
    if not region.lines:
        return "leave it out: it says nothing of the network"
    text, count = _joined(region.lines), len(region.lines)
    if fix is None:
        return f"it is `{text if len(text) <= _WHOLE else f'{_start(region)}; …'}` here"
    if len(text) <= _WHOLE or count == 1:
        return f"write `{text}`"
    writer = "`cnndsl check --fix`" + (" of a `.cnn` copy" if other_kind else "")
    return f"it is {count} lines here, which {writer} writes: `{_start(region)}; …`"


def _start(region: Region) -> str:
    """The first line, and those behind it that fit."""
    counts = range(1, min(len(region.lines), _BEGUN))  # a line has a character at least
    starts = [_joined(region.lines[:n]) for n in counts]
    return next((text for text in reversed(starts) if len(text) <= _BEGUN), starts[0])


def _fix(span: Span, region: Region) -> Fix:
    """The region's statements, each on its line where the region has lines of its own."""
    if not region.lines:
        return without(span)
    line = span.source.text.rfind("\n", 0, span.start) + 1
    indent = span.source.text[line : span.start]
    alone = not indent.strip() and span.source.text[span.end : span.end + 1] in ("", "\n")
    text = f"\n{indent}".join(region.lines) if alone else _joined(region.lines)
    return Fix(span, text, f"write `{text}`" if len(text) < 80 else "write it in our words")


def _joined(lines: Sequence[str]) -> str:
    """Statements on one line."""
    text = ""
    for line in lines:
        opened = text.endswith("{") or not text or line == "}"
        text += (" " if text and opened else "" if opened else "; ") + line.strip()
    return text


@dataclass(frozen=True)
class Cut:
    """A region in the mended text: where it stands there, and where each of its lines starts."""

    start: int
    end: int
    region: Region
    lines: tuple[int, ...]

    def origin(self, offset: int) -> Origin | None:
        """The call that gives what stands at a place of the mended text."""
        at = sum(start <= offset for start in self.lines) - 1
        return self.region.origins[at] if 0 <= at < len(self.region.origins) else None


@dataclass(frozen=True)
class Mended:
    """A source with other text in the place of regions, and the way back to its own places."""

    source: Source
    mended: Source
    cuts: tuple[Cut, ...]

    def back(self, d: Diagnostic) -> Diagnostic | None:
        """A diagnostic of the mended text at its place in the source; None where it is not wanted.

        Within a region it stands at the call that is meant. A fix there would be one of text that
        is not written yet.
        """
        if d.span.source is not self.mended:
            return d
        cut = self.cut(d.span)
        if cut is None:
            fix = d.fix and self._fix(d.fix)
            return replace(d, span=self._span(d.span), fix=fix)
        if cut.region.problems or d.severity == "warning":
            return None
        place = cut.origin(d.span.start) or cut.region
        return replace(d, span=Span(self.source, place.start, place.end), fix=None)

    def cut(self, span: Span) -> Cut | None:
        """The region that a place touches."""
        if span.source is not self.mended:
            return None
        return next((c for c in self.cuts if c.start < max(span.end, span.start + 1)
                     and span.start < c.end), None)  # fmt: skip

    def _fix(self, fix: Fix) -> Fix | None:
        return None if self.cut(fix.span) else replace(fix, span=self._span(fix.span))

    def _span(self, span: Span) -> Span:
        return Span(self.source, self._offset(span.start), self._offset(span.end))

    def _offset(self, offset: int) -> int:
        shift = 0
        for cut in self.cuts:
            if cut.end <= offset:
                shift = cut.region.end - cut.end
        return offset + shift


def mended(source: Source, found: Sequence[Region]) -> Mended:
    """The source as if every fix were made; what has no counterpart is a broken statement."""
    parts, cuts, at, length = list[str](), list[Cut](), 0, 0
    for region in found:
        text = _filled(region, source.text[region.start : region.end].count("\n"))
        parts += [source.text[at : region.start], text]
        length += region.start - at
        starts = () if region.problems else tuple(_starts(text, region.lines, length))
        cuts.append(Cut(length, length + len(text), region, starts))
        length, at = length + len(text), region.end
    text = "".join([*parts, source.text[at:]])
    return Mended(source, replace(source, text=text), tuple(cuts))


def _starts(text: str, lines: Sequence[str], shift: int) -> Iterator[int]:
    """Where each line starts in the text that holds them."""
    at = 0
    for line in lines:
        at = text.index(line.strip(), at)
        yield at + shift
        at += len(line.strip())


def _filled(region: Region, breaks: int) -> str:
    """A region's statements with as many line ends as the region has."""
    lines = [_BROKEN] if region.problems else list(region.lines)
    if breaks and lines and len(lines) <= breaks + 1:
        return "\n".join(lines) + "\n" * (breaks + 1 - len(lines))
    return _joined(lines) + "\n" * breaks
