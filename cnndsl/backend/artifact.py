"""Graphs as files that need nothing of ours: inference, and the training step."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cnndsl.backend.inference import Options, open_tape
from cnndsl.backend.pipelines import inference_state, split_step, training_step
from cnndsl.backend.step import OPSET, Step, StepOptions
from cnndsl.backend.why import why
from cnndsl.graph.export import export
from cnndsl.ir import Model
from cnndsl.recipe import Recipe
from cnndsl.version import LANGUAGE, version
from cnndsl.weights.base import Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

_ALGORITHMS = "cnndsl_algorithms"
WHY = "cnndsl_why"
"""Entry of a model with a heat map: the layer whose image is weighed."""


def inference_model(model: Model, weights: Weights, options: Options) -> "ModelProto":
    """The ONNX model; its metadata hold the source text, the version and the settings.

    A float input takes pictures that are normalised already: the metadata say how they are. Where
    convolutions are computed by other algorithms than ONNX's, they say which (`algorithms_of`).
    """
    state = inference_state(model, weights, options)
    entries = _origin(model) | options.info.onnx_metadata()
    if state.algorithms:
        entries[_ALGORITHMS] = json.dumps(dict(state.algorithms))
    return export(state.tape, model.name, options.opset, entries, lines(model))


def why_model(model: Model, weights: Weights, options: Options) -> "ModelProto":
    """Images → `probabilities` and `heat`, of a fixed batch; see `cnndsl.backend.why`."""
    found = why(model, weights, options)
    entries = _origin(model) | options.info.onnx_metadata() | {WHY: found.layer}
    return export(found.tape, model.name, options.opset, entries, lines(model))


def algorithms_of(graph: "ModelProto") -> dict[str, str]:
    """The algorithm of each convolution of an optimized graph that is not ONNX's own, by path."""
    found = [p.value for p in graph.metadata_props if p.key == _ALGORITHMS]
    return json.loads(found[0]) if found else {}


def step_model(
    model: Model, recipe: Recipe, options: StepOptions, weights: Weights
) -> "ModelProto":
    """The step as one model. Its state inputs have their initial values as defaults, so that the
    first run needs only `x`, `y` and `lr`; later ones get each `NAME.new` back as `NAME`.
    """
    step = training_step(model, recipe, options)
    return step_file(model, step, step.initial_state(weights))


def step_file(
    model: Model, step: Step, state: "Mapping[str, NDArray[Any]] | None" = None
) -> "ModelProto":
    """A step as a model; without `state` its inputs have no defaults, and all must be fed."""
    return export(step.tape, model.name, OPSET, _step_metadata(model, step), lines(model), state)


def open_model(model: Model, opset: int = OPSET) -> "ModelProto":
    """The inference graph whose weights are inputs by their names, in ONNX's layout.

    It answers with weights as they are after any step.
    """
    return export(open_tape(model), model.name, opset, _origin(model), lines(model))


def split_models(
    model: Model, recipe: Recipe, options: StepOptions, weights: Weights
) -> "tuple[ModelProto, ModelProto]":
    """The gradient and the update as two models, with the same defaults."""
    step, apply = split_step(model, recipe, options)
    state, entries = step.initial_state(weights), _step_metadata(model, step)
    first = export(step.tape, f"{model.name}.grad", OPSET, entries, lines(model), state)
    return first, export(apply, f"{model.name}.apply", OPSET, entries, defaults=state)


def _origin(model: Model) -> dict[str, str]:
    """What the ONNX file says of its origin."""
    used = {"cnndsl_used": json.dumps(dict(model.used))} if model.used else {}
    return {
        "cnndsl_version": version(),
        "cnndsl_language": str(LANGUAGE),
        "cnndsl_source": model.source.text,
        **used,
        "cnndsl_settings": json.dumps(dict(model.settings), sort_keys=True),
        "cnndsl_input": json.dumps(list(model.input)),
    }


def lines(model: Model) -> dict[int, str]:
    """The origin of each line that has a layer, of the spec itself."""
    return {node.line: node.origin for node in model.nodes if node.span.source is model.source}


def _step_metadata(model: Model, step: Step) -> dict[str, str]:
    """Origin, and how each state tensor is turned back into ONNX's layout: read as the permuted
    `split`, undo `perm`, read as `shape`.
    """
    layouts = {
        name: {"shape": layout.shape, "split": layout.split, "perm": layout.perm}
        for name, layout in step.layouts.items()
    }
    return {**_origin(model), "cnndsl_layouts": json.dumps(layouts)}
