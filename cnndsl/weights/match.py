"""Which tensor of a file belongs to which of a model: by a map, by name, by the order of modules.

Nothing is guessed: modules pair one by one in the order of computation, all of them, and where two
ways of doing so fit, that is an error.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from cnndsl.fields import nearest
from cnndsl.ir import Model
from cnndsl.source import UserError, counted
from cnndsl.weights.align import beside_fresh, by_shape, in_order, interleaved, shown
from cnndsl.weights.base import Order, RawWeights
from cnndsl.weights.channels_first import channels_first
from cnndsl.weights.families import restored
from cnndsl.weights.folded import folded_shapes, unfolded, with_neutral
from cnndsl.weights.graph_order import walked
from cnndsl.weights.modules import Module, Shape, fits, is_counter, modules, modules_as_listed
from cnndsl.weights.name_map import NameMap, draft

BY_NAME, BY_ORDER = "by name", "by order"
BY_FAMILY, BY_SHAPE, BY_MAP = "by the family's names", "by shape", "by the map"

_COMMUTING = ("add", "residual", "mul")

Shapes = Mapping[str, Shape]


@dataclass(frozen=True)
class Match:
    """For each of the model's tensors the name of the file's, and `ways`, how it was found."""

    names: Mapping[str, str]
    ways: Mapping[str, str]
    left_out: tuple[str, ...] = ()

    @property
    def how(self) -> str:
        """The ways in which tensors were found."""
        return " and ".join(dict.fromkeys(self.ways.values()))

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth saying of it: nothing where all names are ours."""
        found = (
            ()
            if self.how == BY_NAME
            else (f"{counted(len(self.names), 'tensor')} found {self.how}",)
        )
        left = ", ".join(f"`{name}`" for name in self.left_out)
        return (*found, f"left out: {left}") if left else found


def match(
    raw: RawWeights, model: Model, origin: str, name_map: NameMap | None = None,
    fresh: Collection[str] = (),
) -> Match:  # fmt: skip
    """Pairs of names; UserError where they are not certain, with the candidates.

    What a map does not name is found as without one. Nothing is taken for the `fresh` tensors.
    """
    theirs, own = _shapes(raw), {name: p.shape for name, p in model.tensors().items()}
    if name_map is None and raw.simplified:
        return _perhaps_folded(theirs, own, model, raw, origin, fresh)
    if name_map is None:
        return _without_map(theirs, own, model, raw, origin, fresh)
    names, left_out = _mapped(name_map, modules(theirs), modules(own))
    theirs = _without(theirs, {*names.values(), *left_out})
    own = _without(own, names)
    found = Match({}, {})
    if own or theirs:
        beside = f"{origin}, beside the map,"
        found = _without_map(theirs, own, model, raw, beside, fresh)
    ways = dict.fromkeys(names, BY_MAP) | dict(found.ways)
    return Match(names | dict(found.names), ways, found.left_out)


def arranged(raw: RawWeights, found: Match, model: Model) -> dict[str, NDArray[Any]]:
    """The file's tensors under the model's names, in its shapes where the values are the same."""
    wanted = model.tensors()
    tensors = {own: raw.tensors[other] for own, other in found.names.items()}
    if raw.channels_last:
        tensors = channels_first(tensors, model)
    if raw.simplified:
        tensors = with_neutral(unfolded(tensors, model), model)
    return {
        own: t.reshape(wanted[own].shape)
        if own in wanted and fits(wanted[own].shape, t.shape)
        else t
        for own, t in tensors.items()
    }


def drafted_map(raw: RawWeights, model: Model, origin: str) -> dict[str, Any]:
    """A map by modules, to be written and read as JSON: of what is certain, else to choose from."""
    theirs, own = modules(_shapes(raw)), modules({n: p.shape for n, p in model.tensors().items()})
    try:
        found = match(raw, model, origin)
    except UserError:
        return draft(own, theirs)
    ours = {other: name for name, other in found.names.items()}
    entries = dict[str, Any]()
    for module in theirs:
        first = next(iter(module.shapes))
        mine = ours.get(module.name(first))
        whole = mine and mine.rpartition(".")[0]
        entries[module.path or first] = whole if module.path else mine
    return entries


def _shapes(raw: RawWeights) -> Shapes:
    """Without counters of batches, which are no weights."""
    return {name: t.shape for name, t in raw.tensors.items() if not is_counter(name)}


def _without(shapes: Shapes, names: Iterable[str]) -> Shapes:
    left_out = set(names)
    return {name: shape for name, shape in shapes.items() if name not in left_out}


def _without_map(
    theirs: Shapes, own: Shapes, model: Model, raw: RawWeights, origin: str,
    fresh: Collection[str] = (),
) -> Match:  # fmt: skip
    if 2 * sum(name in own for name in theirs) >= len(own):  # ours, if not all of them
        return _by_our_names(theirs, own, fresh)
    wanted = [
        replace(m, fresh=m.name(next(iter(m.shapes))) in fresh, may_lack_some=raw.simplified)
        for m in modules(own)
    ]
    if raw.order is Order.COUNTERS and model.is_in_line and not fresh:
        return _match(interleaved(wanted, modules(theirs), origin), BY_ORDER)
    if raw.order is Order.GRAPH:
        wanted = _walked(wanted, model)
    how, sequence = _sequence(theirs, raw.order, model.is_in_line)
    if sequence is None:
        wanted = [m for m in wanted if not m.fresh]
        try:
            names = by_shape(wanted, modules(theirs), origin, raw.order, bool(fresh))
        except UserError:
            if not raw.is_ours:
                raise
            return _by_our_names(theirs, own, fresh)  # what does not fit is told by these names
        return _match(names, BY_SHAPE)
    align = beside_fresh if fresh else in_order
    outputs = {shape[0] for shape in model.output_shapes().values()}
    grouped = modules_as_listed if raw.order is Order.GRAPH else modules
    names, left_out = align(wanted, grouped(sequence), outputs, origin)
    return _match(names, how, left_out)


def _perhaps_folded(
    theirs: Shapes, own: Shapes, model: Model, raw: RawWeights, origin: str, fresh: Collection[str]
) -> Match:
    """Where the tensors do not fit as they are, they may where norms are folded."""
    try:
        return _without_map(theirs, own, model, raw, origin, fresh)
    except UserError as error:
        folded = folded_shapes(model)
        if folded == own:
            raise
        try:
            return _without_map(theirs, folded, model, raw, origin, fresh)
        except UserError:
            raise error from None


def _sequence(theirs: Shapes, order: Order, is_in_line: bool) -> tuple[str, Shapes | None]:
    """Tensors in the order of computation, and how it is known; None where nothing tells it."""
    if order is Order.GRAPH or (order is Order.CHAIN and is_in_line):
        return BY_ORDER, theirs
    if order is Order.MODULES and not _is_sorted(list(theirs)):
        return BY_ORDER, theirs
    return BY_FAMILY, restored(theirs) if order in (Order.MODULES, Order.NAMES) else None


def _walked(own: Sequence[Module], model: Model) -> list[Module]:
    """The model's modules in the order of a walk from its outputs."""
    nodes = model.nodes
    kernels = {i: node.kernels for i, node in enumerate(nodes)}
    commuting = {i for i, node in enumerate(nodes) if node.layer.word in _COMMUTING}
    inputs = [node.inputs for node in nodes]
    at = walked(inputs, tuple(model.outputs.values()), kernels, commuting)
    places = {nodes[i].path: place for place, i in enumerate(at)}
    return sorted(own, key=lambda module: places.get(module.path, len(at)))


def _by_our_names(theirs: Shapes, own: Shapes, fresh: Collection[str]) -> Match:
    """All of the file's tensors; beside fresh layers, those that the model has."""
    if not fresh:
        return _match({name: name for name in theirs}, BY_NAME)
    names = {name: name for name in theirs if name in own and name not in fresh}
    return _match(names, BY_NAME, tuple(n for n in theirs if n not in own))


def _match(names: Mapping[str, str], how: str, left_out: tuple[str, ...] = ()) -> Match:
    return Match(names, dict.fromkeys(names, how), left_out)


def _is_sorted(names: list[str]) -> bool:
    """Whether names stand in the alphabet's order, where modules have another: weight, bias."""
    if names != sorted(names):
        return False
    return any(name.endswith(".bias") and name[:-4] + "weight" in names for name in names)


def _mapped(
    name_map: NameMap, theirs: list[Module], own: list[Module]
) -> tuple[dict[str, str], set[str]]:
    """Own tensors with theirs, as a map has them, and the names that it leaves out."""
    tensors = {module.name(part): module for module in theirs for part in module.shapes}
    targets = name_map.targets([*tensors, *(m.path for m in theirs if m.path not in tensors)])
    names, left_out = dict[str, str](), set[str]()
    for name, target in targets.items():
        parts = [name] if name in tensors else _tensors_of(name, theirs)
        if target is None:
            left_out |= set(parts)
            continue
        for mine, other in _pairs(name, target, theirs, own, name_map.origin).items():
            if names.setdefault(mine, other) != other:
                both = f"`{names[mine]}` and `{other}`"
                raise UserError(f"{name_map.origin}: `{mine}` is said of both {both}")
    return names, left_out


def _tensors_of(path: str, theirs: list[Module]) -> list[str]:
    return [module.name(part) for module in theirs if module.path == path for part in module.shapes]


def _pairs(
    name: str, target: str, theirs: list[Module], own: list[Module], origin: str
) -> dict[str, str]:
    """Own tensors with theirs, for one entry of a map: two modules, or two tensors."""
    mine, other = _whole_or_part(target, own), _whole_or_part(name, theirs)
    if mine is None or other is None:
        known = {m.path for m in own} | {m.name(part) for m in own for part in m.shapes}
        close = nearest(target, known)
        hint = f"did you mean `{close}`?" if close else "`cnndsl summary` lists its paths"
        raise UserError(f"{origin}: the model has no `{target}`\n  {hint}")
    pairs = mine.pairs(other)
    if pairs is None:
        raise UserError(
            f"{origin}: `{name}` is {_listed(other)}, `{target}` is {_listed(mine)} in the model"
        )
    return pairs


def _whole_or_part(name: str, found: list[Module]) -> Module | None:
    """The module of that path, or the tensor of that name as a module with no other."""
    for module in found:
        if module.path == name:
            return module
        for part, shape in module.shapes.items():
            if module.name(part) == name:
                return Module(module.path, {part: shape})
    return None


def _listed(module: Module) -> str:
    return ", ".join(f"{part} {shown(shape)}" for part, shape in module.shapes.items())
