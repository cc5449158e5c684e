"""Receptive fields: how much of the input one output position sees.

Source: Araujo et al. 2019, Computing receptive fields of convolutional neural networks, Distill.
"""

from math import ceil

from cnndsl.ir import Model, Node

Field = tuple[float, float, float, float]  # height, width, and input pixels per step of each


def receptive_fields(model: Model) -> list[tuple[int, ...]]:
    """Height and width seen by each node, at most the input; the features of a vector input."""
    if len(model.input) < 3:
        return [model.input for _ in model.nodes]
    _, height, width = model.input
    return [(min(ceil(f[0]), height), min(ceil(f[1]), width)) for f in _fields(model)]


def steps(model: Model) -> list[tuple[float, float]]:
    """Pixels of the picture from one position of each node's input to the next, down and right."""
    fields = _fields(model)
    firsts = [node.inputs[0] if node.inputs else 0 for node in model.nodes]
    return [(fields[i][2], fields[i][3]) for i in firsts]


def _fields(model: Model) -> list[Field]:
    fields: list[Field] = []
    for node in model.nodes:
        fields.append(_field(model, node, fields))
    return fields


def _field(model: Model, node: Node, fields: list[Field]) -> Field:
    if not node.inputs:
        return (1, 1, 1, 1)
    seen = [fields[i] for i in node.inputs]
    height, width, down, right = (max(column) for column in zip(*seen, strict=True))
    window = node.layer.window(model.nodes[node.inputs[0]].shape)
    if window is None:
        rows, columns = model.input[-2:] if len(model.input) == 3 else (1, 1)
        return (rows, columns, down, right)
    (rows, columns), (sy, sx) = window.reach, window.step
    return (height + (rows - 1) * down, width + (columns - 1) * right, down * sy, right * sx)
