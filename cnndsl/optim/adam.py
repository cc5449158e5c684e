"""Adam and AdamW."""

from dataclasses import dataclass

from cnndsl.fields import key
from cnndsl.graph.tape import Value
from cnndsl.optim.base import Optimizer, Update


@dataclass(frozen=True)
class Adam(Optimizer, word="adam"):
    """Moving means of g and g², corrected for their start. Source: Kingma & Ba, arXiv:1412.6980.

    `decay` adds decay·w to the gradient (PyTorch's weight_decay).
    """

    lr: float = key("float", default=1e-3, low=0, doc="learning rate")
    beta1: float = key("float", default=0.9, low=0, high=0.99999, doc="decay rate of the mean of g")
    beta2: float = key(
        "float", default=0.999, low=0, high=0.99999, doc="decay rate of the mean of g²"
    )
    eps: float = key("float", default=1e-8, low=0, doc="added to the root")
    decay: float = key("float", default=0.0, low=0, doc="L2 penalty; skips biases and norms")

    typical_lr = (1e-6, 0.02)

    def update(self, u: Update) -> Value:
        """w − lr · m̂ / (√v̂ + eps)."""
        g = u.penalised(self.decay)
        return u.op("Sub", u.w, adam_step(u, g, (self.beta1, self.beta2), self.eps))


@dataclass(frozen=True)
class AdamW(Adam, word="adamw"):
    """Adam with decoupled weight decay: w ← w − lr·decay·w. Source: arXiv:1711.05101."""

    decay: float = key("float", default=0.01, low=0, doc="weight decay; skips biases and norms")

    def update(self, u: Update) -> Value:
        """w · (1 − lr·decay) − lr · m̂ / (√v̂ + eps)."""
        step = adam_step(u, u.g, (self.beta1, self.beta2), self.eps)
        return u.op("Sub", u.decayed(self.decay), step)


def adam_step(u: Update, g: Value, betas: tuple[float, float], eps: float) -> Value:
    """lr · m̂ / (√v̂ + eps), with m and v kept as sums, m/(1 − β₁) and v/(1 − β₂).

    Sums save three passes over the weights; the factors move into the two scalars: with
    s = √((1 − β₂ᵗ) / (1 − β₂)) it is lr · s · (1 − β₁)/(1 − β₁ᵗ) · m / (√v + s·eps).
    """
    beta1, beta2 = betas
    g = u.avoid_denormals(g, eps)
    m = u.op("Add", u.times(u.slot("mean"), beta1), g)
    v = u.op("Add", u.times(u.slot("square"), beta2), u.op("Mul", g, g))
    u.keep("mean", m)
    u.keep("square", v)
    s = u.op("Sqrt", u.times(u.corrected(beta2), 1 / max(1 - beta2, 1e-12)))
    share = u.op("Div", u.times(s, 1 - beta1), u.corrected(beta1))
    root = u.op("Add", u.op("Sqrt", v), u.times(s, eps))
    return u.op("Div", u.op("Mul", m, u.op("Mul", u.lr, share)), root)
