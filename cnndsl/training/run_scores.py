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
from cnndsl.recipe import Recipe, Views
from cnndsl.recipe_checks import check_views
from cnndsl.results import Scores
from cnndsl.source import counted
from cnndsl.tasks import Task, usual
from cnndsl.training.class_names import as_learned
from cnndsl.training.evaluate import Evaluator
from cnndsl.training.opening import open_any_data
from cnndsl.training.rounding import Rounding
from cnndsl.training.run_config import read_config, read_model
from cnndsl.training.targets import fitted, read_as, resolved, tell_changes, tell_unmeasured
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
    views: Views | None = None,
) -> Opened:
    """A run's best weights with its test images, or with all images of data that are given.

    Of these, `test` is measured where they have one, or else `val`. How many images are measured,
    and which classes have none, is told on stderr. `views` are the recipe's, unless given.
    UserError where the data have other classes.
    """
    config = read_config(run)
    model = read_model(run, config)
    weights = read_weights(run / "weights" / "best.safetensors", model)
    recipe = _with_data(config.recipe_for(model), data)
    task = weights.info.task or recipe.known_task()
    found = _images(model, recipe, weights, data, data_dir or config.data_dir)
    found = as_learned(model, weights.info.classes, task, read_as(task, found))
    counts = list(config.counts or task.counts(found.train.y, found.names))
    images = sum(counts) if config.images is None else config.images
    loss = task.loss_of(recipe.loss).fitted(task.weighed(counts), images)
    recipe = replace(recipe, task=task, loss=loss)
    return _opened(model, recipe, weights, found, device, threads, views)


def open_weights(
    model: Model,
    weights: ModelWeights,
    data: str | Arrays | None = None,
    data_dir: Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    views: Views | None = None,
) -> Opened:
    """Weights of a spec with its recipe's test images, or with all images of other data.

    Images are cut and normalised as the weights' preprocessing says. UserError as `open_run`.
    """
    recipe, info = _with_data(model.recipe or Recipe(), data), weights.info
    found = _images(model, recipe, weights, data, data_dir)
    if info.classes:
        task = (info.task or recipe.task or usual()).for_loss(recipe.loss)
        found = as_learned(model, info.classes, task, read_as(task, found))
        recipe = fitted(model, replace(recipe, task=task), found)
    else:
        recipe, found = resolved(model, recipe, found)
    return _opened(model, recipe, weights, found, device, threads, views)


def _with_data(recipe: Recipe, data: str | Arrays | None) -> Recipe:
    """The recipe with the data that are given in the place of its own."""
    if data is None:
        return recipe
    return replace(recipe, data=located(data) if isinstance(data, str) else ARRAYS)


def _images(
    model: Model, recipe: Recipe, weights: ModelWeights, data: str | Arrays | None,
    data_dir: Path | None,
) -> Dataset:  # fmt: skip
    """Test images of a recipe, or all images where `data` are given, cut as the weights' were."""
    reading = Reading(arrays=None if isinstance(data, str) else data, info=weights.info)
    arranged = None if data is None else for_measuring
    return open_any_data(model, recipe, data_dir, reading, arranged)


def _opened(
    model: Model, recipe: Recipe, weights: ModelWeights, found: Dataset, device: str,
    threads: int | None, views: Views | None,
) -> Opened:  # fmt: skip
    """All of it, for a recipe with its task and loss; what is measured is told on stderr.

    Weights that were trained in int8 are measured as their run measured them, in the int8 graph.
    """
    task = recipe.known_task()
    _tell_measured(task, found)
    tell_changes(found)
    info = replace(weights.info, classes=found.names, task=None)
    options = Options(uint8=len(model.input) == 3, info=info, views=views or recipe.views)
    check_views(model, options.views)
    rounding = Rounding(model, recipe)
    if weights.info.ranges:
        rounding = Rounding.of(model, recipe, weights.tensors)
    rounded = rounding.restored(weights.tensors, weights.info)
    evaluator = Evaluator(model, recipe, options, device, threads, places=rounding.places)
    return Opened(evaluator, replace(weights, tensors=rounded), found, task)


def _tell_measured(task: Task, data: Dataset) -> None:
    part = data.part and f" ({data.part})"
    print(f"measured: {counted(len(data.test), 'picture')} of {data.name}{part}", file=sys.stderr)
    tell_unmeasured(task, data)
