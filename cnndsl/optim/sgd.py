"""Stochastic gradient descent, with momentum."""

from dataclasses import dataclass

from cnndsl.fields import flag, key
from cnndsl.graph.tape import Value
from cnndsl.optim.base import Optimizer, Update


@dataclass(frozen=True)
class Sgd(Optimizer, word="sgd"):
    """v ← momentum·v + g;  w ← w − lr·v  (with `nesterov`: w − lr·(g + momentum·v)).

    `decay` adds decay·w to the gradient (PyTorch's weight_decay). Source: Sutskever et al. 2013.
    """

    lr: float = key("float", default=0.01, low=0, doc="learning rate")
    momentum: float = key("float", default=0.0, low=0, high=1, doc="momentum of the gradient")
    decay: float = key("float", default=0.0, low=0, doc="weight decay; skips biases and norms")
    nesterov: bool = flag("nesterov", doc="looks ahead by one step of momentum")

    typical_lr = (1e-4, 3.0)

    def update(self, u: Update) -> Value:
        """w − lr·v, or w − lr·(g + momentum·v)."""
        g = u.penalised(self.decay)
        if self.momentum:
            g = momentum_step(u, g, self.momentum, self.nesterov)
        return u.op("Sub", u.w, u.op("Mul", g, u.lr))


def momentum_step(u: Update, g: Value, momentum: float, nesterov: bool) -> Value:
    """v ← momentum·v + g: v itself, or with `nesterov` g + momentum·v."""
    g = u.avoid_denormals(g)
    v = u.op("Add", u.times(u.slot("velocity"), momentum), g)
    u.keep("velocity", v)
    return u.op("Add", g, u.times(v, momentum)) if nesterov else v
