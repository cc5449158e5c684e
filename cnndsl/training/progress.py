"""Where a run is: all that a checkpoint must know besides the tensors."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import isnan
from typing import Any

from cnndsl.lr_schedules import Plateau
from cnndsl.recipe import Recipe, Watch

Row = dict[str, Any]


@dataclass
class Progress:
    """Epoch and step to do next, sums of the epoch so far, and what past epochs gave."""

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    tally: float = 0.0  # of the task
    seconds: float = 0.0
    rows: list[Row] = field(default_factory=list[Row])
    factor: float = 1.0  # what plateaus have left of the learning rate
    skipped: int = 0  # steps in float16 that changed nothing, in all

    @staticmethod
    def from_manifest(stored: Mapping[str, Any]) -> "Progress":
        """What `as_dict` gave, also that of earlier versions, which kept what rows tell."""
        known = {f.name for f in fields(Progress)}
        renamed = {"tally": stored["right"]} if "right" in stored else {}
        return Progress(**{k: v for k, v in stored.items() if k in known} | renamed)

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)

    def note_step(self, loss: float, tally: float, seconds: float) -> None:
        """Count one step."""
        self.step += 1
        self.loss += loss
        self.tally += tally
        self.seconds += seconds

    def means(self, recipe: Recipe) -> dict[str, float]:
        """Loss and running metric of the epoch so far."""
        mean = self.tally / (self.step * recipe.batch)
        return {"loss": self.loss / self.step, recipe.known_task().running: mean}

    def row(self, recipe: Recipe, scores: Mapping[str, float], rate: float) -> Row:
        """The epoch's row of `results.csv`: its means, the scores of validation, its last rate."""
        return {
            "epoch": self.epoch + 1,
            **{name: round(value, 6) for name, value in self.means(recipe).items()},
            **{f"val_{name}": round(value, 6) for name, value in scores.items()},
            "lr": rate,
            "seconds": round(self.seconds, 3),
            "images_per_s": round(self.step * recipe.batch / self.seconds, 1),
        }

    def note_epoch(self, row: Row, recipe: Recipe) -> bool:
        """Count one epoch; True where its weights are the best so far."""
        best = best_row(self.rows, recipe) if self.is_like_before(recipe) else None
        self.rows.append(row)
        self.epoch += 1
        self.restart_epoch()
        schedule, waited = recipe.schedule, self.waited(recipe)
        if isinstance(schedule, Plateau) and waited and waited % schedule.patience == 0:
            self.factor *= schedule.gamma
        return best is None or _is_better(row, best, recipe)

    def is_like_before(self, recipe: Recipe) -> bool:
        """Whether the epoch at hand is measured as the one before: both in int8, or neither."""
        return recipe.quantizes(self.epoch) == recipe.quantizes(self.epoch - 1)

    def restart_epoch(self) -> None:
        """Nothing of the epoch is done."""
        self.step = 0
        self.loss = self.tally = self.seconds = 0.0

    def waited(self, recipe: Recipe) -> int:
        """Epochs since what is watched became better by more than `min_delta`.

        Those in int8 are not compared with those before.
        """
        watch = _watched(recipe)
        sign = 1 if recipe.known_task().rises(watch.column) else -1
        best, since = None, 0
        for row in _alike(self.rows, recipe):
            value = sign * row[watch.column]
            better = not isnan(value) if best is None else value - best > watch.min_delta
            best, since = (value, 0) if better else (best, since + 1)
        return since

    def should_stop(self, recipe: Recipe) -> bool:
        """Whether early stopping is due; before training in int8 begins it never is."""
        waits = recipe.quantize is not None and not recipe.quantizes(self.epoch - 1)
        return recipe.stop is not None and not waits and self.waited(recipe) >= recipe.stop

    def is_over(self, recipe: Recipe) -> bool:
        """Whether all epochs are done, or as many as early stopping allows."""
        return self.epoch >= recipe.epochs or self.should_stop(recipe)


def why_stopped(recipe: Recipe) -> str:
    """What early stopping has seen, where it is due."""
    return f"no better {_watched(recipe).column} for {recipe.stop} epochs"


def _watched(recipe: Recipe) -> Watch:
    """What early stopping and plateaus wait for."""
    return recipe.watch or Watch("val_loss")


def best_row(rows: list[Row], recipe: Recipe) -> Row | None:
    """The row of the epoch whose weights are kept as the best."""
    best = None
    for row in _alike(rows, recipe):
        if best is None or _is_better(row, best, recipe):
            best = row
    return best


def _alike(rows: list[Row], recipe: Recipe) -> list[Row]:
    """The epochs that are measured as the last one: in int8, once training is."""
    if not rows or recipe.quantize is None:
        return rows
    kind = recipe.quantizes(rows[-1]["epoch"] - 1)
    return [row for row in rows if recipe.quantizes(row["epoch"] - 1) == kind]


def _is_better(row: Row, other: Row, recipe: Recipe) -> bool:
    """By the task's measure or what is watched; of equal ones, by the lower `val_loss`."""
    task = recipe.known_task()
    column = recipe.watch.column if recipe.watch else task.best
    new, old = row[column], other[column]
    if isnan(old) or isnan(new):
        return isnan(old) and not isnan(new)
    if new == old:
        return row["val_loss"] < other["val_loss"]
    return (new > old) == task.rises(column)


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
