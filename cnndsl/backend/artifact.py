"""Training steps as files that need nothing of ours: `cnndsl compile --train`."""

import json
from typing import TYPE_CHECKING

from cnndsl.backend.inference import lines, metadata
from cnndsl.backend.pipelines import split_step, training_step
from cnndsl.backend.step import OPSET, Step, StepOptions
from cnndsl.graph.export import export
from cnndsl.ir import Model
from cnndsl.recipe import Recipe
from cnndsl.weights.base import Weights

if TYPE_CHECKING:
    from onnx import ModelProto


def step_model(
    model: Model, recipe: Recipe, options: StepOptions, weights: Weights
) -> "ModelProto":
    """The step as one model. Its state inputs have their initial values as defaults, so that the
    first run needs only `x`, `y` and `lr`; later ones get each `NAME.new` back as `NAME`.
    """
    step = training_step(model, recipe, options)
    state = step.initial_state(weights)
    return export(step.tape, model.name, OPSET, _metadata(model, step), lines(model), state)


def split_models(
    model: Model, recipe: Recipe, options: StepOptions, weights: Weights
) -> "tuple[ModelProto, ModelProto]":
    """The gradient and the update as two models, with the same defaults."""
    step, apply = split_step(model, recipe, options)
    state, entries = step.initial_state(weights), _metadata(model, step)
    first = export(step.tape, f"{model.name}.grad", OPSET, entries, lines(model), state)
    return first, export(apply, f"{model.name}.apply", OPSET, entries, defaults=state)


def _metadata(model: Model, step: Step) -> dict[str, str]:
    """Origin, and how each state tensor is turned back into ONNX's layout: read as the permuted
    `split`, undo `perm`, read as `shape`.
    """
    layouts = {
        name: {"shape": layout.shape, "split": layout.split, "perm": layout.perm}
        for name, layout in step.layouts.items()
    }
    return {**metadata(model), "cnndsl_layouts": json.dumps(layouts)}
