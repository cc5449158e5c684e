"""Which things stand in a row and which side by side: a group as series and branches.

Networks are nearly series-parallel. What stands at a position that no link passes by is a *cut*;
what lies between two cuts falls apart into branches, and a link from cut to cut is an empty branch,
a skip. Where neither helps, the longest link is set aside and drawn along the edge.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

Ends = tuple[int, int]


@dataclass(frozen=True)
class Series:
    """One behind the other: positions of items, and branchings."""

    parts: tuple["int | Branches", ...]


@dataclass(frozen=True)
class Branches:
    """Side by side, between the positions `start` and `stop`; `skip` if a link joins these two."""

    start: int
    stop: int
    branches: tuple[Series, ...]
    skip: bool


@dataclass(frozen=True)
class Plan:
    """A group's order, and the links that do not fit into it."""

    series: Series
    aside: tuple[Ends, ...]


def plan(count: int, links: Iterable[Ends]) -> Plan:
    """The plan of `count` items in topological order; -1 and `count` are entry and exit."""
    left, aside = set(links), list[Ends]()
    return Plan(_series(list(range(count)), -1, count, left, aside), tuple(aside))


def _series(items: list[int], start: int, stop: int, links: set[Ends], aside: list[Ends]) -> Series:
    """The items strictly between two positions; takes what does not fit out of the links."""
    inner = {start, stop, *items}
    near = {(p, q) for p, q in links if p in inner and q in inner and (p, q) != (start, stop)}
    while True:
        cuts = [i for i in items if not any(p < i < q for p, q in near)]
        if cuts or len(_components(items, near, (start, stop))) > 1:
            break
        longest = max(near, key=lambda link: (link[1] - link[0], link))
        near.remove(longest)
        links.remove(longest)
        aside.append(longest)
    parts = list[int | Branches]()
    for a, b in pairwise((start, *cuts, stop)):
        between = [i for i in items if a < i < b]
        if between:
            parts.append(_branches(between, a, b, links, aside))
        parts += [b] if b != stop else []
    return Series(tuple(parts))


def _branches(
    items: list[int], start: int, stop: int, links: set[Ends], aside: list[Ends]
) -> Branches:  # fmt: skip
    columns = [
        _series(column, start, stop, links, aside)
        for column in _components(items, links, (start, stop))
    ]
    return Branches(start, stop, tuple(columns), (start, stop) in links)


def _components(items: list[int], links: set[Ends], ends: Ends) -> list[list[int]]:
    """The items in connected pieces, each in order; the ends do not connect."""
    home = {i: {i} for i in items}
    for p, q in sorted(links):
        if p in home and q in home and not {p, q} & set(ends) and home[p] is not home[q]:
            home[p] |= home[q]
            for i in home[q]:
                home[i] = home[p]
    return [sorted(piece) for i, piece in home.items() if i == min(piece)]
