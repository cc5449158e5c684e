"""Slips of the hand: which name was meant where one or two letters went wrong."""

import re
from collections.abc import Collection


def distance(a: str, b: str) -> int:
    """Letters to insert, drop, change or swap with their neighbour (Damerau 1964)."""
    before, last = [0] * (len(b) + 1), list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        now = [i]
        for j, other in enumerate(b, 1):
            changed = last[j - 1] + (letter != other)
            cost = min(last[j] + 1, now[-1] + 1, changed)
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            now.append(cost)
        before, last = last, now
    return last[-1]


def slip(name: str, known: Collection[str]) -> str | None:
    """The one known name that is nearest, at most two letters away; one of a short name.

    Other digits are another name: `e1` is not a slip of `e2`, `conv3d` none of `conv2d`.
    """
    typed, limit = name.lower(), 1 if len(name) < 5 else 2
    near = sorted(
        (distance(typed, k.lower()), k) for k in known if abs(len(k) - len(name)) <= limit
    )
    near = [(d, k) for d, k in near if d <= limit and _digits(k) == _digits(name)]
    if not near or (len(near) > 1 and near[0][0] == near[1][0]):
        return None
    return near[0][1]


def _digits(name: str) -> list[str]:
    return re.findall(r"[0-9]+", name)


def guess(name: str, known: Collection[str]) -> str | None:
    """A known name that differs in capitals only, or else a slip; of two letters none is made."""
    same = next((k for k in sorted(known) if k.lower() == name.lower()), None)
    return same if same is not None or len(name) < 3 else slip(name, known)
