"""Which things stand in a row and which side by side: a group as series and branches.

Networks are nearly series-parallel. What stands at a position that no link passes by is a *cut*;
what lies between two cuts falls apart into branches, and a link from cut to cut is an empty branch,
a skip. Where neither helps, the longest link is set aside and drawn along the edge.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

Ends = tuple[int, int]

DEEP = 50
"""Skips inside one another, and branches; what is deeper is drawn as one line."""


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
    planning = _Planning(set(links))
    return Plan(planning.series(list(range(count)), -1, count, 0), tuple(planning.aside))


class _Planning:
    """The links that are still to be placed, and those set aside."""

    def __init__(self, links: set[Ends]) -> None:
        self.links, self.aside = links, list[Ends]()

    def series(self, items: list[int], start: int, stop: int, depth: int) -> Series:
        """The items strictly between two positions."""
        inner = {start, stop, *items}
        near = {(p, q) for p, q in self.links if p in inner and q in inner}
        near.discard((start, stop))
        if depth > DEEP:
            self._drop(near, {(p, q) for p, q in near if q - p > 1})
        while not (cuts := _cuts(items, near)) and len(_components(items, near)) == 1:
            self._drop(near, {max(near, key=lambda link: (link[1] - link[0], link))})
        parts = list[int | Branches]()
        for a, b in pairwise((start, *cuts, stop)):
            between = [i for i in items if a < i < b]
            if between:
                parts.append(self._branches(between, a, b, depth))
            parts += [b] if b != stop else []
        return Series(tuple(parts))

    def _branches(self, items: list[int], start: int, stop: int, depth: int) -> Branches:
        columns = [
            self.series(column, start, stop, depth + 1) for column in _components(items, self.links)
        ]
        return Branches(start, stop, tuple(columns), (start, stop) in self.links)

    def _drop(self, near: set[Ends], links: set[Ends]) -> None:
        near -= links
        self.links -= links
        self.aside += sorted(links)


def _cuts(items: list[int], links: set[Ends]) -> list[int]:
    """The items that no link passes by; one sweep, since there may be thousands."""
    farthest = dict[int, int]()
    for p, q in links:
        farthest[p] = max(q, farthest.get(p, q))
    cuts, reach = list[int](), max((q for p, q in farthest.items() if p < items[0]), default=-1)
    for i in items:
        if reach <= i:
            cuts.append(i)
        reach = max(reach, farthest.get(i, -1))
    return cuts


def _components(items: list[int], links: set[Ends]) -> list[list[int]]:
    """The items in connected pieces, each in order; what lies outside does not connect."""
    home = {i: {i} for i in items}
    for p, q in sorted(links):
        if p in home and q in home and home[p] is not home[q]:
            small, large = sorted((home[p], home[q]), key=len)
            large |= small
            home.update(dict.fromkeys(small, large))
    return [sorted(piece) for i, piece in home.items() if i == min(piece)]
