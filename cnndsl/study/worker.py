"""A worker: takes a trial, proves its candidate, trains it, tells what came of it; and again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from time import monotonic
from typing import Any

from cnndsl.source import UserError
from cnndsl.study.candidate import Candidate, Rejected, candidate, check_step
from cnndsl.study.costs import measured_step
from cnndsl.study.folder import StudyFolder
from cnndsl.study.locks import FileLock
from cnndsl.study.optuna import open_journal, optuna, sampler, suggested
from cnndsl.study.plan import Plan
from cnndsl.study.quiet_room import QuietRoom
from cnndsl.study.tensorboard import HParams
from cnndsl.study.watching import OutOfTime, Pruned, Watcher
from cnndsl.training import run

_ATTEMPTS = 3  # after so many workers have died of it, a trial is given up
Say = Callable[[Any], None]


@dataclass(frozen=True)
class Claim:
    """A trial that this process works on, and that no other one may take."""

    trial: Any
    lock: FileLock
    candidate: Candidate


class Worker:
    """Works on a study until enough trials are begun, or the time is over."""

    def __init__(
        self, folder: StudyFolder, plan: Plan, until: float, say: Say, data: Any = None
    ) -> None:
        self._folder, self._plan, self._say, self._data = folder, plan, say, data
        self._until = until
        with folder.lock:
            self.study = open_journal(folder.journal, plan)
        self._room = QuietRoom(folder.path / "locks")

    def work(self) -> None:
        """Trial by trial; Interrupted where a signal came, whose trial is taken up later."""
        while not self._is_late():
            with self._folder.lock:
                claim = self._claim()
            if claim is None:
                return
            if isinstance(claim, Claim):
                try:
                    self._carry_out(claim)
                except OutOfTime:
                    return
                finally:
                    claim.lock.release()

    def _is_late(self) -> bool:
        return monotonic() > self._until

    # What to do next; the study is held meanwhile

    def _claim(self) -> "Claim | bool | None":
        """A trial to work on: one whose worker is dead, or a new one; True where it was rejected
        and another one may be asked for, None where nothing is left.
        """
        trials = self.study.get_trials(deepcopy=False)
        for frozen in (t for t in trials if t.state.name == "RUNNING"):
            lock = self._folder.trial_lock(frozen.number)
            if lock.acquire(wait=False):
                self.study.sampler = sampler(self._plan, frozen.number)
                trial = optuna().trial.Trial(self.study, frozen._trial_id)
                return self._begin(trial, lock, trials)
        if len(trials) >= self._plan.most_trials:
            return None
        self.study.sampler = sampler(self._plan, len(trials))
        trial = self.study.ask()
        lock = self._folder.trial_lock(trial.number)
        lock.acquire()
        return self._begin(trial, lock, trials)

    def _begin(self, trial: Any, lock: FileLock, trials: list[Any]) -> "Claim | bool":
        attempts = trial.user_attrs.get("attempts", 0) + 1
        try:
            if attempts > _ATTEMPTS:
                raise Rejected("failed", f"{_ATTEMPTS} workers have died of it")
            values = suggested(trial, self._plan)
            found = candidate(self._plan, values)
            same = _same(values, trial, trials)
            if same is not None:
                self._repeat(trial, same)
                lock.release()
                return True
        except Rejected as rejected:
            self._reject(trial, rejected)
            lock.release()
            return True
        trial.set_user_attr("attempts", attempts)
        trial.set_user_attr("values", values)
        return Claim(trial, lock, found)

    def _repeat(self, trial: Any, same: Any) -> None:
        """The same values have been trained: what they give is known."""
        for key in ("costs", "columns"):
            trial.set_user_attr(key, same.user_attrs[key])
        trial.set_user_attr("repeats", same.number)
        self._tell(trial, "COMPLETE", same.values)

    def _reject(self, trial: Any, rejected: Rejected) -> None:
        """Told as constraints that are broken: samplers keep away from there.

        Each bound counts for less than 1; what is invalid counts for more than all of them, as it
        is further from what can be trained.
        """
        said = {"reason": rejected.reason, "text": rejected.text, "costs": rejected.costs}
        trial.set_user_attr("rejected", said)
        limits = self._plan.space.limits
        for limit in limits:
            excess = rejected.excess.get(limit.text, 0.0)
            trial.set_constraint(limit.text, excess / (1 + excess))
        trial.set_constraint("valid", 0.0 if any(rejected.excess.values()) else 1.0 + len(limits))
        self._tell(trial, "PRUNED")

    def _tell(self, trial: Any, state: str, values: Any = None) -> None:
        self.study.tell(trial.number, values, state=optuna().trial.TrialState[state])
        self._say(self.study.get_trials(deepcopy=False)[trial.number])

    # Training

    def _carry_out(self, claim: Claim) -> None:
        trial, found = claim.trial, claim.candidate
        try:
            found = self._measured(claim.candidate)
            with self._room.busy():
                columns = self._trained(trial, found)
        except Rejected as rejected:
            with self._folder.lock:
                self._reject(trial, rejected)
            return
        except Pruned:
            with self._folder.lock:
                trial.set_user_attr("costs", dict(found.costs))
                self._tell(trial, "PRUNED")
            return
        known = {**columns, **found.costs}
        with self._folder.lock:
            trial.set_user_attr("costs", dict(found.costs))
            trial.set_user_attr("columns", columns)
            self._tell(trial, "COMPLETE", [known[goal] for goal in self._plan.goals])

    def _measured(self, found: Candidate) -> Candidate:
        """With the measured time of a step where it counts; no other worker computes meanwhile."""
        if not self._plan.times_steps:
            return found
        with self._room.alone():
            seconds = measured_step(found.model, found.recipe, found.run)
        return check_step(self._plan, found, seconds)

    def _trained(self, trial: Any, found: Candidate) -> Mapping[str, float]:
        """The row of the best epoch; Rejected where the candidate cannot be trained."""
        watcher = Watcher(trial, self._plan, self._until, self._room)
        try:
            trainer = self._trainer(self._folder.trial(trial.number), found, watcher)
            trainer.fit()
        except UserError as error:
            raise Rejected("failed", str(error).splitlines()[0], found.costs) from None
        best = watcher.best(trainer)
        undefined = [goal for goal in self._plan.goals if isnan(best.get(goal, 0.0))]
        if undefined:
            raise Rejected("failed", f"{undefined[0]} is not defined on these data", found.costs)
        return best

    def _trainer(self, path: Path, found: Candidate, watcher: Watcher) -> Any:
        shown: dict[str, Any] = {"progress": "none", "arrays": self._data, "draws": False}
        settings = found.run.settings(path, found.recipe, **shown)
        hparams = HParams(found.values, self._plan.goals)
        begin = run.resume if (path / "args.yaml").exists() else run.start
        return begin(found.model, found.recipe, settings, found.run, callbacks=[hparams, watcher])


def _same(values: Mapping[str, Any], trial: Any, trials: list[Any]) -> Any:
    """An earlier trial of the same values that was trained to its end."""
    for other in trials:
        if (
            other.state.name == "COMPLETE"
            and other.number != trial.number
            and "repeats" not in other.user_attrs
            and other.user_attrs.get("values") == dict(values)
        ):
            return other
    return None
