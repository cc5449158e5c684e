"""What a run must have in common with its checkpoint, so that going on means what it says."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cnndsl.ir import Model
from cnndsl.recipe import Recipe
from cnndsl.source import UserError, counted, option
from cnndsl.training.formats import FORMAT, check_format, recipe_of_format_1
from cnndsl.training.recipe_json import from_json, to_json, whole
from cnndsl.version import version

_LINES = 12


@dataclass(frozen=True)
class Fingerprint:
    """Spec, values of its lets, data and recipe of a run.

    The data are known by their content: the same ones at another place are the same.
    """

    spec: str
    lets: str
    data: str
    recipe: Recipe

    @staticmethod
    def of(model: Model, recipe: Recipe, data: str) -> "Fingerprint":
        """That of a run; `data` is what a data set's own fingerprint says."""
        lets = " ".join(f"{name}={value}" for name, value in sorted(model.settings.items()))
        return Fingerprint(whole_spec(model), lets, data, recipe)

    @staticmethod
    def from_manifest(stored: Mapping[str, Any]) -> "Fingerprint":
        """What `as_dict` gave, also in earlier versions; UserError for a later format."""
        check_format(stored.get("format", 1), "the checkpoint")
        if "format" in stored:
            recipe = Recipe(**from_json(stored["recipe"], "the checkpoint"))
        else:
            recipe = recipe_of_format_1(stored)
        return Fingerprint(stored["spec"], stored["set"], stored["data"], recipe)

    def as_dict(self) -> dict[str, Any]:
        """For the manifest; `version` is told, not compared."""
        return {
            "format": FORMAT,
            "version": version(),
            "spec": self.spec,
            "set": self.lets,
            "data": self.data,
            "recipe": to_json(_compared(self.recipe)),
        }

    def shown(self) -> dict[str, str]:
        """All of it as it is shown where it differs."""
        recipe = {name: repr(value) for name, value in _compared(self.recipe).items()}
        return {"spec": self.spec, "set": self.lets, "data": self.data, **recipe}


def _compared(recipe: Recipe) -> dict[str, Any]:
    """The settings but the first weights, which are known by what has become of them."""
    return {name: value for name, value in whole(recipe).items() if name != "weights"}


def whole_spec(model: Model) -> str:
    """The spec's text and, behind it, the texts of the files that it uses."""
    return "\n".join(
        [model.source.text, *(f"# {name}\n{text}" for name, text in model.used.items())]
    )


def check_same(before: Fingerprint, now: Fingerprint) -> None:
    """UserError with every difference, where there is one. More epochs only extend a run."""
    was, is_ = before.shown(), now.shown()
    changed = [key for key in is_ if was[key] != is_[key]]
    if now.recipe.epochs > before.recipe.epochs:
        changed.remove("epochs")
    if changed == ["epochs"]:
        raise UserError(_fewer(before.recipe.epochs, now.recipe.epochs))
    if changed:
        shown = "\n".join(_difference(key, was[key], is_[key]) for key in changed)
        raise UserError(f"the run was made with another {', '.join(changed)}\n{shown}\n"
                        f"  {option('force', True)} resumes all the same")  # fmt: skip


def _fewer(planned: int, wanted: int) -> str:
    """That a run cannot be made shorter without a word, and how it goes on."""
    return (
        f"the run is one of {counted(planned, 'epoch')}, and {wanted} would be fewer\n"
        f"  leave {option('epochs')} out to go on to the last one, or give more to extend it\n"
        f"  {option('force', True)} ends it after epoch {wanted}, its schedule laid over these anew"
    )


def _difference(key: str, before: str, now: str) -> str:
    if "\n" not in before + now:
        return f"  {key}: was {before}\n  {key}: now {now}"
    lines = difflib.unified_diff(before.splitlines(), now.splitlines(), "was", "now", "", "", 0, "")
    shown = list(lines)[2:]
    more = [f"  {key}: … and more"] if len(shown) > _LINES else []
    return "\n".join([*(f"  {key}: {line}" for line in shown[:_LINES]), *more])
