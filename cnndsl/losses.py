"""Losses: what training makes small."""

from dataclasses import dataclass
from typing import ClassVar

from cnndsl.words import Word, key

registry: dict[str, type["Loss"]] = {}


class Loss(Word):
    """Model outputs and targets to one number, the mean over the batch."""

    classes: ClassVar[bool] = True
    """Whether targets are class numbers (else they have the output's shape)."""

    def __init_subclass__(cls, word: str = "") -> None:
        super().__init_subclass__(word)
        registry[word] = cls


@dataclass(frozen=True)
class CrossEntropy(Loss, word="cross_entropy"):
    """Softmax and negative log-likelihood on class numbers.

    loss = mean_n −Σ_c q[n,c] · log softmax(x)[n,c];  q = one-hot, mixed with `smooth`/C of all.

    Source: label smoothing, Szegedy et al. 2016, arXiv:1512.00567.
    """

    smooth: float = key("float", default=0.0, low=0, high=0.999, doc="label smoothing")


@dataclass(frozen=True)
class MeanSquaredError(Loss, word="mse"):
    """Mean of the squared differences; class numbers are taken as one-hot."""


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss, word="bce"):
    """Sigmoid and binary cross-entropy, the mean over all outputs; class numbers as one-hot."""

    smooth: float = key("float", default=0.0, low=0, high=0.999, doc="label smoothing")
