"""A candidate: values of what is varied, as a checked model with its recipe, or why it is none."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from cnndsl.ir import Model
from cnndsl.passes.analyse import analyse
from cnndsl.passes.search_setting import field_of
from cnndsl.recipe import Recipe, Watch
from cnndsl.setting_values import settings_of
from cnndsl.source import Diagnostic, Failed, UserError
from cnndsl.space import Parameter, Value
from cnndsl.study.costs import counted, estimated_step
from cnndsl.study.plan import Plan
from cnndsl.study.results import shown
from cnndsl.training.run_config import RunConfig


@dataclass(frozen=True)
class Candidate:
    """What can be trained: it is valid, and keeps every bound that is known without running it."""

    values: Mapping[str, Value]
    model: Model
    run: RunConfig
    recipe: Recipe
    costs: Mapping[str, float]


class Rejected(Exception):  # noqa: N818  (read as: the candidate is rejected)
    """A candidate that is never trained. `reason` is short, to be counted by; `excess` is by how
    much it is beyond each bound.
    """

    def __init__(
        self, reason: str, text: str, costs: Mapping[str, float] | None = None,
        excess: Mapping[str, float] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(text)
        self.reason, self.text = reason, text
        self.costs, self.excess = dict(costs or {}), dict(excess or {})


def candidate(plan: Plan, values: Mapping[str, Value]) -> Candidate:
    """The candidate of these values; Rejected where it is invalid or beyond a bound."""
    parameters = [p for p in plan.space.parameters if p.name in values]
    lets = {p.name: cast(float, values[p.name]) for p in parameters if p.is_let}
    config = replace(plan.run, lets={**plan.run.lets, **lets})
    model, found = analyse(plan.source, config.lets, None)
    if model is None:
        raise Rejected("invalid", _said(found))
    try:
        config = _varied(config, model, [p for p in parameters if not p.is_let], values)
        recipe = config.recipe_for(model)
    except Failed as failed:
        raise Rejected("invalid", _said(failed.diagnostics)) from None
    except UserError as error:
        raise Rejected("invalid", str(error).splitlines()[0]) from None
    watched = _watched(recipe, plan.goals)
    config, recipe = config.changed(watched), replace(recipe, **watched)
    costs = dict(counted(model))
    if plan.times_steps:
        costs["step"] = estimated_step(model, recipe)
    _check_bounds(plan, costs)
    return Candidate(values, model, config, recipe, costs)


def check_step(plan: Plan, found: Candidate, seconds: float) -> Candidate:
    """The candidate with the measured time of its step; Rejected where that is beyond a bound."""
    costs = {**found.costs, "step": seconds}
    _check_bounds(plan, costs)
    return replace(found, costs=costs)


def _check_bounds(plan: Plan, costs: Mapping[str, float]) -> None:
    excess = {
        limit.text: limit.excess(costs[limit.measure])
        for limit in plan.space.limits
        if limit.measure in costs
    }
    broken = [limit for limit in plan.space.limits if excess.get(limit.text)]
    if broken:
        said = ", ".join(
            f"{x.measure} {shown(x.measure, costs[x.measure])}, not {x.text}" for x in broken
        )
        raise Rejected(broken[0].measure, said, costs, excess)


def _said(found: list[Diagnostic]) -> str:
    """The first error, with its place."""
    first = next((d for d in found if d.severity == "error"), found[0])
    span = first.span
    return f"{first.code} {span.source.name}:{span.line}:{span.column}: {first.message}"


def _varied(
    config: RunConfig, model: Model, parameters: list[Parameter], values: Mapping[str, Value]
) -> RunConfig:
    """The record with the settings of a candidate, read as a spec's are."""
    whole = {p.setting: values[p.name] for p in parameters if not p.key}
    config = config.changed(settings_of(whole, "search"))
    recipe, words = config.recipe_for(model), dict[str, Any]()
    for p in parameters:
        if p.key:
            word: Any = words.get(p.setting) or getattr(recipe, p.setting)
            spec = field_of(word.__class__, p.key)
            assert spec is not None
            words[p.setting] = replace(word, **{spec.name: values[p.name]})
    return config.changed(settings_of(words, "search"))


def _watched(recipe: Recipe, goals: tuple[str, ...]) -> dict[str, Watch]:
    """The setting by which the best weights are those that the search is after."""
    metrics = [goal for goal in goals if goal.startswith("val_")]
    if recipe.watch is not None or not metrics or metrics[0] == recipe.known_task().best:
        return {}
    return {"watch": Watch(metrics[0])}
