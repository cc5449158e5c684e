"""The candidate that is the spec as it is written: others are compared with it."""

from dataclasses import replace
from typing import Any

from cnndsl.passes.search_setting import field_of
from cnndsl.setting_values import settings_of
from cnndsl.space import Choices, Parameter, Value
from cnndsl.study.plan import Plan


def as_written(plan: Plan) -> dict[str, Value]:
    """The spec's own values of all that is varied; none where the space leaves one of them out."""
    values = dict[str, Value]()
    for parameter in plan.space.parameters:
        if plan.is_active(parameter, values):
            own: Any = _own(plan, parameter)
            if not parameter.domain.holds(own):
                return {}
            values[parameter.name] = own
    return values


def _own(plan: Plan, parameter: Parameter) -> object:
    if parameter.is_let:
        return parameter.own
    setting = getattr(plan.recipe, parameter.setting)
    if parameter.key:
        return next(iter(_fields(setting, [parameter]).values()), None)
    if isinstance(parameter.domain, Choices):
        same = (v for v in parameter.domain.values if _means(plan, parameter, v, setting))
        return next(same, None)
    return setting


def _means(plan: Plan, parameter: Parameter, value: Value, setting: Any) -> bool:
    """Whether a choice is this setting, but for keys that are varied themselves."""
    name = parameter.name
    word = settings_of({name: value}, "search")[name]
    keys = [p for p in plan.space.parameters if p.key and p.setting == name]
    if keys and type(word) is type(setting):
        word = replace(word, **_fields(setting, keys))
    return word == setting


def _fields(setting: Any, keys: list[Parameter]) -> dict[str, Any]:
    """What a setting has for keys, by the names of its fields."""
    if setting is None:
        return {}
    found = [field_of(setting.__class__, p.key) for p in keys]
    return {spec.name: getattr(setting, spec.name) for spec in found if spec is not None}
