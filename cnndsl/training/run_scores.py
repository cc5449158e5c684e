"""Scores of a finished run: its best weights on its test images, or on other data."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from cnndsl.backend.inference import Options
from cnndsl.data.arrays import Arrays
from cnndsl.data.dataset import Dataset
from cnndsl.data.decoding import Reading
from cnndsl.data.registry import ARRAYS, located
from cnndsl.data.splits import for_measuring
from cnndsl.ir import Model
from cnndsl.recipe import Recipe
from cnndsl.results import Scores
from cnndsl.tasks import Task, usual
from cnndsl.training.class_names import as_learned
from cnndsl.training.evaluate import Evaluator
from cnndsl.training.run import open_any_data
from cnndsl.training.run_config import read_config, read_model
from cnndsl.training.targets import read_as, resolved, tell_changes, tell_unmeasured
from cnndsl.weights.fit import ModelWeights, read_weights


@dataclass(frozen=True, eq=False)
class Opened:
    """Weights, what measures them, and the data to measure on."""

    evaluator: Evaluator
    weights: ModelWeights
    data: Dataset
    task: Task

    def scores(self) -> Scores:
        """Of all test images."""
        return self.evaluator.score(self.weights.tensors, self.data.test)


def open_run(
    run: Path,
    data: str | Arrays | None = None,
    data_dir: Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    mirror: bool = False,
) -> Opened:
    """A run's best weights with its test images, or with all images of data that are given.

    Of these, `test` is measured where they have one, or else `val`. How many images are measured,
    and which classes have none, is told on stderr. UserError where the data have other classes.
    """
    config = read_config(run)
    model = read_model(run, config)
    recipe = config.recipe_for(model)
    reading = Reading(arrays=None if isinstance(data, str) else data)
    if data is not None:
        recipe = replace(recipe, data=located(data) if isinstance(data, str) else ARRAYS)
    folder = data_dir or config.data_dir
    weights = read_weights(run / "weights" / "best.safetensors", model)
    task = weights.info.task or recipe.known_task()
    arranged = None if data is None else for_measuring
    found = read_as(task, open_any_data(model, recipe, folder, reading, arranged))
    found = as_learned(model, weights.info.classes, task, found)
    _tell_measured(task, found)
    tell_changes(found, recipe)
    info = replace(weights.info, classes=found.names, task=None)
    options = Options(uint8=len(model.input) == 3, info=info)
    counts = list(config.counts or task.counts(found.train.y, found.names))
    images = sum(counts) if config.images is None else config.images
    loss = task.loss_of(recipe.loss).fitted(task.weighed(counts), images)
    recipe = replace(recipe, task=task, loss=loss)
    evaluator = Evaluator(model, recipe, options, device, threads, mirror)
    return Opened(evaluator, weights, found, task)


def open_weights(
    model: Model,
    weights: ModelWeights,
    data: str | Arrays | None = None,
    data_dir: Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    mirror: bool = False,
) -> Opened:
    """Weights of a spec with its recipe's test images, or with all images of other data.

    Images are cut and normalised as the weights' preprocessing says. UserError as `open_run`.
    """
    recipe, info = model.recipe or Recipe(), weights.info
    reading = Reading(
        arrays=None if isinstance(data, str) else data, crop=info.crop, resample=info.resample
    )
    if data is not None:
        recipe = replace(recipe, data=located(data) if isinstance(data, str) else ARRAYS)
    found = open_any_data(model, recipe, data_dir, reading, None if data is None else for_measuring)
    if info.classes:
        task = info.task or recipe.task or usual()
        found = as_learned(model, info.classes, task, read_as(task, found))
        recipe = replace(recipe, task=task)
    recipe, found = resolved(model, recipe, found)
    _tell_measured(recipe.known_task(), found)
    tell_changes(found, recipe)
    named = replace(info, classes=found.names, task=None)
    options = Options(uint8=len(model.input) == 3, info=named)
    evaluator = Evaluator(model, recipe, options, device, threads, mirror)
    return Opened(evaluator, weights, found, recipe.known_task())


def _tell_measured(task: Task, data: Dataset) -> None:
    pictures = "picture" if len(data.test) == 1 else "pictures"
    part = data.part and f" ({data.part})"
    print(f"measured: {len(data.test):,} {pictures} of {data.name}{part}", file=sys.stderr)
    tell_unmeasured(task, data)
