"""Losses: what training makes small. One file a family of tasks; a file added here is found."""

from importlib import import_module
from pkgutil import iter_modules

from cnndsl.losses.base import Loss, registry
from cnndsl.losses.classification import BinaryCrossEntropy, CrossEntropy
from cnndsl.losses.regression import MeanSquaredError

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["BinaryCrossEntropy", "CrossEntropy", "Loss", "MeanSquaredError", "registry"]
