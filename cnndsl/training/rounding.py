"""Training in int8: what a run rounds, from which epoch on, and by which ranges."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cnndsl.backend.places import RANGES, Places
from cnndsl.backend.step import StepOptions
from cnndsl.ir import Model
from cnndsl.quantize.trained import measured, places_of
from cnndsl.recipe import Recipe
from cnndsl.source import UserError, listed
from cnndsl.weights.base import Weights
from cnndsl.weights.model_info import ModelInfo

_NONE = Places((), {}, {})


@dataclass(frozen=True)
class Rounding:
    """Of one run; nothing is rounded where its recipe does not say `quantize`."""

    model: Model
    recipe: Recipe
    places: Places = field(default_factory=lambda: _NONE)

    @staticmethod
    def of(model: Model, recipe: Recipe, weights: Weights) -> "Rounding":
        """UserError where there is nothing to round."""
        if recipe.quantize is None:
            return Rounding(model, recipe)
        places = places_of(model, weights)
        if not places.weights:
            raise UserError("quantize: no layer has an int8 form; leave `quantize` out")
        return Rounding(model, recipe, places)

    def options(self, options: StepOptions, weights: Weights, epoch: int) -> StepOptions:
        """How the step of an epoch is made, for weights that are `ranged`."""
        if not self.recipe.quantizes(epoch):
            return replace(options, places=None)
        held = {RANGES: weights[RANGES]} if self.recipe.holds_ranges(epoch) else {}
        return replace(options, places=self.places, frozen={**options.frozen, **held})

    def ranged(
        self, weights: Weights, epoch: int, info: ModelInfo, images: NDArray[np.uint8]
    ) -> Weights:
        """Weights with ranges, where an epoch rounds: their own, or else those that images give."""
        if not self.recipe.quantizes(epoch):
            return bare(weights)
        if RANGES in weights:
            return weights
        return {**weights, RANGES: measured(self.model, weights, self.places, info, images)}

    def described(self, info: ModelInfo, weights: Weights) -> ModelInfo:
        """The info of a file that keeps weights: the ranges that they have, by name."""
        if RANGES not in weights:
            return replace(info, ranges={})
        pairs = zip(self.places.activations, weights[RANGES].tolist(), strict=True)
        return replace(info, ranges={name: (low, high) for name, (low, high) in pairs})

    def restored(self, weights: Weights, info: ModelInfo) -> Weights:
        """Weights of a file, with the ranges that `info` holds."""
        names = self.places.activations
        if not names or not info.ranges.keys() >= {*names}:
            return weights
        return {**weights, RANGES: np.array([info.ranges[name] for name in names], np.float32)}

    def told(self) -> str | None:
        """What is said before the first step."""
        if not self.places.in_float:
            return None
        return f"in float32, as they have no int8 form: {listed(self.places.in_float)}"


def bare(weights: Weights) -> Weights:
    """Weights without ranges."""
    return {name: array for name, array in weights.items() if name != RANGES}
