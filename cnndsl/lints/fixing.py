"""Applying the fixes of diagnostics, again and again until none is left."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from cnndsl.edits import apply
from cnndsl.lints.base import ALL, Choice, inspect
from cnndsl.source import Fix, Source

_ROUNDS = 20  # a fix may make room for another


@dataclass(frozen=True)
class Fixed:
    """A spec after its fixes: `count` of them are in it. Unchanged where it would not check."""

    source: Source
    count: int
    refused: int = 0
    """Fixes that were not enough to make the spec check, and so were not made."""


@dataclass(frozen=True)
class _Seen:
    """A text, whether it checks, and the fixes that are wanted for it."""

    source: Source
    checks: bool
    fixes: list[Fix]


def fixed(
    source: Source,
    settings: Mapping[str, float] | None = None,
    choice: Choice = ALL,
    unsafe: bool = False,
) -> Fixed:
    """The spec with all fixes in it; as it was, where it would still have errors."""

    def see(text: Source) -> _Seen:
        model, found = inspect(text, settings, choice)
        fixes = [d.fix for d in found if d.fix is not None and d.fix.span.source is text]
        return _Seen(text, model is not None, [f for f in fixes if f.safe or unsafe])

    start = now = see(source)
    total = 0
    for _ in range(_ROUNDS):
        # all at once; where that breaks a spec that checks, the first that does not
        ways = [now.fixes, *([fix] for fix in now.fixes if start.checks)]
        tried = ((see(text), count) for text, count in _changed(now.source, ways))
        step = next(((s, n) for s, n in tried if s.checks or not start.checks), None)
        if step is None:
            break
        now, total = step[0], total + step[1]
    return Fixed(now.source, total) if now.checks else Fixed(source, 0, total)


def _changed(source: Source, ways: list[list[Fix]]) -> Iterator[tuple[Source, int]]:
    """The text after each list of fixes that changes it, and how many of them are in it."""
    for fixes in ways:
        text, count = apply(source, fixes)
        if text != source.text:
            yield replace(source, text=text), count
