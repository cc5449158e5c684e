"""How good a compiled model is: the metric of its task, and how far its outputs are from others."""

from dataclasses import dataclass
from math import isfinite, nan
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnndsl.data.dataset import Split
from cnndsl.runtime.predict import Predictor, open_predictor
from cnndsl.source import UserError
from cnndsl.tasks import Task

if TYPE_CHECKING:
    from onnx import ModelProto

_IMAGES = 32  # at once
COMPARED = 64
"""Images on which outputs are compared."""


@dataclass(frozen=True)
class Judge:
    """Measures models by a task; `names` are those of its targets."""

    task: Task
    names: tuple[str, ...]

    def metric(self, model: "ModelProto", split: Split) -> float:
        """The task's own measure over a split. UserError where there is nothing to measure."""
        predictor = open_predictor(model, "cpu")
        shape = _outputs(predictor, split.x[:1]).shape[1:]
        meter = self.task.of_answers().meter(shape, self.names)
        for start in range(0, len(split), _IMAGES):
            part = slice(start, start + _IMAGES)
            meter.add(predictor.logits(_outputs(predictor, split.x[part])), split.y[part])
        value = meter.scores(nan).columns()[self.task.measure]
        if not isfinite(value):
            raise UserError(f"{self.task.measure} cannot be measured on {len(split)} images")
        return value

    def lost(self, before: float, after: float) -> float:
        """Points of the metric that are lost; of an error, by how many percent it is larger."""
        if self.task.measure in self.task.rising:
            return 100 * (before - after)
        return 100 * (after - before) / max(abs(before), 1e-12)

    @property
    def unit(self) -> str:
        """What `lost` counts."""
        return "points" if self.task.measure in self.task.rising else "percent"


def first_outputs(model: "ModelProto", split: Split) -> NDArray[np.float64]:
    """The main outputs for the first images of a split, to be compared with those of others."""
    x = split.x[:COMPARED]
    predictor = open_predictor(model, "cpu")
    parts = [_outputs(predictor, x[i : i + _IMAGES]) for i in range(0, len(x), _IMAGES)]
    return np.concatenate(parts).astype(np.float64)


def distance(outputs: NDArray[np.float64], exact: NDArray[np.float64]) -> float:
    """Root mean square of the difference, relative to that of the exact outputs."""
    return float(np.sqrt(np.square(outputs - exact).mean() / max(np.square(exact).mean(), 1e-30)))


def _outputs(predictor: Predictor, x: NDArray[np.uint8]) -> NDArray[np.float32]:
    return predictor.main(predictor.run(predictor.stored(x)))
