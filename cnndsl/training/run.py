"""Start or resume a run: what `cnndsl train` and `cnndsl.train` call."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Any

from cnndsl.backend.step import StepOptions
from cnndsl.data.dataset import Dataset, Parts
from cnndsl.data.decoding import USUAL, Reading
from cnndsl.data.registry import open_dataset
from cnndsl.data.splits import for_training
from cnndsl.ir import Model
from cnndsl.learned import check_patterns, frozen, learned_count, phases
from cnndsl.lower.driver import Plan
from cnndsl.recipe import Recipe
from cnndsl.source import UserError, option
from cnndsl.training import checkpoint
from cnndsl.training.callbacks import Callback, Plots, TensorBoard
from cnndsl.training.continuation import note
from cnndsl.training.fingerprint import check_same, fingerprint, planned_epochs
from cnndsl.training.folder import RunFolder, next_free
from cnndsl.training.memory import check_weights
from cnndsl.training.mosaics import Mosaics
from cnndsl.training.progress import Progress
from cnndsl.training.settings import Settings
from cnndsl.training.targets import resolved, tell_changes, tell_unmeasured
from cnndsl.training.trainer import Trainer
from cnndsl.weights.fit import ModelWeights, fit_weights, weights_named
from cnndsl.weights.initial import initial_weights
from cnndsl.weights.model_info import GROUNDS, ModelInfo


def start(
    model: Model,
    recipe: Recipe,
    settings: Settings,
    data_dir: Path | None = None,
    arguments: dict[str, Any] | None = None,
    callbacks: Sequence[Callback] = (),
) -> Trainer:
    """A fresh run, compiled and ready to `fit`; its first weights are the recipe's, or fresh."""
    recipe, data = open_data(model, recipe, data_dir, settings.reading)
    _check_recipe(recipe, data)
    _check_learning(model, recipe)
    first = _first_weights(model, recipe)
    is_new = settings.out is None or not settings.out.exists()
    path = settings.out or next_free()
    said = {**(arguments or {}), **_known(recipe, data)}
    with RunFolder.begun(path, said, model.source.text, model.used) as folder:
        try:
            trainer = _trainer(model, recipe, data, settings, folder, callbacks)
            _begin(trainer, first)
        except Exception:
            if is_new:  # a start that is refused leaves nothing
                rmtree(path, ignore_errors=True)
            raise
        return trainer


def _trainer(
    model: Model, recipe: Recipe, data: Dataset, settings: Settings, folder: RunFolder,
    callbacks: Sequence[Callback],
) -> Trainer:  # fmt: skip
    hooks = [Plots(), Mosaics(), TensorBoard(), *callbacks]
    return Trainer(model, recipe, data, settings, folder, hooks)


def _first_weights(model: Model, recipe: Recipe) -> ModelWeights:
    check_weights(model)
    if recipe.weights is None:
        return ModelWeights(initial_weights(model, recipe.seed), ModelInfo())
    return weights_named(model, recipe.weights, recipe.seed)


def _begin(trainer: Trainer, first: ModelWeights) -> None:
    """From the first step; images are normalised as those were that the weights come from."""
    trainer.preprocessing = first.info if first.info.normalises else None
    trainer.prepare(first.tensors)


def _check_learning(model: Model, recipe: Recipe) -> None:
    """UserError for patterns that name nothing, and epochs in which nothing learns."""
    check_patterns(model, recipe)
    for epoch in phases(recipe):
        if not learned_count(model, frozen(model, recipe, epoch)):
            when = f" from epoch {epoch} on" if epoch else ""
            raise UserError(f"freeze: nothing learns{when}; leave some layers out: `freeze body`")


def resume(
    model: Model,
    recipe: Recipe,
    settings: Settings,
    data_dir: Path | None = None,
    force: bool = False,
    callbacks: Sequence[Callback] = (),
    arguments: dict[str, Any] | None = None,
) -> Trainer:
    """The run in `settings.out` from its newest checkpoint.

    UserError where version, spec, data or recipe changed, unless by `force`; more epochs extend
    the run. `arguments` are what it is known by from then on. One that was stopped before its
    first checkpoint starts from the beginning.
    """
    assert settings.out is not None
    with RunFolder(settings.out) as folder:
        recipe, data = open_data(model, recipe, data_dir, settings.reading)
        _check_recipe(recipe, data)
        said = arguments and {**arguments, **_known(recipe, data)}
        trainer = _trainer(model, recipe, data, settings, folder, callbacks)
        if not checkpoint.any_in(folder.checkpoints):
            _begin(trainer, _first_weights(model, recipe))
            folder.remember(said)
            return trainer
        found = checkpoint.newest(folder.checkpoints)
        now = fingerprint(model, recipe, data)
        if not force:
            check_same(found.manifest, now)
        trainer.progress = Progress.from_manifest(found.manifest["progress"])
        if any(found.manifest.get(key) != now[key] for key in ("batch", "data")):
            trainer.progress.restart_epoch()
        first = dict(initial_weights(model, recipe.seed)) | found.weights()
        first = fit_weights(first, model, f"the run in {folder.path}")
        trainer.phase = found.manifest["options"].get("phase", 0)
        trainer.prepare(first, _options(found.manifest["options"], recipe))
        step = trainer.compiled.step
        state = step.from_packed(
            step.initial_state(first)
        )  # an optimizer that is new starts afresh
        state |= {name: array for name, array in found.tensors.items() if name in state}
        trainer.compiled.stepper.load(step.to_packed(state))
        planned = planned_epochs(found.manifest)
        trainer.note = note(recipe, trainer.progress, trainer.batches.steps, planned)
        folder.remember(said)
        return trainer


def _known(recipe: Recipe, data: Dataset) -> dict[str, Any]:
    """What `args.yaml` keeps of the training targets: other data are measured by the same loss."""
    counts = recipe.known_task().counts(data.train.y, data.names)
    return {"counts": counts, "images": len(data.train)}


def _check_recipe(recipe: Recipe, data: Dataset) -> None:
    """UserError for a recipe that these pictures are too few or too small for."""
    if recipe.batch > len(data.train):
        raise UserError(
            f"{len(data.train)} training pictures fill no batch of {recipe.batch}\n"
            f"  {option('batch', len(data.train))}, or `batch {len(data.train)}`, is the most"
        )
    side = max(data.train.x.shape[2:])
    for word in ("crop", "cutout"):
        if getattr(recipe.augment, word) > 2 * side:
            raise UserError(
                f"`{word}={getattr(recipe.augment, word)}` is more than twice the pictures' side\n"
                f"  usual are {max(1, side // 8)} to {max(1, side // 4)} for pictures of {side}"
            )


def _options(stored: dict[str, Any], recipe: Recipe) -> StepOptions:
    plan = Plan(stored["conv"])
    soft = bool(recipe.augment.mixup)
    count = stored.get("micro_batches") or stored["pieces"]  # its name in older checkpoints
    count = count if recipe.batch % count == 0 else 1
    return StepOptions(recipe.batch, count, plan, soft, tuple(stored["mean"]), tuple(stored["std"]))


def open_data(
    model: Model, recipe: Recipe, data_dir: Path | None = None, reading: Reading = USUAL
) -> tuple[Recipe, Dataset]:
    """The recipe with its task and loss, and its data set; UserError where these do not fit."""
    recipe, data = resolved(model, recipe, open_any_data(model, recipe, data_dir, reading))
    tell_unmeasured(recipe.known_task(), data)
    tell_changes(data, recipe)
    return recipe, data


def open_any_data(
    model: Model,
    recipe: Recipe,
    data_dir: Path | None = None,
    reading: Reading = USUAL,
    arranged: Callable[[Parts], Dataset] | None = None,
) -> Dataset:
    """The recipe's data set, whatever its targets are; split as it says, unless `arranged`."""
    if recipe.data is None:
        raise UserError(
            f"no data set is given: `{option('data', 'cifar10')}`, or `train {{ data cifar10 }}`"
        )
    reading = replace(reading, ground=GROUNDS[recipe.ground or "white"])
    return open_dataset(recipe.data, model.input, data_dir, reading, arranged or _split(recipe))


def _split(recipe: Recipe) -> Callable[[Parts], Dataset]:
    """Training and test images, held out as the recipe says."""
    if recipe.holdout is None:
        return for_training
    return partial(for_training, share=recipe.holdout.share, seed=recipe.holdout.seed)
