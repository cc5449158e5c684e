"""Schedules of the learning rate. A schedule in a file of this folder is found by itself."""

from importlib import import_module
from pkgutil import iter_modules

from cnndsl.lr_schedules.base import Schedule, registry
from cnndsl.lr_schedules.decays import (
    Constant,
    Cosine,
    Exponential,
    MultiStep,
    OneCycle,
    Plateau,
    Polynomial,
    Restarts,
    Step,
)

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = [
    "Constant", "Cosine", "Exponential", "MultiStep", "OneCycle", "Plateau", "Polynomial",
    "Restarts", "Schedule", "Step", "registry",
]  # fmt: skip
