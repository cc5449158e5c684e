"""Start or resume a run: what `cnndsl train` and `cnndsl.train` call."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnndsl.backend.training import StepOptions, main_output
from cnndsl.backend.weights import initial_weights, read_weights
from cnndsl.data.dataset import Dataset
from cnndsl.data.registry import open_dataset
from cnndsl.ir import Model
from cnndsl.lower.driver import Plan
from cnndsl.recipe import Recipe
from cnndsl.source import UserError
from cnndsl.train import checkpoint
from cnndsl.train.callbacks import Callback, Plots, TensorBoard
from cnndsl.train.folder import RunFolder
from cnndsl.train.loop import Trainer, whole_spec
from cnndsl.train.progress import Progress
from cnndsl.train.settings import Settings


def start(
    model: Model,
    recipe: Recipe,
    settings: Settings,
    data_dir: Path | None = None,
    weights: Path | None = None,
    arguments: dict[str, Any] | None = None,
    callbacks: Sequence[Callback] = (),
) -> Trainer:
    """A fresh run, compiled and ready to `fit`."""
    data = _data(model, recipe, data_dir)
    recipe = recipe.fitted(data.counts())
    with RunFolder(settings.out) as folder:
        folder.begin(arguments or {}, model.source.text, model.used)
        first = read_weights(weights, model) if weights else initial_weights(model, recipe.seed)
        hooks = [Plots(), TensorBoard(), *callbacks]
        trainer = Trainer(model, recipe, data, settings, folder, hooks)
        trainer.prepare(first)
        return trainer


def resume(
    model: Model,
    recipe: Recipe,
    settings: Settings,
    data_dir: Path | None = None,
    force: bool = False,
    callbacks: Sequence[Callback] = (),
) -> Trainer:
    """A run from its newest checkpoint; UserError where spec, data or recipe have changed."""
    with RunFolder(settings.out) as folder:
        found = checkpoint.newest(folder.checkpoints)
        data = _data(model, recipe, data_dir)
        recipe = recipe.fitted(data.counts())
        if not force:
            _check_same(found.manifest, model, recipe, data)
        hooks = [Plots(), TensorBoard(), *callbacks]
        progress = Progress(**found.manifest["progress"])
        trainer = Trainer(model, recipe, data, settings, folder, hooks, progress)
        first = initial_weights(model, recipe.seed)
        trainer.prepare(first, _options(found.manifest["options"], recipe))
        trainer.compiled.stepper.load(trainer.compiled.step.stored(found.tensors))
        return trainer


def _options(stored: dict[str, Any], recipe: Recipe) -> StepOptions:
    plan = Plan(stored["conv"], stored["chunk_bytes"])
    soft = bool(recipe.augment.mixup)
    return StepOptions(
        recipe.batch, stored["pieces"], plan, soft, tuple(stored["mean"]), tuple(stored["std"])
    )


def _data(model: Model, recipe: Recipe, data_dir: Path | None) -> Dataset:
    if recipe.data is None:
        raise UserError("no data set is given: `--data cifar10`, or `train { data cifar10 }`")
    data = open_dataset(recipe.data, model.input, data_dir)
    outputs = model.output_shapes()[main_output(model)][0]
    if outputs != len(data.classes):
        raise UserError(
            f"{data.name} has {len(data.classes)} classes, the model {outputs} outputs\n"
            f"  end the spec with `dense {len(data.classes)}`"
        )
    return data


def _check_same(manifest: dict[str, Any], model: Model, recipe: Recipe, data: Dataset) -> None:
    now = {"spec": whole_spec(model), "data": data.name, "recipe": repr(recipe)}
    before = dict(manifest)
    changed = [key for key in now if before[key] != now[key]]
    if changed:
        shown = "\n".join(f"  {key}: was {_brief(before[key])}\n  {key}: now {_brief(now[key])}"
                          for key in changed)  # fmt: skip
        raise UserError(f"the run was made with another {', '.join(changed)}\n{shown}\n"
                        "  --force resumes all the same")  # fmt: skip


def _brief(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 300 else flat[:297] + "…"
