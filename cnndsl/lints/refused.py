"""W215: a recipe that `train` refuses, whatever the data."""

from collections.abc import Iterator

from cnndsl.lints.base import Found, Subject, lint, place_of
from cnndsl.recipe_checks import CHECKS
from cnndsl.source import UserError


@lint("W215")
def refused_recipe(s: Subject) -> Iterator[Found]:
    """Settings that exclude each other, or do not fit the model."""
    if s.recipe is None:
        return
    for setting, check in CHECKS.items():
        try:
            check(s.model, s.recipe)
        except UserError as error:
            message, _, hint = str(error).partition("\n  ")
            first = f"{setting}:0"  # of those that may be given several times
            at = place_of(s, first if first in s.recipe.places else setting)
            yield Found(message, at, hint)
