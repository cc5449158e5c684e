"""Weights of vectors that were images: from the order H·W·C of other frameworks to C·H·W."""

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.ir import Model, Node
from cnndsl.layers.conv import Conv
from cnndsl.layers.dense import Dense, Flatten
from cnndsl.layers.merge import Concat
from cnndsl.layers.rearrange import Reshape
from cnndsl.shapes import Shape
from cnndsl.source import UserError

Places = NDArray[np.intp]
"""For each position of a vector of ours, where it stands in theirs."""


def channels_first(tensors: Mapping[str, NDArray[Any]], model: Model) -> dict[str, NDArray[Any]]:
    """The tensors as the model takes them: inputs of `dense` behind a `flatten`, and what lies
    between; outputs of `dense` before a `reshape` to an image. UserError for what cannot be turned.
    """
    found, behind = dict(tensors), _behind_flatten(model)
    for node in model.nodes:
        if isinstance(node.layer, Conv) and _is_whole(node, tensors):
            found |= _convolution(node, tensors)
        elif node.params and (places := behind.get(node.inputs[0])) is not None:
            axis = 1 if isinstance(node.layer, Dense) else 0
            found |= _taken(node, found, places, axis)
    for node, places in _before_reshape(model):
        found |= _taken(node, found, places, 0)
    return found


def _image(shape: Shape) -> Places:
    channels, height, width = shape
    there = np.arange(prod(shape)).reshape(height, width, channels)
    return there.transpose(2, 0, 1).ravel()


def _taken(
    node: Node, tensors: Mapping[str, NDArray[Any]], places: Places, axis: int
) -> dict[str, NDArray[Any]]:
    """A layer's tensors with that axis in our order; of a bias, which has no second one, nothing.

    What does not fit is refused later, where all tensors are compared.
    """
    names = [f"{node.path}.{p.name}" for p in node.params if len(p.shape) > axis]
    return {
        name: tensors[name].take(places, axis)
        for name in names
        if name in tensors
        and tensors[name].ndim > axis
        and tensors[name].shape[axis] == places.size
    }


def _behind_flatten(model: Model) -> dict[int, Places]:
    """Nodes that make vectors of flattened images, or keep their positions."""
    found = dict[int, Places]()
    for i, node in enumerate(model.nodes[1:], 1):
        shape = model.nodes[node.inputs[0]].shape
        if isinstance(node.layer, Flatten | Reshape) and len(shape) == 3 and len(node.shape) == 1:
            found[i] = _image(shape)
        elif isinstance(node.layer, Concat) and any(j in found for j in node.inputs):
            found[i] = _joined([(found.get(j), model.nodes[j].shape[0]) for j in node.inputs])
        elif node.inputs[0] in found and not isinstance(node.layer, Dense | Reshape):
            found[i] = found[node.inputs[0]]
    return found


def _joined(parts: list[tuple[Places | None, int]]) -> Places:
    starts = np.cumsum([0, *(size for _, size in parts)])
    return np.concatenate([
        (np.arange(size) if places is None else places) + start
        for (places, size), start in zip(parts, starts, strict=False)
    ])  # fmt: skip


def _before_reshape(model: Model) -> Iterator[tuple[Node, Places]]:
    """The layers with weights whose vectors a `reshape` makes images of."""
    for node in model.nodes:
        if not isinstance(node.layer, Reshape) or prod(node.shape[1:]) == 1:
            continue
        before = model.nodes[node.inputs[0]]
        if prod(before.shape[1:]) != 1:
            raise UserError(
                f"`{node.path}` reshapes an image, whose channels come last in the file"
            )
        places = _image(node.shape)
        while not isinstance(before.layer, Dense):
            if len(before.inputs) != 1 or before.shape != (places.size,):
                raise UserError(f"`{node.path}`: channels come last in the file, and what it "
                                "reshapes is not an output of `dense`")  # fmt: skip
            yield before, places
            before = model.nodes[before.inputs[0]]
        yield before, places


def _is_whole(node: Node, tensors: Mapping[str, NDArray[Any]]) -> bool:
    """Whether a convolution takes the weights of a dense layer behind a flattened image."""
    weight = tensors.get(f"{node.path}.weight")
    return weight is not None and weight.ndim == 2


def _convolution(node: Node, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    name = f"{node.path}.weight"
    (shape,) = (p.shape for p in node.params if p.name == "weight")
    places = _image((shape[1], shape[2], shape[3]))
    fits = tensors[name].shape[1] == places.size
    return {name: tensors[name].take(places, 1)} if fits else {}
