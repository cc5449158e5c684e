"""The model as nested things to draw: boxes, blocks, runs of equal blocks, and their links."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from cnndsl.diagram import labels
from cnndsl.ir import Model, Node
from cnndsl.layers.merge import Residual
from cnndsl.layers.rearrange import Identity
from cnndsl.shapes import Shape
from cnndsl.source import counted

READABLE = 32
"""Boxes in a picture whose depth nobody chose."""


@dataclass(frozen=True)
class Link:
    """A tensor between two children of a group, by position.

    `start` -1 is what enters the group, `end` len(children) what leaves it. `via` are the paths of
    the identities on the way.
    """

    start: int
    end: int
    shape: Shape
    via: tuple[str, ...] = ()


@dataclass(frozen=True)
class Item:
    """A box, or an open block with its children. A run of equal blocks has several `paths`."""

    paths: tuple[str, ...]
    caption: str
    note: str
    family: str
    nodes: tuple[Node, ...]
    shape: Shape
    children: tuple["Item", ...] = ()
    links: tuple[Link, ...] = ()
    block: bool = False

    @property
    def open(self) -> bool:
        """Whether the children are drawn."""
        return bool(self.children)

    @cached_property
    def params(self) -> int:
        """Learned parameters of all that it stands for."""
        return sum(node.size for node in self.nodes)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of all that it stands for."""
        return sum(node.macs for node in self.nodes)

    @cached_property
    def boxes(self) -> tuple["Item", ...]:
        """The closed boxes in it, itself if it is one."""
        return tuple(b for c in self.children for b in c.boxes) if self.open else (self,)


@dataclass
class _Unit:
    """Layers that share a box. `inputs` are units, with the identities between."""

    parts: tuple[str, ...]
    nodes: list[Node]
    inputs: list[tuple[int, Shape, tuple[str, ...]]]
    output: str = ""
    uses: list[int] = field(default_factory=list[int])

    @property
    def shape(self) -> Shape:
        return self.nodes[-1].shape if self.nodes else self.inputs[0][1]


@dataclass(frozen=True)
class Opening:
    """Which blocks are opened: all down to a depth, and some by their paths."""

    depth: int = 0
    paths: frozenset[str] = frozenset()

    def holds(self, parts: Sequence[str]) -> bool:
        """Whether the block with this path is open."""
        return len(parts) <= self.depth or ".".join(parts) in self.paths


def tree(model: Model, opening: Opening | None = None) -> Item:
    """The model with some blocks opened; by default as deep as stays readable."""
    units = _Folding(model).units
    if opening is not None:
        return _group(units, range(len(units)), 0, opening, model.name)
    found = tree(model, Opening())
    for deeper in range(1, levels(model) + 1):
        tried = tree(model, Opening(deeper))
        if len(tried.boxes) > READABLE:
            break
        found = tried
    return found


def levels(model: Model) -> int:
    """How many levels of blocks there are to open."""
    return max(len(node.stack) for node in model.nodes)


class _Folding:
    """Puts words that follow into the box of their layer, and identities on the links."""

    def __init__(self, model: Model) -> None:
        self.nodes, self.units = model.nodes, list[_Unit]()
        self.home, self.through = dict[int, int](), dict[int, tuple[int, tuple[str, ...]]]()
        self.ends = set(model.outputs.values())
        self.uses = Counter(i for n in self.nodes for i in _used(self.nodes, n))
        for position, node in enumerate(self.nodes):
            self._take(position, node)
        for name, end in model.outputs.items():
            self._add(_Unit((f"output {name}",), [], [self._source(end)], name))

    def _take(self, position: int, node: Node) -> None:
        sources = _used(self.nodes, node)
        if isinstance(node.layer, Identity) and self.uses[position] and position not in self.ends:
            first, via = self.through.get(sources[0], (sources[0], ()))
            self.through[position] = (first, (*via, node.path))
        elif len(sources) == 1 and self._folds(node, sources[0]):
            self.home[position] = self.home[sources[0]]
            self.units[self.home[position]].nodes.append(node)
        else:
            self.home[position] = len(self.units)
            self._add(_Unit(_parts(node), [node], [self._source(i) for i in sources]))

    def _add(self, unit: _Unit) -> None:
        for source, _, _ in unit.inputs:
            self.units[source].uses.append(len(self.units))
        self.units.append(unit)

    def _folds(self, node: Node, source: int) -> bool:
        same = _parts(self.nodes[source])[:-1] == _parts(node)[:-1]
        alone = self.uses[source] == 1 and source not in self.ends and source in self.home
        silent = isinstance(node.layer, Residual)
        return same and alone and (node.follows or silent) and source != 0

    def _source(self, position: int) -> tuple[int, Shape, tuple[str, ...]]:
        first, via = self.through.get(position, (position, ()))
        return self.home[first], self.nodes[first].shape, via


def _parts(node: Node) -> tuple[str, ...]:
    """The path as its blocks and the layer, whose own name may hold dots: `stem.bn_1`."""
    depth = len(node.stack)
    return tuple(node.path.split(".", depth))


def _used(nodes: Sequence[Node], node: Node) -> tuple[int, ...]:
    """The inputs that reach the output: `residual auto` leaves out a skip of another shape."""
    fits = len({nodes[i].shape for i in node.inputs}) == 1
    return node.inputs if fits or not isinstance(node.layer, Residual) else node.inputs[:1]


def _group(
    units: list[_Unit], members: Sequence[int], level: int, opening: Opening, path: str
) -> Item:  # fmt: skip
    """A group of units as an open item; `level` is the number of blocks around it."""
    named: dict[tuple[str, ...], list[int]] = {}
    for i in members:
        named.setdefault(units[i].parts[: level + 1], []).append(i)
    runs = _runs(units, list(named.items()), level, opening)
    children = tuple(_child(units, run, level, opening) for run in runs)
    where = {i: n for n, run in enumerate(runs) for call in run for i in call}
    nodes = tuple(node for i in members for node in units[i].nodes)
    found = _links(units, where, len(children))
    return Item((path,), path, "", "other", nodes, nodes[-1].shape, children, found)


def _links(units: list[_Unit], where: dict[int, int], end: int) -> tuple[Link, ...]:
    found: dict[tuple[int, int], Link] = {}

    def add(start: int, stop: int, shape: Shape, via: tuple[str, ...]) -> None:
        if start != stop:
            before = found.get((start, stop))
            found[start, stop] = Link(start, stop, shape, (*(before.via if before else ()), *via))

    for i, here in where.items():
        for source, shape, via in units[i].inputs:
            add(where.get(source, -1), here, shape, via)
        for use in units[i].uses:
            if use not in where:
                add(here, end, units[i].shape, ())
    return tuple(sorted(found.values(), key=lambda link: (link.start, link.end)))


def _runs(
    units: list[_Unit], calls: list[tuple[tuple[str, ...], list[int]]], level: int,
    opening: Opening,
) -> list[list[list[int]]]:  # fmt: skip
    """Consecutive equal calls together; those with an open one must be equal in all sizes."""
    runs, strict = list[list[list[int]]](), False
    for parts, call in calls:
        strict = (strict and bool(runs)) or opening.holds(parts)
        if runs and _chained(units, runs[-1][-1], call) and (
            _sign(units, runs[-1][-1], level, strict) == _sign(units, call, level, strict)
        ):  # fmt: skip
            runs[-1].append(call)
        else:
            runs.append([call])
            strict = opening.holds(parts)
    return runs


def _chained(units: list[_Unit], before: list[int], call: list[int]) -> bool:
    """Whether all that leaves the one enters the other, and nothing else does."""
    inside, ahead = set(before), set(call)
    leaving = {use for i in before for use in units[i].uses} - inside
    entering = {source for i in call for source, _, _ in units[i].inputs} - ahead
    return len(before) > 1 and bool(leaving) and leaving <= ahead and entering <= inside


def _sign(units: list[_Unit], call: list[int], level: int, strict: bool) -> object:
    nodes = [node for i in call for node in units[i].nodes]
    name = nodes[0].stack[level].call if len(nodes[0].stack) > level else None
    if strict:
        return name, [(node.layer, node.shape, node.size) for node in nodes]
    return name, [node.layer.word for node in nodes], nodes[-1].shape[1:]


def _child(units: list[_Unit], run: list[list[int]], level: int, opening: Opening) -> Item:
    first = run[0]
    if len(first) == 1:
        return _box(units[first[0]])
    frame = units[first[0]].nodes[0].stack[level]
    paths = tuple(".".join(units[call[0]].parts[: level + 1]) for call in run)
    text = labels.labelled(paths[0], frame.call.partition("(")[0], labels.call(frame.call))
    text += f" × {len(run)}" if len(run) > 1 else ""
    nodes = tuple(node for call in run for i in call for node in units[i].nodes)
    note = f"{counted(len(nodes), 'layer')}"
    shape = nodes[-1].shape
    opened = opening.holds(paths[0].split("."))
    inner = _group(units, first, level + 1, opening, paths[0]) if opened else None
    return Item(
        paths, text, note, _main_family(nodes), nodes, shape,
        inner.children if inner else (), inner.links if inner else (), block=True,
    )  # fmt: skip


def _main_family(nodes: Sequence[Node]) -> str:
    """The family that computes most."""
    cost = Counter[str]()
    for node in nodes:
        cost[labels.family(node.layer)] += node.macs + node.size
    return cost.most_common(1)[0][0]


def _box(unit: _Unit) -> Item:
    if not unit.nodes:
        path = unit.parts[0]
        text = path if unit.output != "output" else "output"
        return Item((path,), text, "", "other", (), unit.shape)
    first = unit.nodes[0]
    text = labels.labelled(first.path, first.layer.word, labels.caption(first.layer))
    note = " · ".join(
        labels.caption(n.layer) for n in unit.nodes[1:] if not isinstance(n.layer, Residual)
    )
    nodes = tuple(unit.nodes)
    paths = tuple(node.path for node in nodes)
    return Item(paths[:1], text, note, labels.family(first.layer), nodes, unit.shape)
