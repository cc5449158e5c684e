"""Applying the fixes of diagnostics, again and again until none is left."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cnndsl.edits import apply
from cnndsl.lints.base import ALL, Choice, inspect
from cnndsl.passes.analyse import analyse
from cnndsl.source import Fix, Source

_ROUNDS = 20  # a fix may make room for another


@dataclass(frozen=True)
class Fixed:
    """A spec after its fixes: `count` of them are in it. Unchanged where it would not check."""

    source: Source
    count: int
    refused: int = 0
    """Fixes that were not enough to make the spec check, and so were not made."""


def fixed(
    source: Source,
    settings: Mapping[str, float] | None = None,
    choice: Choice = ALL,
    unsafe: bool = False,
) -> Fixed:
    """The spec with all fixes in it; as it was, where it would still have errors."""
    now, total = source, 0
    checks = _checks(source, settings)
    for _ in range(_ROUNDS):
        fixes = _fixes(now, settings, choice, unsafe)
        after, count = _applied(now, fixes)
        if checks and count and not _checks(after, settings):
            after, count = _first_that_checks(now, fixes, settings)
        if not count:
            break
        now, total = after, total + count
    good = _checks(now, settings)
    return Fixed(now, total) if good else Fixed(source, 0, total)


def _fixes(
    source: Source, settings: Mapping[str, float] | None, choice: Choice, unsafe: bool
) -> list[Fix]:
    """The fixes that concern this very text."""
    _, found = inspect(source, settings, choice)
    fixes = [d.fix for d in found if d.fix is not None]
    return [f for f in fixes if f.span.source is source and (f.safe or unsafe)]


def _applied(source: Source, fixes: list[Fix]) -> tuple[Source, int]:
    text, count = apply(source, fixes)
    return (replace(source, text=text), count) if text != source.text else (source, 0)


def _checks(source: Source, settings: Mapping[str, float] | None) -> bool:
    return analyse(source, settings)[0] is not None


def _first_that_checks(
    source: Source, fixes: list[Fix], settings: Mapping[str, float] | None
) -> tuple[Source, int]:
    """The text with the first fix that does not break it."""
    for fix in fixes:
        after, count = _applied(source, [fix])
        if count and _checks(after, settings):
            return after, count
    return source, 0
