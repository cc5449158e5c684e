"""Start or resume a run: what `cnndsl train` and `cnndsl.train` call."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from typing import Any

from cnndsl.backend.places import RANGES
from cnndsl.backend.step import StepOptions
from cnndsl.data.dataset import Dataset
from cnndsl.data.registry import located
from cnndsl.ir import Model
from cnndsl.learned import check_patterns
from cnndsl.lower.driver import Plan
from cnndsl.recipe import Recipe
from cnndsl.recipe_checks import check_recipe
from cnndsl.runtime.ranks import Alone, Ranks
from cnndsl.training import checkpoint
from cnndsl.training.batches import part_size
from cnndsl.training.callbacks import Callback, Plots, TensorBoard
from cnndsl.training.compiled import usual_options
from cnndsl.training.continuation import note
from cnndsl.training.distributed import (
    check_same_on_all,
    facts_of_start,
    threads_of,
)
from cnndsl.training.exporter import Exporter
from cnndsl.training.fingerprint import Fingerprint, check_same
from cnndsl.training.first_weights import first_weights, fitted_to_data
from cnndsl.training.folder import OthersFolder, RunFolder, next_free
from cnndsl.training.formats import differences
from cnndsl.training.half import told_of_precision
from cnndsl.training.mosaics import Mosaics
from cnndsl.training.norm_parts import told_of_norms
from cnndsl.training.opening import open_shared
from cnndsl.training.progress import Progress
from cnndsl.training.run_config import RunConfig
from cnndsl.training.settings import Settings
from cnndsl.training.trainer import Trainer
from cnndsl.training.view_scores import ViewScores
from cnndsl.weights.fit import ModelWeights, fit_weights
from cnndsl.weights.model_info import ModelInfo, info_from_json


def start(
    model: Model,
    recipe: Recipe,
    settings: Settings,
    config: RunConfig | None = None,
    callbacks: Sequence[Callback] = (),
    ranks: Ranks | None = None,
) -> Trainer:
    """A fresh run, compiled and ready to `fit`; its first weights are the recipe's, or fresh.

    `config` is what the run is known by. All `ranks` call it; only the first one writes.
    """
    ranks = ranks or Alone()
    settings = _shared(settings, ranks)
    config = config or RunConfig.of(model, recipe)
    check_patterns(model, recipe)
    check_recipe(model, recipe)
    first = first_weights(model, recipe)
    reading = replace(settings.reading, ranks=ranks, info=first.info)
    recipe, data = open_shared(model, recipe, config.data_dir, reading, settings.sync_bn)
    first = fitted_to_data(first, model, recipe, data)
    check_same_on_all(ranks, lambda: facts_of_start(recipe, data, first.tensors))
    is_new = settings.out is None or not settings.out.exists()
    path = ranks.share((settings.out or next_free()) if ranks.rank == 0 else None)
    with _begun(path, _known(config, recipe, data), model, ranks) as folder:
        try:
            trainer = _trainer(model, recipe, data, settings, folder, callbacks, ranks)
            _begin(trainer, first)
        except Exception:
            if is_new and ranks.rank == 0:  # a start that is refused leaves nothing
                rmtree(path, ignore_errors=True)
            raise
        return trainer


def _trainer(
    model: Model, recipe: Recipe, data: Dataset, settings: Settings, folder: RunFolder,
    callbacks: Sequence[Callback], ranks: Ranks,
) -> Trainer:  # fmt: skip
    extras: list[Callback] = (
        [Plots(), Mosaics(), Exporter(), ViewScores()] if settings.draws else []
    )
    hooks = [*extras, TensorBoard(), *callbacks] if ranks.rank == 0 else []
    known = None if ranks.rank else Fingerprint.of(model, recipe, data.fingerprint())
    known = ranks.share(known)  # all images are read for it once
    return Trainer(model, recipe, data, settings, folder, known, hooks, ranks=ranks)


def _begun(path: Path, config: RunConfig, model: Model, ranks: Ranks) -> RunFolder:
    if ranks.rank:
        return OthersFolder(path)
    return RunFolder.begun(path, config.written(), model.source.text, model.used)


def _shared(settings: Settings, ranks: Ranks) -> Settings:
    """The settings of a rank: a share of the machine's cores; only the first one shows."""
    if ranks.size == 1:
        return settings
    shown = settings.progress if ranks.rank == 0 else "none"
    return replace(settings, threads=settings.threads or threads_of(ranks), progress=shown)


def _begin(trainer: Trainer, first: ModelWeights) -> None:
    """From the first step; images are normalised as the weights tell."""
    settings, info = trainer.settings, first.info
    options = usual_options(trainer.recipe, settings, info.mean, info.std, trainer.ranks.size)
    trainer.prepare(first.tensors, options, calibrates=settings.micro_batches is None)
    told = told_of_precision(trainer.recipe, settings.device)
    notes = _told_of_norms(trainer), trainer.steps.rounding.told(), told
    trainer.note = "\n".join(filter(None, notes)) or None


def _told_of_norms(t: Trainer) -> str | None:
    return told_of_norms(t.model, t.recipe, t.compiled.stepper, t.ranks)


def resume(
    model: Model,
    recipe: Recipe,
    settings: Settings,
    config: RunConfig | None = None,
    force: bool = False,
    callbacks: Sequence[Callback] = (),
    ranks: Ranks | None = None,
) -> Trainer:
    """The run in `settings.out` from its newest checkpoint.

    UserError where spec, data or recipe changed, unless by `force`; more epochs extend the run.
    `config` is what it is known by from then on, if all goes well. One that was stopped before its
    first checkpoint starts from the beginning.
    """
    assert settings.out is not None
    path, ranks = settings.out, ranks or Alone()
    settings = _shared(settings, ranks)
    config = config or RunConfig.of(model, recipe)
    with RunFolder(path) if ranks.rank == 0 else OthersFolder(path) as folder:
        found = ranks.share(_newest(folder) if ranks.rank == 0 else None)
        start = first_weights(model, recipe if found is None else replace(recipe, weights=None))
        info = start.info if found is None else _preprocessing(found)
        reading = replace(settings.reading, ranks=ranks, info=info)
        recipe, data = open_shared(model, recipe, config.data_dir, reading, settings.sync_bn)
        known = _known(config, recipe, data)
        trainer = _trainer(model, recipe, data, settings, folder, callbacks, ranks)
        start = fitted_to_data(start, model, recipe, data) if found is None else start
        check_same_on_all(ranks, lambda: facts_of_start(recipe, data, start.tensors))
        if found is None:
            _begin(trainer, start)
            folder.remember(known.written())
            return trainer
        before, now = Fingerprint.from_manifest(found.manifest), trainer.fingerprint
        if not force:
            check_same(before, now)
        trainer.progress = Progress.from_manifest(found.manifest["progress"])
        if (before.recipe.batch, before.data) != (recipe.batch, now.data):
            trainer.progress.restart_epoch()
        stored = dict(start.tensors) | found.weights()
        ranges = {n: stored.pop(n) for n in (RANGES,) if n in stored}
        first = fit_weights(stored, model, f"the run in {folder.path}") | ranges
        trainer.steps.phase = found.manifest["options"].get("phase", 0)
        first = trainer.prepare(first, _options(found.manifest["options"], recipe, ranks))
        trainer.compiled.go_on(first, found.tensors)
        notes = (
            _told_of_norms(trainer),
            told_of_precision(recipe, settings.device),
            differences(found.manifest),
            note(recipe, trainer.progress, trainer.batches.steps, before.recipe.epochs),
        )
        trainer.note = "\n".join(filter(None, notes)) or None
        folder.remember(known.written())
        return trainer


def _preprocessing(found: checkpoint.Checkpoint) -> ModelInfo:
    """How image files are cut; earlier versions did not tell, and did it the usual way."""
    return info_from_json(found.manifest["options"].get("preprocessing", ""), "the checkpoint")


def _newest(folder: RunFolder) -> checkpoint.Checkpoint | None:
    """The newest checkpoint; None where there has never been one."""
    return checkpoint.newest(folder.checkpoints) if checkpoint.any_in(folder.checkpoints) else None


def _known(config: RunConfig, recipe: Recipe, data: Dataset) -> RunConfig:
    """The record with the data's name and what it keeps of the training targets."""
    counts = recipe.known_task().counts(data.train.y, data.names)
    file = {"weights": recipe.weights.at_home()} if recipe.weights else {}
    return replace(
        config,
        recipe={**config.recipe, **file},
        data=recipe.data and located(recipe.data),
        counts=tuple(counts),
        images=len(data.train),
    )


def _options(stored: dict[str, Any], recipe: Recipe, ranks: Ranks) -> StepOptions:
    plan = Plan(stored["conv"])
    soft, part = bool(recipe.augment.mixup), part_size(recipe, ranks.size)
    count = stored.get("micro_batches") or stored["pieces"]  # its name in older checkpoints
    replicas = stored.get("replicas", 1)
    if part % (count * replicas):
        count = replicas = 1
    mean, std = tuple(stored["mean"]), tuple(stored["std"])
    return StepOptions(part, count, plan, soft, mean, std, replicas=replicas)
