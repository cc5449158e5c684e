"""The model: layers in order, with shapes, parameters, costs and places. Always whole and valid."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

from cnndsl.layers.base import Layer, Param
from cnndsl.shapes import Shape, show
from cnndsl.source import Source, Span, counted

if TYPE_CHECKING:
    from cnndsl.recipe import Recipe
    from cnndsl.space import Space


@dataclass(frozen=True)
class Frame:
    """A block call on the way to a statement: `bottleneck(c=64)` and the place of the call."""

    call: str
    span: Span


@dataclass(frozen=True)
class Node:
    """A layer in its place. `inputs` are positions in `Model.nodes`; shapes lack the batch."""

    path: str
    layer: Layer
    inputs: tuple[int, ...]
    shape: Shape
    params: tuple[Param, ...]
    macs: int
    span: Span
    stack: tuple[Frame, ...] = ()
    follows: bool = False
    """Whether the word follows another layer in its statement (`conv … relu`)."""
    statement: Span | None = None
    """The whole statement, of which `span` is the word with its own items."""
    places: Mapping[str, Span] = field(default_factory=dict[str, Span])
    """Where the layer's fields are written; those at their defaults are missing."""

    @cached_property
    def size(self) -> int:
        """Number of learned parameters."""
        return sum(prod(p.shape) for p in self.params if p.learned)

    @cached_property
    def statistics(self) -> int:
        """Number of running statistics."""
        return sum(prod(p.shape) for p in self.params if not p.learned)

    @property
    def kernels(self) -> int:
        """Number of its kernels: the parameters that weight decay is for."""
        return sum(p.decay for p in self.params)

    @property
    def text(self) -> str:
        """The word with its own items, as it is written, on one line."""
        return " ".join(self.span.text.split())

    @property
    def line(self) -> int:
        """Line of the spec."""
        return self.span.line

    @property
    def origin(self) -> str:
        """`model.cnn:3: conv 64 3x3`: where the node comes from, and its line."""
        source = self.span.source
        name = source.path.name if source.path else source.name
        return f"{name}:{self.line}: {source.line(self.line).strip()}"


@dataclass(frozen=True, repr=False)
class Model:
    """A checked network: `nodes[0]` is the input, `outputs` maps names to positions."""

    name: str
    source: Source
    nodes: tuple[Node, ...]
    outputs: Mapping[str, int]
    settings: Mapping[str, float] = field(default_factory=dict[str, float])
    recipe: "Recipe | None" = None
    used: Mapping[str, str] = field(default_factory=dict[str, str])
    """Texts of included files, by their path inside the spec's folder."""
    space: "Space | None" = None
    """What its `search` section varies."""

    def __repr__(self) -> str:
        shapes = ", ".join(map(show, self.output_shapes().values()))
        return f"{self.name}: {show(self.input)} → {shapes}, {counted(self.params, 'parameter')}"

    @property
    def input(self) -> Shape:
        """Shape of one sample."""
        return self.nodes[0].shape

    @cached_property
    def params(self) -> int:
        """Number of learned parameters, as papers count them."""
        return sum(node.size for node in self.nodes)

    @cached_property
    def statistics(self) -> int:
        """Number of running statistics (batch norm)."""
        return sum(node.statistics for node in self.nodes)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates for one sample."""
        return sum(node.macs for node in self.nodes)

    @property
    def main_output(self) -> str:
        """The output that is trained for: `output`, or the last one named."""
        return "output" if "output" in self.outputs else list(self.outputs)[-1]

    @cached_property
    def heads(self) -> frozenset[str]:
        """Paths of the layers with kernels that are the last ones before an output."""
        found, seen, left = set[str](), set[int](), list(self.outputs.values())
        while left:
            i = left.pop()
            if self.nodes[i].kernels:
                found.add(self.nodes[i].path)
            elif i not in seen:
                seen.add(i)
                left += self.nodes[i].inputs
        return frozenset(found)

    @cached_property
    def is_in_line(self) -> bool:
        """Whether the layers with tensors have one order alone: each needs the one before it."""
        needed, before = list[int](), 0  # bits of the nodes before each, with itself
        for i, node in enumerate(self.nodes):
            above = 0
            for x in node.inputs:
                above |= needed[x]
            if node.params and before & ~above:
                return False
            before = 1 << i if node.params else before
            needed.append(above | 1 << i)
        return True

    def output_shapes(self) -> dict[str, Shape]:
        """Shape of each output, by name."""
        return {name: self.nodes[i].shape for name, i in self.outputs.items()}

    def tensors(self) -> dict[str, Param]:
        """Every tensor by its name in a checkpoint: `bottleneck_2.conv_1.weight`."""
        return {f"{node.path}.{p.name}": p for node in self.nodes for p in node.params}
