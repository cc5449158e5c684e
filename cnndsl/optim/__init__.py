"""Optimizers: how a gradient changes a weight. One in a file of this folder is found by itself."""

from importlib import import_module
from pkgutil import iter_modules

from cnndsl.optim.adadelta import Adadelta
from cnndsl.optim.adagrad import Adagrad
from cnndsl.optim.adam import Adam, AdamW
from cnndsl.optim.adam_variants import Adamax, Lamb, NAdam, RAdam
from cnndsl.optim.base import Optimizer, Role, Update, registry
from cnndsl.optim.lion import Lion
from cnndsl.optim.muon import Muon
from cnndsl.optim.rmsprop import RmsProp
from cnndsl.optim.sgd import Sgd

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = [
    "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lamb", "Lion", "Muon", "NAdam", "Optimizer",
    "RAdam", "RmsProp", "Role", "Sgd", "Update", "registry",
]  # fmt: skip
