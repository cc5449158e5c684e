"""The part of a page that answers: the inference graph, and how its images are prepared."""

from typing import TYPE_CHECKING, Any

from cnndsl.backend.artifact import inference_model
from cnndsl.backend.check import checked_bytes
from cnndsl.backend.inference import Options
from cnndsl.ir import Model
from cnndsl.source import UserError
from cnndsl.tasks import Task, task_for
from cnndsl.web.page import Page
from cnndsl.weights.fit import ModelWeights

if TYPE_CHECKING:
    from onnx import ModelProto

MODEL = "model.onnx"
SHOWN = ("classification", "binary", "multilabel", "regression", "segmentation")
"""Tasks whose answers the page can show."""


def classifier(model: Model, weights: ModelWeights, options: Options) -> Page:
    """The page of a model with these weights. UserError for a task that no page shows, and for a
    model that takes no images.
    """
    task = task_of(model, weights)
    if task.word not in SHOWN:
        raise UserError(f"`task {task.word}` has no page; these have: {', '.join(SHOWN)}")
    options.check(model)
    graph = inference_model(model, weights.tensors, options)
    answers: dict[str, Any] = {
        "file": MODEL,
        "output": model.main_output,
        "outputs": model.output_shapes()[model.main_output],
        "classes": weights.info.classes,
        "task": task.facts(),
        "operators": operators(graph),
    }
    return Page({**prepared_by(model, weights), "model": answers}, {MODEL: checked_bytes(graph)})


def prepared_by(model: Model, weights: ModelWeights) -> dict[str, Any]:
    """The net's name, and how an image file becomes its input. UserError where none can."""
    if len(model.input) != 3 or model.input[0] not in (1, 3):
        shown = "x".join(map(str, model.input))
        raise UserError(f"a page shows images of 1 or 3 channels to the net, and it takes {shown}")
    info = weights.info
    return {
        "name": model.name, "input": model.input, "mean": info.mean, "std": info.std,
        "crop": info.crop, "resample": info.resample,
    }  # fmt: skip


def operators(graph: "ModelProto") -> list[str]:
    """The operators of a graph, each once: the page tells which of them WebGPU does not have."""
    return sorted({node.op_type for node in graph.graph.node})


def task_of(model: Model, weights: ModelWeights) -> Task:
    """What weights, recipe or output say that is learned."""
    recipe = model.recipe
    known = weights.info.task or (recipe and recipe.task)
    return known or task_for(model.output_shapes()[model.main_output], recipe and recipe.loss)
