"""Optimizers: how a gradient changes a weight."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from cnndsl.graph.tape import Tape, Value
from cnndsl.words import Word, key, word

registry: dict[str, type["Optimizer"]] = {}
_FAINT = 1e-18
"""Far below what changes a float32 weight; its square is still a normal number."""


@dataclass(frozen=True)
class Update:
    """What a rule writes with: one weight w, its gradient g, the learning rate, and state.

    `slot` gives a state tensor of w's shape (zeros at first), `keep` its new value; `step` counts
    from 1. `decays` is false for biases and norms.
    """

    tape: Tape
    w: Value
    g: Value
    lr: Value
    step: Value
    slot: Callable[[str], Value]
    keep: Callable[[str, Value], None]
    decays: bool

    def op(self, op: str, *inputs: Value) -> Value:
        """Write an operator."""
        return self.tape.op(op, *inputs)

    def kept_normal(self, g: Value, eps: float = 1.0) -> Value:
        """g + 1e-18, so that a memory of it never fades into denormal numbers.

        Where a gradient stays 0, as behind a dead ReLU, memories shrink by a factor a step and are
        denormal after some 800. Processors are slow with these: a whole step took 16 % longer.
        Not where the rule divides by hardly more than the gradient's own size: it would be a step.
        """
        return g if eps < 1e6 * _FAINT else self.op("Add", g, self.number(_FAINT))

    def times(self, x: Value, number: float) -> Value:
        """x · number."""
        return x if number == 1 else self.op("Mul", x, self.number(number))

    def number(self, number: float) -> Value:
        """A scalar of the weight's type."""
        return self.tape.scalar(number, self.w.dtype)

    def blend(self, old: Value, new: Value, share: float) -> Value:
        """old + (new − old) · share: a moving mean."""
        return self.op("Add", old, self.times(self.op("Sub", new, old), share))

    def penalised(self, decay: float) -> Value:
        """g + decay · w."""
        if not (decay and self.decays):
            return self.g
        return self.op("Add", self.g, self.times(self.w, decay))

    def decayed(self, decay: float) -> Value:
        """w · (1 − lr · decay)."""
        if not (decay and self.decays):
            return self.w
        factor = self.op("Sub", self.number(1.0), self.times(self.lr, decay))
        return self.op("Mul", self.w, factor)

    def corrected(self, beta: float) -> Value:
        """1 − beta^step: how much of a moving mean has been filled."""
        return self.op("Sub", self.number(1.0), self.op("Pow", self.number(beta), self.step))


class Optimizer(Word):
    """A rule from weight, gradient, state and learning rate to new weight and state."""

    slots: ClassVar[tuple[str, ...]] = ()
    usual: ClassVar[tuple[float, float]] = (1e-6, 1.0)
    """Learning rates that the optimizer is mostly used with."""
    lr: float
    decay: float

    def update(self, u: Update) -> Value:
        """Write the new weight."""
        raise NotImplementedError(self.word)

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

    slots = ("velocity",)
    usual = (1e-4, 3.0)

    def update(self, u: Update) -> Value:
        """w − lr·v, or w − lr·(g + momentum·v)."""
        g = u.penalised(self.decay)
        if self.momentum:
            g = u.kept_normal(g)
            v = u.op("Add", u.times(u.slot("velocity"), self.momentum), g)
            u.keep("velocity", v)
            g = u.op("Add", g, u.times(v, self.momentum)) if self.nesterov else v
        return u.op("Sub", u.w, u.op("Mul", g, u.lr))


@dataclass(frozen=True)
class Adam(Optimizer, word="adam"):
    """Moving means of g and g², corrected for their start. Source: Kingma & Ba, arXiv:1412.6980.

    `decay` adds decay·w to the gradient (PyTorch's weight_decay).
    """

    lr: float = key("float", default=1e-3, low=0, doc="learning rate")
    beta1: float = key("float", default=0.9, low=0, high=0.99999, doc="memory of g")
    beta2: float = key("float", default=0.999, low=0, high=0.99999, doc="memory of g²")
    eps: float = key("float", default=1e-8, low=0, doc="added to the root")
    decay: float = key("float", default=0.0, low=0, doc="L2 penalty; skips biases and norms")

    slots = ("mean", "square")
    usual = (1e-6, 0.02)

    def update(self, u: Update) -> Value:
        """w − lr · m̂ / (√v̂ + eps)."""
        return u.op("Sub", u.w, _adam_step(u, u.penalised(self.decay), self))


def _adam_step(u: Update, g: Value, rule: "Adam | AdamW") -> Value:
    """lr · m̂ / (√v̂ + eps), with m and v kept as sums, m/(1 − β₁) and v/(1 − β₂).

    Sums save three passes over the weights; the factors move into the two scalars: with
    s = √((1 − β₂ᵗ) / (1 − β₂)) it is lr · s · (1 − β₁)/(1 − β₁ᵗ) · m / (√v + s·eps).
    """
    g = u.kept_normal(g, rule.eps)
    m = u.op("Add", u.times(u.slot("mean"), rule.beta1), g)
    v = u.op("Add", u.times(u.slot("square"), rule.beta2), u.op("Mul", g, g))
    u.keep("mean", m)
    u.keep("square", v)
    s = u.op("Sqrt", u.times(u.corrected(rule.beta2), 1 / max(1 - rule.beta2, 1e-12)))
    share = u.op("Div", u.times(s, 1 - rule.beta1), u.corrected(rule.beta1))
    root = u.op("Add", u.op("Sqrt", v), u.times(s, rule.eps))
    return u.op("Div", u.op("Mul", m, u.op("Mul", u.lr, share)), root)


@dataclass(frozen=True)
class AdamW(Optimizer, word="adamw"):
    """Adam with decoupled weight decay: w ← w − lr·decay·w. Source: arXiv:1711.05101."""

    lr: float = key("float", default=1e-3, low=0, doc="learning rate")
    beta1: float = key("float", default=0.9, low=0, high=0.99999, doc="memory of g")
    beta2: float = key("float", default=0.999, low=0, high=0.99999, doc="memory of g²")
    eps: float = key("float", default=1e-8, low=0, doc="added to the root")
    decay: float = key("float", default=0.01, low=0, doc="weight decay; skips biases and norms")

    slots = ("mean", "square")
    usual = (1e-6, 0.02)

    def update(self, u: Update) -> Value:
        """w · (1 − lr·decay) − lr · m̂ / (√v̂ + eps)."""
        return u.op("Sub", u.decayed(self.decay), _adam_step(u, u.g, self))


@dataclass(frozen=True)
class RmsProp(Optimizer, word="rmsprop"):
    """Divides by the root of a moving mean of g². Source: Tieleman & Hinton 2012, lecture 6e."""

    lr: float = key("float", default=0.01, low=0, doc="learning rate")
    alpha: float = key("float", default=0.99, low=0, high=0.99999, doc="memory of g²")
    eps: float = key("float", default=1e-8, low=0, doc="added to the root")
    momentum: float = key("float", default=0.0, low=0, high=1, doc="memory of past steps")
    decay: float = key("float", default=0.0, low=0, doc="L2 penalty; skips biases and norms")

    slots = ("square", "velocity")
    usual = (1e-6, 0.1)

    def update(self, u: Update) -> Value:
        """w − lr · g / (√v + eps), through momentum if any."""
        g = u.kept_normal(u.penalised(self.decay), self.eps)
        v = u.blend(u.slot("square"), u.op("Mul", g, g), 1 - self.alpha)
        u.keep("square", v)
        step = u.op("Div", g, u.op("Add", u.op("Sqrt", v), u.number(self.eps)))
        if self.momentum:
            step = u.op("Add", u.times(u.slot("velocity"), self.momentum), step)
            u.keep("velocity", step)
        return u.op("Sub", u.w, u.op("Mul", step, u.lr))


@dataclass(frozen=True)
class Adagrad(Optimizer, word="adagrad"):
    """Divides by the root of the sum of all g². Source: Duchi et al. 2011."""

    lr: float = key("float", default=0.01, low=0, doc="learning rate")
    eps: float = key("float", default=1e-10, low=0, doc="added to the root")
    decay: float = key("float", default=0.0, low=0, doc="L2 penalty; skips biases and norms")

    slots = ("square",)
    usual = (1e-4, 0.5)

    def update(self, u: Update) -> Value:
        """w − lr · g / (√Σg² + eps)."""
        g = u.penalised(self.decay)
        total = u.op("Add", u.slot("square"), u.op("Mul", g, g))
        u.keep("square", total)
        root = u.op("Add", u.op("Sqrt", total), u.number(self.eps))
        return u.op("Sub", u.w, u.op("Div", u.op("Mul", g, u.lr), root))


@dataclass(frozen=True)
class Lion(Optimizer, word="lion"):
    """The sign of an interpolated momentum; decoupled decay. Source: arXiv:2302.06675."""

    lr: float = key("float", default=1e-4, low=0, doc="learning rate")
    beta1: float = key("float", default=0.9, low=0, high=1, doc="share of the momentum")
    beta2: float = key("float", default=0.99, low=0, high=0.99999, doc="memory of g")
    decay: float = key("float", default=0.0, low=0, doc="weight decay; skips biases and norms")

    slots = ("mean",)
    usual = (1e-7, 3e-3)

    def update(self, u: Update) -> Value:
        """w · (1 − lr·decay) − lr · sign(β₁·m + (1 − β₁)·g)."""
        m = u.slot("mean")
        direction = u.blend(m, u.g, 1 - self.beta1)
        u.keep("mean", u.blend(m, u.g, 1 - self.beta2))
        zero = u.number(0.0)
        above = u.tape.op("Cast", u.op("Greater", direction, zero), to=u.w.dtype)
        below = u.tape.op("Cast", u.op("Less", direction, zero), to=u.w.dtype)
        sign = u.op("Sub", above, below)
        return u.op("Sub", u.decayed(self.decay), u.op("Mul", sign, u.lr))
