"""A model in two parts: the body gives features, the head takes them."""

from collections.abc import Collection
from dataclasses import replace

from cnndsl.ir import Model
from cnndsl.layers.input import Input
from cnndsl.source import UserError, listed

FEATURES = "features"


def body_and_head(model: Model, kept: Collection[int]) -> tuple[Model, Model]:
    """The layers below, whose one output is `features`, and those at `kept` positions, whose input
    these are; tensors keep their names.

    UserError where more than one value goes from the body to the head.
    """
    places = sorted(kept)
    read = {i for at in places for i in model.nodes[at].inputs}
    border = sorted((read | set(model.outputs.values())) - set(places))
    if len(border) != 1:
        paths = listed([model.nodes[i].path for i in border])
        raise UserError(f"{model.name}: the layers that learn read more than one of the others: "
                        f"{paths}")  # fmt: skip
    (at,) = border
    body = replace(model, nodes=model.nodes[: at + 1], outputs={FEATURES: at})
    return body, _head(model, at, places)


def _head(model: Model, at: int, kept: list[int]) -> Model:
    features = model.nodes[at].shape
    start = replace(model.nodes[0], layer=Input(features), shape=features)
    moved = {at: 0} | {i: place for place, i in enumerate(kept, 1)}
    nodes = [
        replace(node, inputs=tuple(moved[i] for i in node.inputs))
        for node in (model.nodes[i] for i in kept)
    ]
    outputs = {name: moved[i] for name, i in model.outputs.items()}
    return replace(model, nodes=(start, *nodes), outputs=outputs)
