"""What a search sees of a run: its epochs are reported, it may be pruned, its time may be over."""

from collections.abc import Mapping
from time import monotonic
from typing import Any

from cnndsl.study.plan import Plan
from cnndsl.study.quiet_room import QuietRoom
from cnndsl.training.callbacks import Callback
from cnndsl.training.progress import best_row

_OF_NO_METRIC = ("epoch", "lr", "seconds", "images_per_s")


class Pruned(Exception):  # noqa: N818  (read as: the trial was pruned)
    """A trial is worse than others were at this epoch."""


class OutOfTime(Exception):  # noqa: N818
    """The time of the search is over; the run goes on from its checkpoint another time."""


class Watcher(Callback):
    """The callback of a trial."""

    def __init__(self, trial: Any, plan: Plan, until: float, room: QuietRoom) -> None:
        self._trial, self._plan, self._until, self._room = trial, plan, until, room

    def on_step(self, run: Any, loss: float) -> None:
        """Let another worker measure alone, if one waits."""
        if self._plan.times_steps:
            self._room.pause()

    def on_epoch(self, run: Any, row: dict[str, Any]) -> None:
        """Report the epoch; a run that was taken up has reported its first ones already."""
        is_over = run.progress.is_over(run.recipe)
        if len(self._plan.goals) == 1 and self._plan.goals[0] in row:
            known = self._trial.storage.get_trial(self._trial._trial_id).intermediate_values
            if row["epoch"] not in known:
                self._trial.report(row[self._plan.goals[0]], row["epoch"])
            if self._trial.should_prune() and not is_over:
                raise Pruned
        if monotonic() > self._until and not is_over:
            raise OutOfTime

    def best(self, run: Any) -> Mapping[str, float]:
        """The metrics of the epoch whose weights are kept."""
        row = best_row(run.progress.rows, run.recipe) or {}
        return {name: value for name, value in row.items() if name not in _OF_NO_METRIC}
