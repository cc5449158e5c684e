"""Where on the way to a merge its inputs come to differ in size: lost borders, other strides."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cnndsl.edits import Edit, spliced
from cnndsl.ir import Node
from cnndsl.layers.base import Layer, Reject, Window
from cnndsl.layers.conv import Convolution
from cnndsl.layers.mend import Field
from cnndsl.layers.pool import Pooling
from cnndsl.passes.binding import Binding
from cnndsl.passes.mending_base import Spot, of_field, rewritten
from cnndsl.shapes import Pair, Shape
from cnndsl.source import counted

_NAMED = 2  # layers that a help shows


@dataclass(frozen=True)
class Other:
    """Another value of a field, and the field that it is written behind where it is not yet."""

    field: Field
    value: Any
    behind: str = ""


_SAME = Other(Field("padding", "same"), "same", "kernel")


@dataclass(frozen=True)
class Change:
    """Other fields of layers on the way; `shapes` are then those of the merge's inputs."""

    reason: str
    edits: tuple[Edit, ...]
    shapes: tuple[Shape, ...]
    layers: tuple[Node, ...]

    def shown(self, spot: Spot) -> str:
        """What to write, for a help."""
        span = spot.statement.span
        inside = all(span.start <= e.start and e.end <= span.end for e in self.edits)
        whole = rewritten(spot, self.edits) if inside else None
        if whole is not None:
            return f"`{whole}`"
        if len(self.layers) > _NAMED:
            return f"it in each of {counted(len(self.layers), 'layer')} on the way"
        pairs = zip(self.layers, self.edits, strict=True)
        return " and ".join(f"`{_layer(node, edit)}` at line {node.line}" for node, edit in pairs)


def _layer(node: Node, edit: Edit) -> str:
    text = spliced(node.span.source.text, [edit], node.span.start, max(node.span.end, edit.end))
    return " ".join(text.split())


def change_on_the_way(spot: Spot) -> Change | None:
    """What makes the sizes of a merge's inputs equal, where the way to them tells."""
    shapes = [spot.nodes[i].shape for i in spot.inputs]
    if any(len(shape) != 3 for shape in shapes) or len({shape[1:] for shape in shapes}) == 1:
        return None
    return _kept_borders(spot, shapes) or _even_strides(spot)


# Borders


def _kept_borders(spot: Spot, shapes: Sequence[Shape]) -> Change | None:
    """`same` in the windows without padding that make an input smaller than another."""
    goal = (max(shape[1] for shape in shapes), max(shape[2] for shape in shapes))
    found = list[int]()
    for i in spot.inputs:
        lossy = _lossy(spot, i, goal)
        if lossy is None:
            return None
        found += [at for at in lossy if at not in found]
    reason = "a border is lost on the way: write"
    return _change(spot, reason, dict.fromkeys(found, _SAME))


def _lossy(spot: Spot, position: int, goal: Pair) -> list[int] | None:
    """The layers behind which an image of a size became smaller; None where it did otherwise."""
    found = list[int]()
    for at in _way(spot.nodes, position):
        if spot.nodes[at].shape[1:] == goal:
            return found
        before = _input_of(spot.nodes, at)
        if before is None or len(before) != 3:
            return None
        if before[1:] != spot.nodes[at].shape[1:]:
            if not _unpadded(spot.nodes[at].layer):
                return None
            found.append(at)
    return None


def _unpadded(layer: Layer) -> bool:
    """Whether a layer is a window of stride 1 without padding."""
    if isinstance(layer, Convolution):
        g = layer.geometry
        return (g.stride, g.padding, g.pads) == ((1, 1), "valid", None)
    return isinstance(layer, Pooling) and (layer.step, layer.padding, layer.pads) == (
        (1, 1), "valid", None,
    )  # fmt: skip


# Strides


def _even_strides(spot: Spot) -> Change | None:
    """The stride of the first input in the one layer that gives another input its own."""
    first, *rest = spot.inputs
    size = spot.nodes[first].shape[1:]
    others = [i for i in rest if spot.nodes[i].shape[1:] != size]
    wanted = dict[int, Other]()
    for other in others:
        found = _other_stride(spot.nodes, first, other)
        if found is None:
            return None
        at, stride = found
        wanted[at] = Other(Field("stride", f"/{stride}"), (stride, stride))
    return _change(spot, "the strides on the way differ: write", wanted)


def _other_stride(nodes: Sequence[Node], first: int, other: int) -> tuple[int, int] | None:
    """A layer and the stride that it should have; None where no one layer is at fault."""
    ways = [list(_way(nodes, first)), list(_way(nodes, other))]
    common = next((at for at in ways[0] if at in ways[1]), None)
    if common is None:
        return None
    steps = [[(at, _step(nodes, at)) for at in way[: way.index(common)]] for way in ways]
    strided = [[(at, step) for at, step in way if step != (1, 1)] for way in steps]
    if [len(way) for way in strided] != [1, 1]:
        return None
    (_, goal), (at, now) = strided[0][0], strided[1][0]
    if goal is None or now is None or goal[0] != goal[1] or _divides(goal, now):
        return None
    return at, int(goal[0])


def _divides(a: tuple[float, float], b: tuple[float, float]) -> bool:
    """Whether one of two strides divides the other: a projection makes up for it."""
    return min(a[0], b[0]) < 1 or all(max(p) % min(p) == 0 for p in zip(a, b, strict=True))


def _step(nodes: Sequence[Node], at: int) -> tuple[float, float] | None:
    """The stride of a layer; None for one that looks at everything."""
    x = _input_of(nodes, at)
    window: Window | None = nodes[at].layer.window(x) if x is not None else None
    return window.step if window is not None else None


# Networks with other layers


def _way(nodes: Sequence[Node], position: int) -> Iterator[int]:
    """A position and those before it, as long as there is one input."""
    yield position
    while len(nodes[position].inputs) == 1:
        position = nodes[position].inputs[0]
        yield position


def _input_of(nodes: Sequence[Node], at: int) -> Shape | None:
    inputs = nodes[at].inputs
    return nodes[inputs[0]].shape if len(inputs) == 1 else None


def _change(spot: Spot, reason: str, wanted: Mapping[int, Other]) -> Change | None:
    """Layers with another value of a field each, if the network stands with them."""
    if not wanted or any(not _here(spot, spot.nodes[at]) for at in wanted):
        return None
    layers = {at: _with(spot.nodes[at].layer, other) for at, other in wanted.items()}
    shapes = _shapes(spot.nodes, layers)
    if shapes is None:
        return None
    ends = tuple(shapes[i] for i in spot.inputs)
    if len({shape[1:] for shape in ends}) > 1:
        return None
    edits = tuple(_edit(spot.nodes[at], other) for at, other in wanted.items())
    return Change(reason, edits, ends, tuple(spot.nodes[at] for at in wanted))


def _here(spot: Spot, node: Node) -> bool:
    """Whether a layer is written in the same suite of statements, or in braces of them."""
    return node.stack == spot.stack and node.span.source is spot.statement.span.source


def _with(layer: Any, other: Other) -> Layer:
    return replace(layer, **{other.field.name: other.value})


def _edit(node: Node, other: Other) -> Edit:
    word = Binding(type(node.layer), node.span, spans={**node.places})
    return of_field(other.field, word, node.span, other.behind)


def _shapes(nodes: Sequence[Node], layers: Mapping[int, Layer]) -> list[Shape] | None:
    """All shapes with other layers at some positions; None where a layer rejects its input."""
    shapes = list[Shape]()
    for at, node in enumerate(nodes):
        inputs = tuple(shapes[i] for i in node.inputs)
        same = at not in layers and all(
            shape == nodes[i].shape for shape, i in zip(inputs, node.inputs, strict=True)
        )
        try:
            shapes.append(node.shape if same else layers.get(at, node.layer).infer(inputs))
        except Reject:
            return None
    return shapes
