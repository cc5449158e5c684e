"""Optimizers: how a gradient changes a weight. One file a family."""

from cnndsl.optim.adadelta import Adadelta
from cnndsl.optim.adagrad import Adagrad
from cnndsl.optim.adam import Adam, AdamW
from cnndsl.optim.adam_variants import Adamax, Lamb, NAdam, RAdam
from cnndsl.optim.base import Optimizer, Role, Update, registry
from cnndsl.optim.lion import Lion
from cnndsl.optim.muon import Muon
from cnndsl.optim.rmsprop import RmsProp
from cnndsl.optim.sgd import Sgd

__all__ = [
    "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lamb", "Lion", "Muon", "NAdam", "Optimizer",
    "RAdam", "RmsProp", "Role", "Sgd", "Update", "registry",
]  # fmt: skip
