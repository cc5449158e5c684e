"""Modules of a file beside those of a model: all of them in order, or each by its shape alone."""

import re
from collections.abc import Sequence
from itertools import groupby, takewhile
from typing import Any

from cnndsl.source import UserError, counted
from cnndsl.weights.base import Order
from cnndsl.weights.modules import Module, Shape, groups

_SAVE = "torch.save(model.state_dict(), FILE)"
_SAVE_KERAS = 'model.save("model.keras"), which has the graph'
_ORDERS = {
    Order.NAMES: ("that of the alphabet", _SAVE),
    Order.MODULES: ("that of the alphabet", _SAVE),
    Order.CHAIN: ("not that of branches", _SAVE_KERAS),
    Order.COUNTERS: ("that of classes", _SAVE_KERAS),
}
_SHOWN = 3  # pairs around the first that does not fit


def in_order(
    own: Sequence[Module], theirs: Sequence[Module], outputs: set[int], origin: str
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Names of own tensors with theirs, and what was left out: whole top-level modules that are
    auxiliary heads. UserError where there is no way to do so, or more than one.
    """
    tops = groups(theirs)
    optional = {i for i, (top, found) in enumerate(tops) if _is_auxiliary(top, found, outputs)}
    ways = _ways(own, [found for _, found in tops], optional)
    if not ways:
        raise UserError(_misfit(own, theirs, origin))
    if len(ways) > 1:
        listed = "\n".join(f"  without {_listed(tops, way)}" for way in ways)
        raise UserError(
            f"{origin} fits the model in more than one way:\n{listed}\n"
            "  take the others out of the file, or name them in --map FILE"
        )
    kept = [m for i, (_, found) in enumerate(tops) if i not in ways[0] for m in found]
    return _paired(own, kept), tuple(tops[i][0] for i in ways[0])


def beside_fresh(
    own: Sequence[Module], theirs: Sequence[Module], outputs: set[int], origin: str
) -> tuple[dict[str, str], tuple[str, ...]]:
    """As `in_order`, where some own modules start anew: each in the place of one of theirs, or all
    at the end, in the place of whatever the file has there.
    """
    try:
        return in_order(own, theirs, outputs, origin)
    except UserError as error:
        kept = list(takewhile(lambda m: not m.fresh, own))
        tail = len(own) - len(kept)
        if sum(m.fresh for m in own) != tail or not _fitting(kept, theirs[: len(kept)]):
            raise error from None
        return _paired(kept, theirs[: len(kept)]), tuple(m.path for m in theirs[len(kept) :])


def interleaved(own: Sequence[Module], theirs: Sequence[Module], origin: str) -> dict[str, str]:
    """Modules of each class in order, `conv2d`, `conv2d_1`, of which nothing tells how classes
    follow each other: as shapes do. UserError where they leave it open.
    """
    queues = [[*found] for _, found in groupby(theirs, lambda m: re.sub(r"_\d+$", "", m.path))]
    states: dict[tuple[int, ...], list[tuple[Module, ...]]] = {(0,) * len(queues): [()]}
    for mine in own:
        after = dict[tuple[int, ...], list[tuple[Module, ...]]]()
        for state, ways in states.items():
            for i, at in enumerate(state):
                if at < len(queues[i]) and mine.pairs(queues[i][at]) is not None:
                    later = (*state[:i], at + 1, *state[i + 1 :])
                    after.setdefault(later, []).extend((*w, queues[i][at]) for w in ways)
        states = {state: ways[:2] for state, ways in after.items()}
    ways = states.get(tuple(map(len, queues)), [])
    if len(ways) == 1:
        return _paired(own, ways[0])
    if not ways:
        raise UserError(_misfit(own, theirs, origin))
    mine, *others = next(r for r in zip(own, *ways, strict=True) if r[1] is not r[2])
    both = " or ".join(other.path for other in others)
    raise UserError(
        f"{origin}: its order is that of classes, and shapes leave it open\n"
        f"  `{mine.path}` may be {both}\n  store it by {_SAVE_KERAS}"
    )


def _paired(own: Sequence[Module], theirs: Sequence[Module]) -> dict[str, str]:
    names = dict[str, str]()
    for mine, other in zip(own, theirs, strict=True):
        names |= mine.pairs(other) or {}
    return names


def by_shape(
    own: Sequence[Module], theirs: Sequence[Module], origin: str, order: Order, more: bool = False
) -> dict[str, str]:  # fmt: skip
    """Without any order: each module must be the only one that fits; `more` may be in the file."""
    names = dict[str, str]()
    for mine in own:
        fitting = [m for m in theirs if mine.pairs(m) is not None]
        rivals = [m for m in own if _signature(m) == _signature(mine)]
        if len(fitting) != 1 or len(rivals) != 1:
            candidates = ", ".join(m.path for m in fitting)
            fit = f"`{mine.path}` may be {candidates}" if fitting else f"none fits `{mine.path}`"
            raise UserError(
                f"{origin}: its names are not the model's, its order is {_ORDERS[order][0]}, and "
                f"shapes leave it open\n  {fit}\n"
                f"  store it in its own order by {_ORDERS[order][1]},\n"
                "  or say it in --map FILE, which `cnndsl weights match --write-map` drafts"
            )
        names |= mine.pairs(fitting[0]) or {}
    surplus = [m.path for m in theirs if not {*map(m.name, m.shapes)} & {*names.values()}]
    if surplus and not more:
        raise UserError(f"{origin} has modules that the model lacks: {', '.join(surplus[:5])}")
    return names


def _listed(tops: Sequence[tuple[str, Any]], way: tuple[int, ...]) -> str:
    return ", ".join(f"`{tops[i][0]}`" for i in way) or "nothing left out"


def _is_auxiliary(top: str, found: Sequence[Module], outputs: set[int]) -> bool:
    """A head beside the main one: called so, or several modules that end in as many outputs."""
    if "aux" in top.lower():
        return True
    kernels = [shape for m in found for shape in m.shapes.values() if len(shape) > 1]
    return len(kernels) > 1 and kernels[-1][0] in outputs


def _ways(
    own: Sequence[Module], tops: Sequence[Sequence[Module]], optional: set[int]
) -> list[tuple[int, ...]]:
    """Which top-level modules to leave out so that the rest fits, two ways at most."""
    states: dict[int, list[tuple[int, ...]]] = {0: [()]}  # ways, by how many own modules are used
    for i, found in enumerate(tops):
        after = dict[int, list[tuple[int, ...]]]()
        for at, ways in states.items():
            if _fitting(own[at : at + len(found)], found):
                after.setdefault(at + len(found), []).extend(ways)
            if i in optional:
                after.setdefault(at, []).extend((*way, i) for way in ways)
        states = {at: ways[:2] for at, ways in after.items()}
    return states.get(len(own), [])


def _fitting(own: Sequence[Module], theirs: Sequence[Module]) -> bool:
    return len(own) == len(theirs) and all(
        mine.pairs(other) is not None for mine, other in zip(own, theirs, strict=True)
    )


def _signature(module: Module) -> tuple[Shape, ...]:
    return tuple(tuple(n for n in shape if n != 1) for shape in module.shapes.values())


def _misfit(own: Sequence[Module], theirs: Sequence[Module], origin: str) -> str:
    """The nearest modules on both sides, in order, around the first that do not fit."""
    counts = f"{counted(len(theirs), 'module')}, the model has {len(own)}"
    head = f"{origin} does not fit the model: {counts}"
    if not theirs:
        return f"{head}\n  it holds no weights: take another file"
    count = min(len(own), len(theirs))
    at = next((i for i in range(count) if own[i].pairs(theirs[i]) is None), count)
    nearby = range(max(0, at - 1), min(at + _SHOWN, max(len(own), len(theirs))))
    rows = [(_shown(theirs, own, i), _shown(own, theirs, i)) for i in nearby]
    width = max(len("in the file"), *(len(row[0]) for row in rows))
    marks = [">" if i == at else " " for i in nearby]
    table = [
        f"  {m} {left:<{width}}  {right}" for m, (left, right) in zip(marks, rows, strict=True)
    ]
    return "\n".join([
        head,
        f"    {'in the file':<{width}}  in the model", *table,
        "  mend the spec where they part, or name what belongs together in --map FILE",
    ])  # fmt: skip


def _shown(found: Sequence[Module], beside: Sequence[Module], i: int) -> str:
    """A module by its first tensor, or by all where another has others."""
    if i >= len(found):
        return "-"
    is_alike = i >= len(beside) or found[i].shapes.keys() == beside[i].shapes.keys()
    (part, shape), *others = found[i].shapes.items()
    more = [] if is_alike else [f", {other} {shown(each)}" for other, each in others]
    return "".join([f"{found[i].name(part)} {shown(shape)}", *more])


def shown(shape: Shape) -> str:
    """`64x3x7x7`."""
    return "x".join(map(str, shape)) or "scalar"
