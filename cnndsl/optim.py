"""Optimizers: how a gradient changes a weight."""

from dataclasses import dataclass

from cnndsl.words import Word, key, word

registry: dict[str, type["Optimizer"]] = {}


class Optimizer(Word):
    """A rule from weight, gradient, state and learning rate to new weight and state."""

    lr: float
    decay: float

    def __init_subclass__(cls, word: str = "") -> None:
        super().__init_subclass__(word)
        registry[word] = cls


@dataclass(frozen=True)
class Sgd(Optimizer, word="sgd"):
    """v ← momentum·v + g;  w ← w − lr·v  (with `nesterov`: w − lr·(g + momentum·v)).

    `decay` adds decay·w to the gradient (PyTorch's weight_decay). Source: Sutskever et al. 2013.
    """

    lr: float = key("float", default=0.01, low=0, doc="learning rate")
    momentum: float = key("float", default=0.0, low=0, high=1, doc="memory of past gradients")
    decay: float = key("float", default=0.0, low=0, doc="weight decay; skips biases and norms")
    nesterov: str | None = word("nesterov", doc="looks ahead by one step of momentum")


@dataclass(frozen=True)
class Adam(Optimizer, word="adam"):
    """Moving means of g and g², corrected for their start. Source: Kingma & Ba, arXiv:1412.6980.

    `decay` adds decay·w to the gradient (PyTorch's weight_decay).
    """

    lr: float = key("float", default=1e-3, low=0, doc="learning rate")
    beta1: float = key("float", default=0.9, low=0, high=1, doc="memory of g")
    beta2: float = key("float", default=0.999, low=0, high=1, doc="memory of g²")
    eps: float = key("float", default=1e-8, low=0, doc="added to the root")
    decay: float = key("float", default=0.0, low=0, doc="L2 penalty; skips biases and norms")


@dataclass(frozen=True)
class AdamW(Optimizer, word="adamw"):
    """Adam with decoupled weight decay: w ← w − lr·decay·w. Source: arXiv:1711.05101."""

    lr: float = key("float", default=1e-3, low=0, doc="learning rate")
    beta1: float = key("float", default=0.9, low=0, high=1, doc="memory of g")
    beta2: float = key("float", default=0.999, low=0, high=1, doc="memory of g²")
    eps: float = key("float", default=1e-8, low=0, doc="added to the root")
    decay: float = key("float", default=0.01, low=0, doc="weight decay; skips biases and norms")


@dataclass(frozen=True)
class RmsProp(Optimizer, word="rmsprop"):
    """Divides by the root of a moving mean of g². Source: Tieleman & Hinton 2012, lecture 6e."""

    lr: float = key("float", default=0.01, low=0, doc="learning rate")
    alpha: float = key("float", default=0.99, low=0, high=1, doc="memory of g²")
    eps: float = key("float", default=1e-8, low=0, doc="added to the root")
    momentum: float = key("float", default=0.0, low=0, high=1, doc="memory of past steps")
    decay: float = key("float", default=0.0, low=0, doc="L2 penalty; skips biases and norms")


@dataclass(frozen=True)
class Adagrad(Optimizer, word="adagrad"):
    """Divides by the root of the sum of all g². Source: Duchi et al. 2011."""

    lr: float = key("float", default=0.01, low=0, doc="learning rate")
    eps: float = key("float", default=1e-10, low=0, doc="added to the root")
    decay: float = key("float", default=0.0, low=0, doc="L2 penalty; skips biases and norms")


@dataclass(frozen=True)
class Lion(Optimizer, word="lion"):
    """The sign of an interpolated momentum; decoupled decay. Source: arXiv:2302.06675."""

    lr: float = key("float", default=1e-4, low=0, doc="learning rate")
    beta1: float = key("float", default=0.9, low=0, high=1, doc="share of the momentum")
    beta2: float = key("float", default=0.99, low=0, high=1, doc="memory of g")
    decay: float = key("float", default=0.0, low=0, doc="weight decay; skips biases and norms")
