"""A model cut before its last weighted layer: the body gives features, the head learns on them."""

from dataclasses import replace

from cnndsl.ir import Model
from cnndsl.layers.input import Input
from cnndsl.source import UserError


def body(model: Model) -> Model:
    """All layers below the head, with the one output `features`."""
    at = model.nodes[_way(model)[0]].inputs[0]
    return replace(model, nodes=model.nodes[: at + 1], outputs={"features": at})


def head(model: Model) -> Model:
    """The last weighted layer on the way to the main output and those behind it, which take the
    body's features as their input; tensors keep their names.
    """
    way = _way(model)
    features = model.nodes[model.nodes[way[0]].inputs[0]].shape
    start = replace(model.nodes[0], layer=Input(features), shape=features)
    rest = [replace(model.nodes[i], inputs=(at,)) for at, i in enumerate(way)]
    return replace(model, nodes=(start, *rest), outputs={model.main_output: len(rest)})


def _way(model: Model) -> list[int]:
    """Places from the last weighted layer to the main output, each the only input of the next."""
    way = [model.outputs[model.main_output]]
    while not model.nodes[way[0]].kernels:
        inputs = model.nodes[way[0]].inputs
        if len(inputs) != 1:
            raise UserError(
                f"{model.name}: branches meet behind its last layer with weights: there is no head"
                " to train alone\n  end the spec with `gap; dense N`"
            )
        way.insert(0, inputs[0])
    return way
