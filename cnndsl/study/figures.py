"""The pictures of a study: `pareto`, `importance` and `parallel`, each as PNG and SVG."""

import warnings
from math import nan
from pathlib import Path
from typing import Any

from cnndsl.plot.curves import available
from cnndsl.plot.search import (
    Axis,
    Point,
    front_figure,
    importance_figure,
    parallel_figure,
    save_both,
)
from cnndsl.space import Choices, Parameter
from cnndsl.study.optuna import optuna, quiet
from cnndsl.study.plan import Plan
from cnndsl.study.results import Study, Trial, front, text

_FEWEST = 3  # trials from which parameters are compared


def save_figures(found: Study, plan: Plan) -> list[Path]:
    """Write the pictures that the trained trials are enough for; none without matplotlib."""
    if not available() or not found.trained:
        return []
    files = save_both(_front(found), found.folder, "pareto")
    if len(found.trained) >= _FEWEST:
        files += save_both(_parallel(found, plan), found.folder, "parallel")
        if shares := importance(found):
            figure = importance_figure(list(shares.items()), found.goals[0])
            files += save_both(figure, found.folder, "importance")
    return files


def _front(found: Study) -> object:
    """The first goal over the second one, or over the multiply-accumulates."""
    y = found.goals[0]
    x = found.goals[1] if len(found.goals) > 1 else "params" if y == "macs" else "macs"
    rising = (True, False) if len(found.goals) == 1 else found.rising
    signs = [-1 if found.rising[0] else 1, -1 if rising[1] else 1]

    def costs(trial: Trial) -> list[float]:
        return [signs[0] * _value(trial, y), signs[1] * _value(trial, x)]

    best = {t.number for t in front(found.trained, costs)}
    points = [
        Point(str(t.number), _value(t, x), _value(t, y), t.number in best) for t in found.trained
    ]
    return front_figure(points, "MACs" if x == "macs" else x, y)


def _value(trial: Trial, name: str) -> float:
    value = trial.value(name)
    assert value is not None
    return value


def _parallel(found: Study, plan: Plan) -> object:
    goal = found.goals[0]
    varied = [p for p in plan.space.parameters if any(p.name in t.params for t in found.trained)]
    lines = [_axis(p, found.trained) for p in varied]
    values = [_value(t, goal) for t in found.trained]
    return parallel_figure([*lines, Axis(goal, values)], values, goal)


def _axis(parameter: Parameter, trials: list[Trial]) -> Axis:
    name, domain = parameter.name, parameter.domain
    if isinstance(domain, Choices):
        places = {value: float(i) for i, value in enumerate(domain.values)}
        values = [places.get(t.params.get(name, ""), nan) for t in trials]
        return Axis(name, values, [text(value) for value in domain.values])
    values = [float(t.params.get(name, nan)) for t in trials]
    return Axis(name, values, log=domain.log)


def importance(found: Study) -> dict[str, float]:
    """How much each parameter decides about the first goal, as shares of 1, the most first.

    By Optuna's PED-ANOVA, over the parameters that every trial has; nothing where they are too few
    to compare.
    """
    module, sign = optuna().importance, -1 if found.rising[0] else 1

    def target(trial: Any) -> float:
        return sign * trial.values[0]

    with quiet():
        try:
            warnings.simplefilter("ignore", UserWarning)  # of which way is better: see the sign
            return dict(module.get_param_importances(found.optuna, target=target))
        except (ValueError, RuntimeError):  # of equal values, or one trial
            return {}
