"""Losses: what training makes small. One file a family of tasks; a file added here is found."""

from importlib import import_module
from pkgutil import iter_modules

from cnndsl.losses.base import Loss, registry
from cnndsl.losses.classification import BinaryCrossEntropy, CrossEntropy, Focal
from cnndsl.losses.regression import Huber, MeanAbsoluteError, MeanSquaredError

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = [
    "BinaryCrossEntropy", "CrossEntropy", "Focal", "Huber", "Loss", "MeanAbsoluteError",
    "MeanSquaredError", "registry",
]  # fmt: skip
