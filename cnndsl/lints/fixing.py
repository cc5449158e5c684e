"""Applying the fixes of diagnostics, again and again until none is left."""

from collections.abc import Mapping
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


def fixed(
    source: Source,
    settings: Mapping[str, float] | None = None,
    choice: Choice = ALL,
    unsafe: bool = False,
) -> Fixed:
    """The spec with all fixes in it; as it was, where it would still have errors."""
    now, total = source, 0
    for _ in range(_ROUNDS):
        fixes = _fixes(now, settings, choice, unsafe)
        text, count = apply(now, fixes)
        if not count or text == now.text:
            break
        now, total = replace(now, text=text), total + count
    model, _ = inspect(now, settings, choice)
    return Fixed(source, 0, total) if model is None else Fixed(now, total)


def _fixes(
    source: Source, settings: Mapping[str, float] | None, choice: Choice, unsafe: bool
) -> list[Fix]:
    """The fixes that concern this very text."""
    _, found = inspect(source, settings, choice)
    fixes = [d.fix for d in found if d.fix is not None]
    return [f for f in fixes if f.span.source is source and (f.safe or unsafe)]
