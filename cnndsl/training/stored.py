"""What a run folder says of the run: how it was started, its spec, its recipe, its scores."""

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any, cast

from cnndsl.backend.inference import Options
from cnndsl.data.arrays import Arrays
from cnndsl.data.dataset import Dataset
from cnndsl.data.decoding import Reading
from cnndsl.data.registry import ARRAYS, located
from cnndsl.data.splits import for_measuring
from cnndsl.finetune import Freeze, Weights
from cnndsl.ir import Model
from cnndsl.passes.analyse import analyse, recipe_of
from cnndsl.passes.includes import read
from cnndsl.passes.settings import parse_settings
from cnndsl.python_args import changed
from cnndsl.recipe import Recipe
from cnndsl.results import Scores
from cnndsl.source import Failed, UserError
from cnndsl.tasks import Task, registry
from cnndsl.training.class_names import as_learned
from cnndsl.training.evaluate import Evaluator
from cnndsl.training.run import open_any_data
from cnndsl.training.targets import read_as, tell_changes, tell_unmeasured
from cnndsl.weights.fit import read_weights

WORDS = ("optimizer", "schedule", "loss", "augment")
"""Options of `cnndsl train` that say a setting as a spec does."""
_PLAIN = ("task", "epochs", "batch", "seed", "lr")
_WEIGHTS = ("weights", "fresh", "name_map", "preprocess")


def stored_arguments(run: Path) -> dict[str, Any]:
    """What a run was started with: the lines `key: JSON` of its args.yaml."""
    try:
        lines = (run / "args.yaml").read_text(encoding="utf-8").splitlines()
        return {
            key: json.loads(value)
            for key, _, value in (line.partition(": ") for line in lines if line)
        }
    except (OSError, ValueError):
        raise UserError(f"{run}: is no run folder (args.yaml cannot be read)") from None


def stored_model(run: Path, stored: dict[str, Any]) -> Model:
    """The spec of a run under its settings, by the name that it had."""
    model, found = analyse(read(run / "model.cnn"), parse_settings(stored.get("set", ())))
    if model is None:
        raise Failed(found)
    return replace(model, name=Path(stored.get("file") or "model.cnn").stem)


def stored_recipe(stored: dict[str, Any], model: Model) -> Recipe:
    """A run's recipe: that of `cnndsl.train`, or its spec's under the options of the command."""
    if "recipe" in stored:
        recipe = recipe_of(stored["recipe"], "args.yaml")
        recipe = replace(recipe, data=stored.get("data"))
        return replace(recipe, weights=weights_of(recipe, stored))
    return under_options(model.recipe or Recipe(), stored)


def known_by_recipe(recipe: Recipe) -> dict[str, Any]:
    """What `args.yaml` keeps of a recipe that the options of a command do not make."""
    return {"recipe": recipe.written(), **dict.fromkeys((*_PLAIN, *WORDS, "freeze"))}


def under_options(recipe: Recipe, options: Mapping[str, Any]) -> Recipe:
    """A recipe under `data task epochs batch seed lr` and settings in a spec's words.

    None, or not there: as it is. Data that are a file are known by their whole path.
    """
    given = {k: v for k, v in options.items() if v is not None}
    for name in (name for name in WORDS if name in given):
        recipe = changed(recipe, {name: given[name]}, f"--{name}")
    if not isfinite(given.get("lr", 0)):
        raise UserError(f"lr: {given['lr']} is no learning rate")
    changes = {k: given[k] for k in ("data", "epochs", "batch", "seed") if k in given}
    if "task" in given:
        changes["task"] = registry[given["task"]]()
    recipe = replace(recipe, **changes)
    recipe = replace(recipe, data=recipe.data and located(recipe.data))
    if given.get("freeze"):
        recipe = replace(recipe, freeze=(Freeze(tuple(given["freeze"])),))
    recipe = replace(recipe, weights=weights_of(recipe, given))
    if "lr" in given:
        optimizer: Any = replace(cast(Any, recipe.optimizer), lr=given["lr"])  # a dataclass
        recipe = replace(recipe, optimizer=optimizer)
    return recipe


def weights_of(recipe: Recipe, options: Mapping[str, Any]) -> Weights | None:
    """The file that a run starts from, under `weights fresh map preprocess`."""
    given = {key: options[key] for key in _WEIGHTS if options.get(key)}
    named = given.pop("weights", None)
    before = Weights(str(named)) if named else recipe.weights
    if before is None and given:
        option = next(iter(given)).removeprefix("name_")
        raise UserError(f"--{option} says something of --weights, and there are none")
    given |= {"fresh": tuple(given["fresh"])} if "fresh" in given else {}
    given |= {"name_map": str(given["name_map"])} if "name_map" in given else {}
    return before and replace(before, **given)


def known_weights(recipe: Recipe) -> dict[str, Any]:
    """What `args.yaml` keeps of the weights that a run starts from."""
    chosen = recipe.weights
    if chosen is None:
        return dict.fromkeys(_WEIGHTS)
    name_map = chosen.name_map and str(Path(chosen.name_map).resolve())
    return {
        "weights": str(Path(chosen.file).resolve()), "fresh": list(chosen.fresh),
        "name_map": name_map, "preprocess": chosen.preprocess,
    }  # fmt: skip


def scored(
    run: Path,
    data: str | Arrays | None = None,
    data_dir: Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    mirror: bool = False,
) -> Scores:
    """What a run's best weights do on its test images, or on all images of data that are given.

    Of these, `test` is measured where they have one, or else `val`. How many images are measured,
    and which classes have none, is told on stderr. UserError where the data have other classes.
    """
    stored = stored_arguments(run)
    model = stored_model(run, stored)
    recipe = stored_recipe(stored, model)
    reading = Reading(arrays=None if isinstance(data, str) else data)
    if data is not None:
        recipe = replace(recipe, data=located(data) if isinstance(data, str) else ARRAYS)
    folder = data_dir or (stored.get("data_dir") and Path(stored["data_dir"]))
    weights = read_weights(run / "weights" / "best.safetensors", model)
    task = weights.info.task or recipe.known_task()
    arranged = None if data is None else for_measuring
    found = read_as(task, open_any_data(model, recipe, folder, reading, arranged))
    found = as_learned(model, weights.info.classes, task, found)
    _tell_measured(task, found)
    tell_changes(found, recipe)
    info = replace(weights.info, classes=found.names, task=None)
    options = Options(uint8=len(model.input) == 3, info=info)
    counts = stored.get("counts") or task.counts(found.train.y, found.names)
    loss = task.loss_of(recipe.loss).fitted(task.weighed(counts), stored.get("images", sum(counts)))
    recipe = replace(recipe, task=task, loss=loss)
    return Evaluator(model, recipe, options, device, threads, mirror).score(
        weights.tensors, found.test
    )


def _tell_measured(task: Task, data: Dataset) -> None:
    pictures = "picture" if len(data.test) == 1 else "pictures"
    part = data.part and f" ({data.part})"
    print(f"measured: {len(data.test):,} {pictures} of {data.name}{part}", file=sys.stderr)
    tell_unmeasured(task, data)
