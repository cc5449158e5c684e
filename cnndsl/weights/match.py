"""Which tensor of a file belongs to which of a model: by name, else by the order of modules.

Nothing is guessed: modules pair one by one in the order of computation, all of them, and where two
ways of doing so fit, that is an error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from numpy.typing import NDArray

from cnndsl.ir import Model
from cnndsl.source import UserError
from cnndsl.weights.base import RawWeights
from cnndsl.weights.families import restored
from cnndsl.weights.modules import Module, Shape, fits, groups, modules

BY_NAME = "by name"
_SHOWN = 3  # pairs around the first that does not fit


@dataclass(frozen=True)
class Match:
    """For each of the model's tensors the name of the file's; `how` they were found."""

    names: Mapping[str, str]
    how: str
    left_out: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth saying of it: nothing where all names are ours."""
        if self.how == BY_NAME:
            return ()
        found = f"{len(self.names)} tensors found {self.how}"
        left = ", ".join(f"`{name}`" for name in self.left_out)
        return (found, f"left out as auxiliary: {left}") if left else (found,)


def match(raw: RawWeights, model: Model, origin: str) -> Match:
    """Pairs of names; UserError where they are not certain, with the candidates."""
    own = modules({name: p.shape for name, p in model.tensors().items()})
    if _by_our_names(raw, model):
        return Match({name: name for name in raw.tensors}, BY_NAME)
    shapes: Mapping[str, Shape] = {name: t.shape for name, t in raw.tensors.items()}
    if not raw.ordered or _is_sorted(list(shapes)):
        in_order = restored(shapes)
        if in_order is None:
            return _by_shape(own, modules(shapes), origin)
        return _aligned(own, modules(in_order), model, origin, "by the family's names")
    return _aligned(own, modules(shapes), model, origin, "by order")


def arranged(raw: RawWeights, found: Match, model: Model) -> dict[str, NDArray[Any]]:
    """The file's tensors under the model's names, in its shapes where the values are the same."""
    wanted = model.tensors()
    tensors = {own: raw.tensors[other] for own, other in found.names.items()}
    return {
        own: t.reshape(wanted[own].shape)
        if own in wanted and fits(wanted[own].shape, t.shape)
        else t
        for own, t in tensors.items()
    }


def _by_our_names(raw: RawWeights, model: Model) -> bool:
    """Whether the file's names are ours, if not all of them."""
    wanted = model.tensors()
    return 2 * sum(name in wanted for name in raw.tensors) >= len(wanted)


def _is_sorted(names: list[str]) -> bool:
    """Whether names stand in the alphabet's order, where modules have another: weight, bias."""
    if names != sorted(names):
        return False
    return any(name.endswith(".bias") and name[:-4] + "weight" in names for name in names)


def _aligned(
    own: Sequence[Module], theirs: Sequence[Module], model: Model, origin: str, how: str
) -> Match:
    """All modules in order; whole top-level modules that are auxiliary heads may be left out."""
    tops = groups(theirs)
    outputs = {shape[0] for shape in model.output_shapes().values()}
    optional = {i for i, (top, found) in enumerate(tops) if _is_auxiliary(top, found, outputs)}
    ways = _ways(own, [found for _, found in tops], optional)
    if not ways:
        raise UserError(_misfit(own, theirs, origin))
    if len(ways) > 1:
        listed = "\n".join(f"  without {_listed(tops, way)}" for way in ways)
        raise UserError(
            f"{origin} fits the model in more than one way:\n{listed}\n"
            "  take the others out of the file"
        )
    kept = [m for i, (_, found) in enumerate(tops) if i not in ways[0] for m in found]
    names = dict[str, str]()
    for mine, other in zip(own, kept, strict=True):
        names |= mine.pairs(other) or {}
    return Match(names, how, tuple(tops[i][0] for i in ways[0]))


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

    @cache
    def ways(i: int, at: int) -> tuple[tuple[int, ...], ...]:
        if i == len(tops):
            return ((),) if at == len(own) else ()
        found = ways(i + 1, at + len(tops[i])) if fitting(i, at) else ()
        if i in optional and len(found) < 2:
            found += tuple((i, *way) for way in ways(i + 1, at))
        return found[:2]

    def fitting(i: int, at: int) -> bool:
        mine = own[at : at + len(tops[i])]
        return len(mine) == len(tops[i]) and all(
            a.pairs(b) is not None for a, b in zip(mine, tops[i], strict=True)
        )

    return list(ways(0, 0))


def _by_shape(own: Sequence[Module], theirs: Sequence[Module], origin: str) -> Match:
    """Without any order: each module must be the only one that fits."""
    names = dict[str, str]()
    for mine in own:
        fitting = [m for m in theirs if mine.pairs(m) is not None]
        rivals = [m for m in own if _signature(m) == _signature(mine)]
        if len(fitting) != 1 or len(rivals) != 1:
            candidates = ", ".join(m.path for m in fitting) or "none"
            raise UserError(
                f"{origin}: its names are not the model's, its order is that of the alphabet, and "
                f"shapes leave it open\n  `{mine.path}` may be {candidates}\n"
                "  store it in its own order by torch.save(model.state_dict(), FILE)"
            )
        names |= mine.pairs(fitting[0]) or {}
    surplus = [m.path for m in theirs if not {*map(m.name, m.shapes)} & {*names.values()}]
    if surplus:
        raise UserError(f"{origin}: has modules that the model lacks: {', '.join(surplus[:5])}")
    return Match(names, "by shape")


def _signature(module: Module) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(n for n in shape if n != 1) for shape in module.shapes.values())


def _misfit(own: Sequence[Module], theirs: Sequence[Module], origin: str) -> str:
    """The nearest modules on both sides, in order, around the first that do not fit."""
    count = min(len(own), len(theirs))
    at = next((i for i in range(count) if own[i].pairs(theirs[i]) is None), count)
    rows = [(_shown(theirs, i), _shown(own, i)) for i in range(max(0, at - 1), at + _SHOWN)]
    width = max(len("in the file"), *(len(row[0]) for row in rows))
    marks = [">" if i == at else " " for i in range(max(0, at - 1), at + _SHOWN)]
    table = [
        f"  {m} {left:<{width}}  {right}" for m, (left, right) in zip(marks, rows, strict=True)
    ]
    return "\n".join([
        f"{origin} does not fit the model: {len(theirs)} modules, the model has {len(own)}",
        f"    {'in the file':<{width}}  in the model", *table,
        "  mend the spec where they part",
    ])  # fmt: skip


def _shown(found: Sequence[Module], i: int) -> str:
    if i >= len(found):
        return "-"
    part, shape = next(iter(found[i].shapes.items()))
    return f"{found[i].name(part)} {'x'.join(map(str, shape)) or 'scalar'}"
