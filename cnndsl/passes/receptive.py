"""Receptive fields: how much of the input one output position sees.

Source: Araujo et al. 2019, Computing receptive fields of convolutional neural networks, Distill.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from cnndsl.ir import Model, Node
from cnndsl.layers.base import POINT

Field = tuple[float, float, float, float]  # height, width, and input pixels per step of each


@dataclass(frozen=True)
class _Axis:
    """What a position sees along one axis: `base` pixels and, since the map was last enlarged,
    `fine` more. Neighbours are `step` pixels apart; where the map was enlarged, values come in
    cells of `grain` pixels, of which a window sees any that it touches, whole.
    """

    base: float = 1
    fine: float = 0
    step: float = 1
    grain: float = 0

    @property
    def extent(self) -> float:
        """Pixels seen, where windows lie across as many cells as they can."""
        return self.base + (ceil(self.fine / self.grain) * self.grain if self.grain else self.fine)

    def through(self, reach: float, stride: float) -> "_Axis":
        """Behind a window; a stride below 1 enlarges the map."""
        seen = replace(self, fine=self.fine + (reach - 1) * self.step, step=self.step * stride)
        if stride < 1:
            return replace(seen, base=seen.extent, fine=0, grain=max(self.grain, self.step))
        if seen.step >= seen.grain:  # the cells are behind us
            return _Axis(seen.extent, 0, seen.step)
        return seen


def receptive_fields(model: Model) -> list[tuple[int, ...]]:
    """Height and width seen by each node, at most the input; the features of a vector input."""
    if len(model.input) < 3:
        return [model.input for _ in model.nodes]
    _, height, width = model.input
    return [(min(ceil(f[0]), height), min(ceil(f[1]), width)) for f in fields(model)]


def fields(model: Model) -> list[Field]:
    """The field of each node, as if the picture went on forever; for pictures only."""
    found: list[tuple[_Axis, _Axis]] = []
    for node in model.nodes:
        found.append(_field(model, node, found))
    return [(y.extent, x.extent, y.step, x.step) for y, x in found]


def _field(model: Model, node: Node, before: list[tuple[_Axis, _Axis]]) -> tuple[_Axis, _Axis]:
    if not node.inputs:
        return _Axis(), _Axis()
    window = node.layer.window(model.nodes[node.inputs[0]].shape)
    if window is POINT and len(node.inputs) == 1:
        return before[node.inputs[0]]
    y, x = (_widest(axes) for axes in zip(*(before[i] for i in node.inputs), strict=True))
    if window is None:
        rows, columns = model.input[-2:] if len(model.input) == 3 else (1, 1)
        return _Axis(rows, 0, y.step), _Axis(columns, 0, x.step)
    return y.through(window.reach[0], window.step[0]), x.through(window.reach[1], window.step[1])


def _widest(axes: Sequence[_Axis]) -> _Axis:
    """What the branches of a merge see together."""
    parts = zip(*((a.base, a.fine, a.step, a.grain) for a in axes), strict=True)
    return _Axis(*map(max, parts))
