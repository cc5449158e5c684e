"""Where a run is: all that a checkpoint must know besides the tensors."""

import sys
from dataclasses import asdict, dataclass, field
from typing import Any

from cnndsl.lr_schedules import Plateau
from cnndsl.recipe import Recipe


@dataclass
class Progress:
    """Epoch and step to do next, sums of the epoch so far, and what past epochs gave."""

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    right: float = 0.0
    seconds: float = 0.0
    rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    best: float = -1.0
    waited: int = 0  # epochs without a better val_loss
    lowest: float = sys.float_info.max  # JSON has no infinity
    factor: float = 1.0  # what plateaus have left of the learning rate

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)

    def note_step(self, loss: float, right: float, seconds: float) -> None:
        """Count one step."""
        self.step += 1
        self.loss += loss
        self.right += right
        self.seconds += seconds

    def note_epoch(self, row: dict[str, Any], recipe: Recipe) -> bool:
        """Count one epoch; True where its weights are the best so far."""
        self.rows.append(row)
        self.epoch += 1
        self.restart_epoch()
        self._watch(row["val_loss"], recipe)
        better = row["val_accuracy"] > self.best
        self.best = max(self.best, row["val_accuracy"])
        return better

    def restart_epoch(self) -> None:
        """Nothing of the epoch is done."""
        self.step = 0
        self.loss = self.right = self.seconds = 0.0

    def _watch(self, val_loss: float, recipe: Recipe) -> None:
        self.waited = 0 if val_loss < self.lowest else self.waited + 1
        self.lowest = min(self.lowest, val_loss)
        schedule = recipe.schedule
        if isinstance(schedule, Plateau) and self.waited and self.waited % schedule.patience == 0:
            self.factor *= schedule.gamma

    def should_stop(self, recipe: Recipe) -> bool:
        """Whether early stopping is due."""
        return recipe.stop is not None and self.waited >= recipe.stop

    def is_over(self, recipe: Recipe) -> bool:
        """Whether all epochs are done, or as many as early stopping allows."""
        return self.epoch >= recipe.epochs or self.should_stop(recipe)


def learning_rate(recipe: Recipe, progress: Progress, step: int, steps: int) -> float:
    """The optimizer's rate times the schedule's factor, warm-up and plateaus included.

    For a step of the epoch at hand, which has so many `steps`.
    """
    done = progress.epoch * steps + step
    epoch = done / steps
    schedule = recipe.schedule
    factor = schedule.factor(done / (steps * recipe.epochs), epoch) * progress.factor
    if epoch < schedule.warmup:
        factor *= min(1.0, (done + 1) / (schedule.warmup * steps))
    return recipe.optimizer.lr * factor
