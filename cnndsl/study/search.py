"""The search itself: begin a study or go on with one, with one worker or several processes."""

import subprocess
import sys
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

from cnndsl.runtime.session import providers
from cnndsl.source import UserError, either
from cnndsl.study.folder import StudyFolder
from cnndsl.study.optuna import optuna
from cnndsl.study.plan import Plan
from cnndsl.study.results import Study, print_told, study
from cnndsl.study.worker import Worker
from cnndsl.training.distributed import cores, refuse_many
from cnndsl.training.opening import open_data

_ONE_STUDY = "`cnndsl search STUDY --resume` lets all of them work on one that is there"


@dataclass(frozen=True)
class Effort:
    """How much is spent on a study now: seconds, and processes."""

    timeout: float = inf
    workers: int = 1

    def for_trials(self, most: int) -> "Effort":
        """No more workers than there are trials for."""
        return replace(self, workers=min(self.workers, most))

    @property
    def threads(self) -> int:
        """The CPU threads of each of several workers."""
        return max(1, len(cores()) // self.workers)


def begin(
    path: Path | None, plan: Plan, effort: Effort | None = None, arrays: Any = None
) -> tuple[StudyFolder, Plan]:
    """A new study, checked: spec, space, sampler, pruner, data. UserError or Failed."""
    optuna()
    refuse_many("begin a study", _ONE_STUDY)
    _check_arrays(effort, arrays)
    providers(plan.run.device)  # an error where it is not there
    plan.space  # noqa: B018  (an error of the space comes before one of the data)
    recipe, _ = open_data(plan.model, plan.recipe, plan.run.data_dir, _reading(arrays))
    task = recipe.known_task()
    plan = replace(plan, run=plan.run.changed({"task": type(task)(), "data": plan.recipe.data}))
    for goal in plan.goals:
        if goal.startswith("val_"):
            task.rises(goal)
    plan.check()
    return StudyFolder.begun(path, plan), plan


def resumed(path: Path, trials: int | None = None) -> tuple[StudyFolder, Plan]:
    """A study that is there; more or fewer `trials` are kept for all that work on it."""
    folder, plan = StudyFolder.opened(path)
    if trials is not None:
        plan = replace(plan, trials=trials)
        folder.remember(plan)
    return folder, plan


def _check_arrays(effort: Effort | None, arrays: Any) -> None:
    if arrays is not None and effort is not None and effort.workers > 1:
        raise UserError("workers: processes read their data from files; save the arrays as .npz")


def _reading(arrays: Any) -> Any:
    from cnndsl.data.decoding import Reading

    return Reading(False, "auto", arrays)


def go_on(folder: StudyFolder, plan: Plan, effort: Effort, arrays: Any = None) -> Study:
    """Work on a study until its trials are done or the time is over; what it has found.

    Trials of workers that died are taken up. Each trial is told on stderr. UserError where nothing
    that is allowed can be trained.
    """
    _check_arrays(effort, arrays)
    effort = effort.for_trials(plan.most_trials)
    providers(plan.run.device)
    until = monotonic() + effort.timeout
    if effort.workers > 1:
        _start_others(folder, plan, effort)
    worker = Worker(folder, plan, until, lambda t: print_told(folder, t, plan.goals), arrays)
    worker.work()  # what is left, of workers that died
    found = study(folder, plan, worker.study)
    _check_feasible(found)
    return found


def _start_others(folder: StudyFolder, plan: Plan, effort: Effort) -> None:
    """Several processes, to their end; a signal to this one reaches all."""
    threads = plan.run.threads or effort.threads
    command = [sys.executable, "-m", "cnndsl.study.process", str(folder.path), str(threads)]
    started = [subprocess.Popen([*command, str(effort.timeout)]) for _ in range(effort.workers)]
    try:
        for process in started:
            process.wait()
    except BaseException:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()
        raise


def _check_feasible(found: Study) -> None:
    """UserError where every candidate is rejected, or fails: then there is nothing to show."""
    if not found.trials or not all(t.state in ("rejected", "failed") for t in found.trials):
        return
    if found.counts["failed"]:
        text = next(t.text for t in found.trials if t.state == "failed")
        raise UserError(f"nothing could be trained: {found.summary()}\n  such as: {text}")
    reason = max(found.reasons, key=lambda r: found.reasons[r])
    texts = [t.text for t in found.trials if t.reason == reason]
    raise UserError(
        f"nothing can be trained: all {len(found.trials)} candidates are rejected\n"
        f"  {found.summary().partition('(')[2].rstrip(')')}; such as: {texts[0]}\n"
        f"  widen `keep` or the ranges, or give "
        f"{either('--trials', 'trials=')} more than {len(found.trials)}"
    )
