"""What a run in float16 tells: that a CPU gains nothing by it, and which steps it skipped."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from cnndsl.backend.loss_scale import SCALE, SKIPPED
from cnndsl.recipe import Recipe
from cnndsl.runtime.session import CPU, providers
from cnndsl.source import UserError, counted

ADVICE = "or train in float32: leave `precision` out"
LARGEST = 65504.0  # of float16
_LEAST = 1.0


def told_of_precision(recipe: Recipe, device: str) -> str | None:
    """A line before the first step, where the device has no kernels of float16."""
    if recipe.precision is None or providers(device) != [CPU]:
        return None
    return "precision fp16 is for CUDA: a CPU computes in float32, rounds, and is slower by that"


def told_of_skipped(state: Mapping[str, NDArray[Any]], before: int) -> tuple[int, str | None]:
    """All steps skipped so far, and a line where these are more than `before`.

    UserError where gradients are too large at any scale.
    """
    if SKIPPED not in state:
        return before, None
    skipped, scale = int(state[SKIPPED].item()), float(state[SCALE].item())
    if scale < _LEAST:
        raise UserError(
            f"precision fp16: gradients are no numbers even at a loss scale of {scale:.3g}\n"
            f"  lower the learning rate, add `bn`, {ADVICE}"
        )
    if skipped == before:
        return skipped, None
    told = f"{counted(skipped - before, 'step')} skipped, whose gradients left float16's range"
    return skipped, f"{told}; the loss scale is {scale:,.0f}"
