"""Adagrad."""

from dataclasses import dataclass

from cnndsl.fields import key
from cnndsl.graph.tape import Value
from cnndsl.optim.base import Optimizer, Update


@dataclass(frozen=True)
class Adagrad(Optimizer, word="adagrad"):
    """Divides by the root of the sum of all g². Source: Duchi et al. 2011."""

    lr: float = key("float", default=0.01, low=0, doc="learning rate")
    eps: float = key("float", default=1e-10, low=0, doc="added to the root")
    decay: float = key("float", default=0.0, low=0, doc="L2 penalty; skips biases and norms")

    typical_lr = (1e-4, 0.5)

    def update(self, u: Update) -> Value:
        """w − lr · g / (√Σg² + eps)."""
        g = u.penalised(self.decay)
        total = u.op("Add", u.slot("square"), u.op("Mul", g, g))
        u.keep("square", total)
        root = u.op("Add", u.op("Sqrt", total), u.number(self.eps))
        return u.op("Sub", u.w, u.op("Div", u.op("Mul", g, u.lr), root))
