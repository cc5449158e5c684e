"""A study as people look at it: its trials, the best, the front of two numbers, counts, a table."""

import shlex
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnndsl.data.registry import located
from cnndsl.passes.settings import written_settings
from cnndsl.recipe import Recipe
from cnndsl.report.units import mib, short
from cnndsl.space import Value
from cnndsl.study.folder import StudyFolder
from cnndsl.study.optuna import direction, open_journal
from cnndsl.study.plan import Plan
from cnndsl.training.run_config import RunConfig, read_config

if TYPE_CHECKING:
    from rich.table import Table

_OPTIONS = ("optimizer", "schedule", "loss", "augment", "epochs", "batch", "seed")
_SHOWN = 10  # trials in the table
_STATES = {"RUNNING": "running", "COMPLETE": "trained", "PRUNED": "pruned", "FAIL": "failed"}


@dataclass(frozen=True)
class Trial:
    """One candidate: what was chosen, what it costs, what came of it.

    `state` is `trained`, `pruned`, `rejected`, `repeated`, `failed` or `running`; `metrics` are
    those of its best epoch; `reason` and `text` say why it was rejected, `text` also where pruned.
    """

    number: int
    state: str
    params: Mapping[str, Value]
    costs: Mapping[str, float]
    metrics: Mapping[str, float]
    folder: Path
    reason: str = ""
    text: str = ""

    def value(self, name: str) -> float | None:
        """A metric or a cost; None where it is not known."""
        return self.metrics.get(name, self.costs.get(name))


@dataclass(frozen=True, eq=False)
class Study:
    """What a search has found so far. `best.folder` is a run folder like any other."""

    folder: Path
    goals: tuple[str, ...]
    rising: tuple[bool, ...]
    trials: tuple[Trial, ...]
    optuna: Any = field(repr=False)
    """Optuna's own study, for its importances and plots."""

    def __repr__(self) -> str:
        best = f"; best: {told(self.best, self.goals)}" if self.best else ""
        return f"<Study {self.folder}: {self.summary()}{best}>"

    @property
    def trained(self) -> list[Trial]:
        """The trials that were trained to their end, the best first."""
        found = [t for t in self.trials if t.state == "trained"]
        return sorted(found, key=self._rank)

    @property
    def best(self) -> Trial | None:
        """The best by the (first) goal; None while nothing is trained."""
        return next(iter(self.trained), None)

    @property
    def front(self) -> list[Trial]:
        """Of two goals, the trials that no other beats in both; of one, the best alone."""
        if len(self.goals) == 1:
            return self.trained[:1]
        return front(self.trained, self._costs)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many trials ended how."""
        return Counter(t.state for t in self.trials)

    @property
    def reasons(self) -> Mapping[str, int]:
        """How many were rejected for what."""
        return Counter(t.reason for t in self.trials if t.state == "rejected")

    def _rank(self, trial: Trial) -> tuple[float, float, int]:
        """By the first goal; of equal ones the cheaper is the better."""
        return self._cost(trial, 0), trial.costs.get("macs", 0.0), trial.number

    def _costs(self, trial: Trial) -> list[float]:
        return [self._cost(trial, i) for i in range(len(self.goals))]

    def _cost(self, trial: Trial, i: int) -> float:
        """A goal as a number of which less is better."""
        value = trial.value(self.goals[i])
        assert value is not None
        return -value if self.rising[i] else value

    def as_dict(self) -> dict[str, Any]:
        """The JSON form (docs/search.md)."""
        best = self.best
        return {
            "schema_version": 1,
            "study": str(self.folder),
            "goals": list(self.goals),
            "counts": dict(self.counts),
            "rejected": dict(self.reasons),
            "best": best and best.number,
            "front": [t.number for t in self.front],
            "trials": [_trial_dict(t) for t in self.trials],
        }

    def summary(self) -> str:
        """How many trials ended how, in a line."""
        said = f"{len(self.trials)} trials: "
        parts = [f"{n} {state}" for state, n in sorted(self.counts.items(), key=lambda x: -x[1])]
        why = ", ".join(f"{reason} {n}" for reason, n in sorted(self.reasons.items()))
        return said + ", ".join(parts) + (f" (rejected: {why})" if why else "")

    def table(self, most: int = _SHOWN) -> "Table":
        """The best trials, a row each."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        out = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        heads = [*self.goals, *(c for c in ("params", "macs") if c not in self.goals)]
        for head in ("trial", *heads):
            out.add_column(head, justify="right", no_wrap=True)
        out.add_column("chosen", overflow="fold")
        front = {t.number for t in self.front}
        for t in self.trained[:most]:
            mark = "*" if t.number in front else ""
            cells = (shown(head, t.value(head)) for head in heads)
            out.add_row(f"{mark}{t.number}", *cells, written(t.params))
        return out


def retraining(best: Trial, plan: Plan) -> list[str]:
    """The command that trains a candidate anew; none where there is no option for a setting."""
    run = read_config(best.folder)
    varied = {p.setting for p in plan.space.parameters if p.name in best.params and not p.is_let}
    if not varied <= {*_OPTIONS}:
        return []
    said = varied | (plan.run.recipe.keys() & {*_OPTIONS})  # by the search itself, or for all
    recipe = replace(Recipe(), **{name: run.recipe[name] for name in said})
    words = [*("--set " + pair for pair in written_settings(run.lets)), *_data(run, plan)]
    for name in sorted(said):
        value = recipe.setting(name).partition(" ")[2]
        words.append(f"--{name} {shlex.quote(value)}")
    return [f"train {shlex.quote(run.file)} {' '.join(words)}"]


def _data(run: RunConfig, plan: Plan) -> list[str]:
    """The data, where the spec has others or none, and where they lie."""
    spec = plan.model.recipe and plan.model.recipe.data
    is_own = run.data is None or (spec is not None and located(spec) == run.data)
    words = [] if is_own else [f"--data {shlex.quote(run.data or '')}"]
    return [*words, f"--data-dir {shlex.quote(str(run.data_dir))}"] if run.data_dir else words


def front(trials: Iterable[Trial], costs: Callable[[Trial], list[float]]) -> list[Trial]:
    """Those that no other is at least as good as in all `costs`, and better in one."""
    kept = list[Trial]()
    for trial in sorted(trials, key=lambda t: (costs(t), t.number)):
        mine = costs(trial)
        if not any(all(a <= b for a, b in zip(costs(k), mine, strict=True)) for k in kept):
            kept.append(trial)
    return kept


def shown(name: str, value: float | None) -> str:
    """A metric or a cost as the table has it."""
    if value is None:
        return "-"
    if name == "memory":
        return mib(int(value))
    if name == "step":
        return f"{value * 1e3:.3g} ms"
    return short(value) if name in ("params", "macs") else f"{value:.4f}"


def written(values: Mapping[str, Value]) -> str:
    """`width=16 optimizer.lr=0.01`."""
    return " ".join(f"{name}={text(value)}" for name, value in values.items())


def text(value: Value) -> str:
    """A value as a spec has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) and " " in value else f"{value}"


def _trial_dict(trial: Trial) -> dict[str, Any]:
    known = vars(trial) | {"folder": str(trial.folder) if trial.folder.exists() else None}
    return {key: value for key, value in known.items() if value not in ("", None)}


def study(folder: StudyFolder, plan: Plan, journal: Any = None) -> Study:
    """All that the journal of a study holds."""
    found = journal or open_journal(folder.journal, plan)
    trials = tuple(trial(folder, t) for t in found.get_trials(deepcopy=False))
    rising = tuple(direction(plan, goal) == "maximize" for goal in plan.goals)
    return Study(folder.path, plan.goals, rising, trials, found)


def trial(folder: StudyFolder, frozen: Any) -> Trial:
    """A trial of Optuna's as ours."""
    known = frozen.user_attrs
    rejected = known.get("rejected", {})
    state = _STATES[frozen.state.name]
    if rejected:
        state = "failed" if rejected["reason"] == "failed" else "rejected"
    if "repeats" in known:
        state = "repeated"
    return Trial(
        frozen.number, state, known.get("values", frozen.params),
        known.get("costs", rejected.get("costs", {})), known.get("columns", {}),
        folder.trial(known.get("repeats", frozen.number)),
        rejected.get("reason", ""), rejected.get("text") or _pruned(frozen, state),
    )  # fmt: skip


def _pruned(frozen: Any, state: str) -> str:
    """`at epoch 1 with 0.4300`: the goal's value there."""
    if state != "pruned" or not frozen.intermediate_values:
        return ""
    epoch, value = max(frozen.intermediate_values.items())
    return f"at epoch {epoch} with {value:.4f}"


def print_told(folder: StudyFolder, frozen: Any, goals: Sequence[str]) -> None:
    """Tell of a trial that ended, on stderr; rejected ones are counted only."""
    found = trial(folder, frozen)
    if found.state != "rejected":
        print(told(found, goals), file=sys.stderr, flush=True)


def told(found: Trial, goals: Sequence[str]) -> str:
    """A line of a trial that ended."""
    at = f"trial {found.number:<4}"
    if found.state in ("rejected", "failed"):
        return f"{at} {found.state}: {found.text}"
    numbers = [f"{g} {shown(g, found.value(g))}" for g in goals if found.value(g) is not None]
    costs = [f"{c} {shown(c, found.costs.get(c))}" for c in ("params", "macs") if c not in goals]
    first = (
        " ".join(numbers) if found.state == "trained" else f"{found.state} {found.text}".rstrip()
    )
    return f"{at} {first}  {' '.join(costs)}  {written(found.params)}"
