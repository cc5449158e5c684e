"""Which tensors of a model learn: what a recipe freezes in an epoch, and at which rate the rest."""

import re
from collections.abc import Iterable, Iterator
from math import prod

from cnndsl.fields import nearest
from cnndsl.ir import Model
from cnndsl.layers.dropout import Dropping
from cnndsl.layers.norm import BatchNorm
from cnndsl.recipe import Recipe
from cnndsl.source import UserError

BODY, HEAD = "body", "head"


def path_pattern(text: str) -> re.Pattern[str]:
    """What matches whole paths; `*` stands for anything."""
    return re.compile(".*".join(map(re.escape, text.split("*"))))


def named(model: Model, text: str) -> list[str]:
    """The model's tensors that a pattern names, by their own path or that of a layer or block.

    `head` is the last weighted layers, `body` all others, unless a layer is called so.
    """
    fitting = path_pattern(text)
    found = [n for n in model.tensors() if any(fitting.fullmatch(path) for path in _above(n))]
    if found or text not in (BODY, HEAD):
        return found
    heads = model.heads
    return [n for n in model.tensors() if (n.rpartition(".")[0] in heads) == (text == HEAD)]


def _above(name: str) -> Iterator[str]:
    """A tensor's name, its layer's path and the paths of the blocks around it."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def unknown(model: Model, pattern: str) -> tuple[str, str]:
    """What is wrong with a pattern that names nothing, and how to mend it."""
    paths = {path for name in model.tensors() for path in _above(name)} | {BODY, HEAD}
    close = nearest(pattern, paths) or nearest(pattern.rstrip("*.") or pattern, paths)
    hint = f"did you mean `{close}`?" if close else "`cnndsl summary` lists the paths"
    return f"no layer with weights is called `{pattern}`", hint


def patterns(recipe: Recipe) -> Iterator[tuple[str, int, str]]:
    """Each pattern of a recipe, with its setting and which of these it is."""
    for i, freeze in enumerate(recipe.freeze):
        yield from (("freeze", i, pattern) for pattern in freeze.layers)
    yield from (("rate", i, rate.layers) for i, rate in enumerate(recipe.rate))


def check_patterns(model: Model, recipe: Recipe) -> None:
    """UserError for a pattern that names nothing."""
    for setting, _, pattern in patterns(recipe):
        tensors_of(model, [pattern], setting)


def tensors_of(model: Model, names: Iterable[str], setting: str) -> list[str]:
    """The tensors that any of some patterns names; UserError where one names nothing."""
    found = dict[str, None]()
    for pattern in names:
        tensors = named(model, pattern)
        if not tensors:
            message, hint = unknown(model, pattern)
            raise UserError(f"{setting}: {message}\n  {hint}")
        found |= dict.fromkeys(tensors)
    return list(found)


def frozen(model: Model, recipe: Recipe, epoch: int = 0) -> frozenset[str]:
    """The tensors that are constants in an epoch, the first of which is 0.

    Statistics of a `bn` are, where all that it learns is, and where training in int8 holds them.
    """
    held = {
        name
        for freeze in recipe.freeze
        if freeze.holds(epoch)
        for pattern in freeze.layers
        for name in named(model, pattern)
    }
    for node in model.nodes:
        if isinstance(node.layer, BatchNorm):
            own = {f"{node.path}.{p.name}" for p in node.params if p.learned}
            statistics = {f"{node.path}.{p.name}" for p in node.params if not p.learned}
            stays = own <= held or recipe.holds_ranges(epoch)
            held = held | statistics if stays else held - statistics
    return frozenset(held)


def phase(recipe: Recipe, epoch: int) -> int:
    """The epoch since which the same step is computed as in `epoch`: with the same tensors frozen,
    and rounded alike.
    """
    return max((e for e in _changes(recipe) if e <= epoch), default=0)


def _changes(recipe: Recipe) -> list[int]:
    """The epochs from which on something else is frozen or rounded."""
    changes = [e for f in recipe.freeze for e in (f.start, f.until) if e is not None]
    if recipe.quantize is not None:
        changes += [recipe.quantize.start, recipe.quantize.held_from(recipe.epochs)]
    return changes


def rates(model: Model, recipe: Recipe) -> dict[str, float]:
    """The learning rate of each tensor as a share of the recipe's, where it is another."""
    return {name: rate.factor for rate in recipe.rate for name in named(model, rate.layers)}


def constant_nodes(model: Model, held: frozenset[str]) -> frozenset[int]:
    """Positions of the layers that no learned tensor stands in or before."""
    found = set[int]()
    for i, node in enumerate(model.nodes):
        fixed = all(f"{node.path}.{p.name}" in held for p in node.params)
        if fixed and found.issuperset(node.inputs):
            found.add(i)
    return frozenset(found)


def resting_nodes(model: Model, held: frozenset[str]) -> frozenset[int]:
    """Positions of the layers that run as at inference: constant ones, with `dropout` between them.

    A random layer that only layers read which learn is at work.
    """
    found = set(constant_nodes(model, held))
    read_by = {i: {at for at, n in enumerate(model.nodes) if i in n.inputs} for i in found}
    for i in sorted(found, reverse=True):
        if isinstance(model.nodes[i].layer, Dropping) and found.isdisjoint(read_by[i]):
            found.remove(i)
    return frozenset(found)


def learned_in(model: Model, epoch: int) -> int:
    """Number of parameters that learn in an epoch by the spec's own recipe."""
    held = frozen(model, model.recipe, epoch) if model.recipe else frozenset[str]()
    return learned_count(model, held)


def phases(recipe: Recipe) -> list[int]:
    """The epochs from which on other tensors may be frozen than before; 0 is the first."""
    return sorted({0, *(epoch for epoch in _changes(recipe) if epoch < recipe.epochs)})


def learned_count(model: Model, held: frozenset[str]) -> int:
    """Number of parameters that learn."""
    tensors = model.tensors().items()
    return sum(prod(p.shape) for name, p in tensors if p.learned and name not in held)
