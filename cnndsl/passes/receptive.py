"""Receptive fields: how much of the input one output position sees.

Source: Araujo et al. 2019, Computing receptive fields of convolutional neural networks, Distill.
"""

from math import ceil

from cnndsl.ir import Model, Node
from cnndsl.layers.base import POINT

Field = tuple[float, float, float, float]  # height, width, and input pixels per step of each


def receptive_fields(model: Model) -> list[tuple[int, ...]]:
    """Height and width seen by each node, at most the input; the features of a vector input."""
    if len(model.input) < 3:
        return [model.input for _ in model.nodes]
    _, height, width = model.input
    return [(min(ceil(f[0]), height), min(ceil(f[1]), width)) for f in fields(model)]


def fields(model: Model) -> list[Field]:
    """The field of each node, as if the picture went on forever; for pictures only."""
    found: list[Field] = []
    for node in model.nodes:
        found.append(_field(model, node, found))
    return found


def _field(model: Model, node: Node, before: list[Field]) -> Field:
    if not node.inputs:
        return (1, 1, 1, 1)
    window = node.layer.window(model.nodes[node.inputs[0]].shape)
    if window is POINT and len(node.inputs) == 1:
        return before[node.inputs[0]]
    seen = [before[i] for i in node.inputs]
    height, width, down, right = (max(column) for column in zip(*seen, strict=True))
    if window is None:
        rows, columns = model.input[-2:] if len(model.input) == 3 else (1, 1)
        return (rows, columns, down, right)
    (rows, columns), (sy, sx) = window.reach, window.step
    return (height + (rows - 1) * down, width + (columns - 1) * right, down * sy, right * sx)
