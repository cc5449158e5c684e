"""What a study is: the spec, what of it stays as it is, what is varied, and how it is trained."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from math import sqrt
from typing import Any, cast

from cnndsl.ir import Model
from cnndsl.passes.analyse import analyse
from cnndsl.passes.search import holds
from cnndsl.passes.search_setting import field_of
from cnndsl.passes.values import shown
from cnndsl.recipe import CHOSEN, Recipe
from cnndsl.source import Failed, Source, UserError
from cnndsl.space import Choices, Parameter, Range, Space, Value
from cnndsl.training.run_config import RunConfig

_MOST = 100_000  # candidates that are counted
SAMPLERS = ("tpe", "random", "grid", "nsga2")
PRUNERS = ("median", "hyperband", "none")


@dataclass(frozen=True)
class Plan:
    """A study. `run` is what all its runs have in common."""

    source: Source
    run: RunConfig
    vary: tuple[str, ...] = ()
    trials: int | None = None
    sampler: str | None = None
    pruner: str | None = None
    seed: int = 0

    @cached_property
    def model(self) -> Model:
        """The spec as it is written; Failed with its diagnostics."""
        varied = [Source("\n".join(self.vary), "--vary")] if self.vary else []
        model, found = analyse(self.source, self.run.lets, varied)
        if model is None:
            raise Failed(found)
        return model

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe of the spec as it is written, under what is given."""
        return self.run.recipe_for(self.model)

    @cached_property
    def space(self) -> Space:
        """What is varied, without what `--set` says; UserError where that is nothing."""
        found = (self.model.space or Space()).without(self.run.lets)
        if not found.parameters:
            raise UserError(
                f"{self.source.name}: nothing is varied\n"
                "  write `search { width 16 to 64 }` in the spec, or give --vary 'width 16 to 64'"
            )
        return found

    @cached_property
    def goals(self) -> tuple[str, ...]:
        """What is looked for; unsaid, the measure by which the task chooses its best epoch."""
        if self.space.goals:
            return self.space.goals
        return (self.recipe.watch.column if self.recipe.watch else self.recipe.known_task().best,)

    @cached_property
    def times_steps(self) -> bool:
        """Whether the time of a step is bounded or looked for."""
        return "step" in (*self.goals, *(limit.measure for limit in self.space.limits))

    @cached_property
    def count(self) -> int | None:
        """How many candidates there are; None where they lie dense, or are too many to count."""
        if any(p.domain.count is None for p in self.space.parameters):
            return None
        found = sum(1 for _ in islice(self._every(0, {}), _MOST + 1))
        return None if found > _MOST else found

    def _every(self, i: int, values: dict[str, Value]) -> Iterator[dict[str, Value]]:
        if i == len(self.space.parameters):
            yield values
            return
        parameter = self.space.parameters[i]
        if not self.is_active(parameter, values):
            yield from self._every(i + 1, values)
            return
        for value in _values(parameter.domain):
            yield from self._every(i + 1, values | {parameter.name: value})

    def is_active(self, parameter: Parameter, values: Mapping[str, Value]) -> bool:
        """Whether a parameter is varied where those above it have these values."""
        condition = parameter.condition
        if condition is not None and not holds(condition, values, self._by_name):
            return False
        if not parameter.key or parameter.setting not in CHOSEN:
            return True
        chosen = values.get(parameter.setting)
        cls = _class(parameter.setting, chosen) if chosen else self._own(parameter.setting)
        return cls is not None and field_of(cls, parameter.key) is not None

    def _own(self, setting: str) -> Any:
        found: Any = getattr(self.recipe, setting)
        return None if found is None else found.__class__

    @cached_property
    def _by_name(self) -> dict[str, Parameter]:
        return {p.name: p for p in self.space.parameters}

    def check(self) -> None:
        """UserError for a sampler or pruner that does not fit what is varied or looked for."""
        for name, given, known in (
            ("sampler", self.sampler, SAMPLERS), ("pruner", self.pruner, PRUNERS),
        ):  # fmt: skip
            if given is not None and given not in known:
                raise UserError(f"{name}: {given!r} is none of {', '.join(known)}")
        if self.trials is not None and self.trials < 1:
            raise UserError(f"trials: at least 1, not {self.trials}")
        if len(self.goals) > 1 and self.pruner not in (None, "none"):
            raise UserError(
                f"--pruner {self.pruner}: with two goals ({' and '.join(self.goals)}) no candidate "
                "can be told to be worse before its end\n  leave --pruner out, or look for one"
            )
        if self.sampler == "nsga2" and len(self.goals) == 1:
            raise UserError(
                "--sampler nsga2: is for two goals; write `goal val_accuracy macs` in `search`"
            )
        dense = [p for p in self.space.parameters if p.domain.count is None]
        if self.sampler == "grid" and dense:
            names = " and ".join(f"`{p.name}`" for p in dense)
            ways = " and ".join(f"`{_as_choices(p)}`" for p in dense)
            raise UserError(
                f"--sampler grid: {names}: a grid needs values that can be counted\n"
                f"  give the values, such as {ways}, or take another sampler"
            )
        if self.sampler == "grid" and self.count is None:
            raise UserError(f"--sampler grid: more than {_MOST:,} candidates; take another sampler")

    @property
    def chosen_sampler(self) -> str:
        """TPE, and for two goals NSGA-II, where nothing is said."""
        return self.sampler or ("tpe" if len(self.goals) == 1 else "nsga2")

    @property
    def chosen_pruner(self) -> str:
        """By the median where one metric is looked for and nothing is said."""
        if self.pruner is not None:
            return self.pruner
        return "median" if len(self.goals) == 1 and self.goals[0].startswith("val_") else "none"

    @property
    def most_trials(self) -> int:
        """How many candidates are looked at."""
        every = self.count if self.chosen_sampler == "grid" else None
        return min(self.trials or every or 50, every or self.trials or 50)


def _values(domain: Range | Choices) -> Sequence[Value]:
    if isinstance(domain, Choices):
        return domain.values
    step, count = domain.step or 1, domain.count or 0
    return [domain.low + i * step for i in range(count)]


def _as_choices(parameter: Parameter) -> str:
    """A few values of a range: its ends, and what lies between; of a logarithm, in proportion."""
    found = cast("Range", parameter.domain)
    low, high = found.low, found.high
    middle = sqrt(low * high) if found.log else (low + high) / 2
    rounded = float(f"{middle:.2g}")
    between = rounded if low < rounded < high else middle
    return " ".join([parameter.name.replace(".", " "), *map(shown, (low, between, high))])


def _class(setting: str, words: Value) -> Any:
    return cast("dict[str, Any]", CHOSEN)[setting][str(words).split()[0]]
