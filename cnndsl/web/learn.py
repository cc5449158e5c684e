"""The part of a page that learns: training steps, and what the script must know to run them.

Of a pretrained net the body is frozen, gives each image's features once, and the head learns on
them. A net without weights learns as a whole.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

from cnndsl.backend.artifact import inference_model, open_model, step_file
from cnndsl.backend.check import checked_bytes
from cnndsl.backend.inference import Options
from cnndsl.backend.pipelines import training_step
from cnndsl.backend.step import Step, StepOptions
from cnndsl.ir import Model
from cnndsl.losses import CrossEntropy
from cnndsl.optim import Adam
from cnndsl.passes.outputs import with_outputs
from cnndsl.passes.settings import written_settings
from cnndsl.recipe import Recipe
from cnndsl.source import UserError
from cnndsl.tasks.classification import Classification
from cnndsl.web.classify import operators, prepared_by, task_of
from cnndsl.web.cut import body, head
from cnndsl.web.page import Page
from cnndsl.weights.fit import ModelWeights
from cnndsl.weights.initial import initial_weights
from cnndsl.weights.safetensors import pack_weights

CLASSES = range(2, 11)
"""The numbers of classes that a page can learn: it has a step for each."""
BATCH = 16
BODY, ANSWER, FRESH, FROZEN = "body.onnx", "answer.onnx", "fresh.safetensors", "frozen.safetensors"
_HEAD = Recipe(epochs=100, optimizer=Adam(lr=0.01), loss=CrossEntropy(), task=Classification())
_EPOCHS = 30  # of a net that learns as a whole


@dataclass(frozen=True)
class _Lesson:
    """What a number of classes needs: the whole model, the part that learns, and its step."""

    whole: Model
    part: Model
    step: Step

    def facts(self) -> dict[str, Any]:
        """The spec, and the state of the step: how each tensor is packed, and what is beside it."""
        layouts = {
            name: {**asdict(layout), "slots": self.step.slots.get(name, ())}
            for name, layout in self.step.layouts.items()
        }
        randoms = {value.name: value.shape for value in self.step.randoms}
        return {"spec": self.whole.source.text, "state": layouts, "randoms": randoms}


def learner(model: Model, weights: ModelWeights, pretrained: bool, batch: int | None) -> Page:
    """The files of a page that trains the head of a `pretrained` model, else the whole.

    UserError for a task other than classification, and for a model whose head cannot be cut off or
    does not take another number of classes.
    """
    task = task_of(model, weights)
    if type(task) is not Classification:
        raise UserError(f"--train: a page learns a classification, not `task {task.word}`")
    weights = weights if pretrained else _centred(weights)
    recipe = _HEAD if pretrained else _recipe_of(model)
    options = StepOptions(batch or BATCH, floats=True)
    lessons = {n: _lesson(with_outputs(model, n), recipe, options, pretrained) for n in CLASSES}
    largest = lessons[CLASSES[-1]].part
    fresh = initial_weights(largest, recipe.seed)
    graphs = {f"step-{n}.onnx": step_file(each.part, each.step) for n, each in lessons.items()}
    graphs[ANSWER] = open_model(largest)
    told: dict[str, Any] = {
        "lessons": {n: lesson.facts() for n, lesson in lessons.items()},
        "input": largest.input,
        "output": model.main_output,
        "batch": options.batch,
        "rate": recipe.optimizer.lr,
        "epochs": recipe.epochs,
        "set": written_settings(model.settings),
        "used": list(model.used),
        "operators": sorted({name for graph in graphs.values() for name in operators(graph)}),
    }
    if pretrained:
        graphs[BODY] = inference_model(body(model), weights.tensors, Options(info=weights.info))
        told |= {"body": BODY, "operators": operators(graphs[BODY])}
    files = {name: checked_bytes(graph) for name, graph in graphs.items()}
    kept = {name: tensor for name, tensor in weights.tensors.items() if name not in fresh}
    files |= {FRESH: pack_weights(fresh)} | ({FROZEN: pack_weights(kept)} if kept else {})
    return Page({**prepared_by(model, weights), "learn": told}, files)


def _centred(weights: ModelWeights) -> ModelWeights:
    """Weights whose images are about 0, where nothing says how they are normalised."""
    known = weights.info.normalises
    return weights if known else replace(weights, info=weights.info.updated(mean=0.5, std=0.25))


def _lesson(whole: Model, recipe: Recipe, options: StepOptions, pretrained: bool) -> _Lesson:
    part = head(whole) if pretrained else whole
    return _Lesson(whole, part, training_step(part, recipe, options))


def _recipe_of(model: Model) -> Recipe:
    """The spec's own optimizer and clipping; what else it says is of its data."""
    own = model.recipe or Recipe()
    recipe = Recipe(optimizer=own.optimizer, clip=own.clip, seed=own.seed)
    return replace(recipe, epochs=_EPOCHS, loss=CrossEntropy(), task=Classification())
