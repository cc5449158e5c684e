"""Losses: what training makes small. One file a family of tasks; a file added here is found."""

from importlib import import_module
from pkgutil import iter_modules

from cnndsl.losses.base import VOID, Loss, Masks, registry
from cnndsl.losses.classification import BinaryCrossEntropy, CrossEntropy, Focal
from cnndsl.losses.regression import Huber, MeanAbsoluteError, MeanSquaredError
from cnndsl.losses.segmentation import Dice, DiceCrossEntropy

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = [
    "VOID", "BinaryCrossEntropy", "CrossEntropy", "Dice", "DiceCrossEntropy", "Focal", "Huber",
    "Loss", "Masks", "MeanAbsoluteError", "MeanSquaredError", "registry",
]  # fmt: skip
