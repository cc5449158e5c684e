"""A model cut before its last weighted layer: the body gives features, the head learns on them."""

from dataclasses import replace

from cnndsl.ir import Model
from cnndsl.model_parts import body_and_head
from cnndsl.source import UserError


def body(model: Model) -> Model:
    """All layers below the head, with the one output `features`."""
    return _parts(model)[0]


def head(model: Model) -> Model:
    """The last weighted layer on the way to the main output and those behind it, which take the
    body's features as their input; tensors keep their names.
    """
    return _parts(model)[1]


def _parts(model: Model) -> tuple[Model, Model]:
    main = {model.main_output: model.outputs[model.main_output]}
    return body_and_head(replace(model, outputs=main), _way(model))


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
