"""Formats of what a run folder keeps, `args.yaml` and the manifests of checkpoints.

A run goes on under a later version of cnndsl where its format is known. Where results of a run
that goes on would differ from those of the version that began it, `DIFFERENCES` says so: a change
of that kind needs a new format.
"""

import ast
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from warnings import catch_warnings

from cnndsl.finetune import Weights
from cnndsl.passes.analyse import recipe_of
from cnndsl.passes.settings import parse_settings
from cnndsl.recipe import CHOSEN, PLAIN, Recipe
from cnndsl.setting_values import settings_of
from cnndsl.source import UserError
from cnndsl.tasks import registry
from cnndsl.training.recipe_json import whole

FORMAT = 2
DIFFERENCES = {
    2: "of epochs that are equal, the one with the lower val_loss is the best; it was the first\n"
    "  several dropout layers draw other masks where the batch is cut into micro-batches",
}
"""What each format brings that the run before it would not have done."""

_WORDS = ("optimizer", "schedule", "loss", "augment")
_CLASSES: dict[str, Any] = {
    cls.__name__: cls for kinds in (PLAIN, *CHOSEN.values()) for cls in kinds.values()
}


def check_format(number: Any, origin: str) -> None:
    """UserError for a format that only a later version knows."""
    if not isinstance(number, int) or number > FORMAT:
        raise UserError(
            f"{origin} is of format {number}, this cnndsl knows up to {FORMAT}\n"
            "  take the version of cnndsl that wrote it, or a later one"
        )


def differences(manifest: Mapping[str, Any]) -> str | None:
    """What is said where a run of an earlier format goes on; None where nothing differs."""
    told = [text for number, text in DIFFERENCES.items() if number > manifest.get("format", 1)]
    if not told:
        return None
    begun = f"the run was begun by cnndsl {manifest.get('version', '0.1')}; from here on:"
    return "\n".join([begun, *(f"  {text}" for text in told)])


def from_format_1(stored: Mapping[str, Any]) -> dict[str, Any]:
    """`args.yaml` of version 0.1: a recipe as text, or options by name beside the spec's recipe."""
    values = {name: value for name, value in stored.items() if value is not None}
    lets, file = parse_settings(values.pop("set", ())), values.pop("weights", None)
    recipe: dict[str, Any] = {"weights": Weights(file)} if file else {}
    if "recipe" in values:
        recipe = whole(recipe_of(values["recipe"], "args.yaml")) | recipe
        return {**values, "set": lets, "recipe": recipe}
    recipe |= {name: values.pop(name) for name in ("epochs", "batch", "seed") if name in values}
    words = {name: values.pop(name) for name in _WORDS if name in values}
    recipe |= settings_of(words, "args.yaml")
    if "task" in values:
        recipe["task"] = registry[values.pop("task")]()
    return {**values, "set": lets, "recipe": recipe}


def recipe_of_format_1(manifest: Mapping[str, Any]) -> Recipe:
    """The recipe of a manifest of version 0.1, which keeps each setting as Python shows it.

    Settings that it had not are as they were without them.
    """
    known = whole(Recipe())
    found = {name: _value(text) for name, text in manifest.items() if name in known}
    return replace(Recipe(task=registry["classification"]()), **found)


def _value(text: str) -> Any:
    """`Sgd(lr=0.1, nesterov='nesterov')` or a plain value; the text where it is neither."""
    try:
        call = ast.parse(text, mode="eval").body
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
            return ast.literal_eval(call)
        named = {str(key.arg): ast.literal_eval(key.value) for key in call.keywords}
        with catch_warnings(action="ignore", category=DeprecationWarning):
            return _CLASSES[call.func.id](**named)
    except (SyntaxError, ValueError, TypeError, KeyError):
        return text
