"""Adadelta."""

from dataclasses import dataclass

from cnndsl.fields import key
from cnndsl.graph.tape import Value
from cnndsl.optim.base import Optimizer, Update


@dataclass(frozen=True)
class Adadelta(Optimizer, word="adadelta"):
    """Steps as long as past steps, over the root of a mean of g². Source: arXiv:1212.5701."""

    lr: float = key("float", default=1.0, low=0, doc="learning rate")
    rho: float = key("float", default=0.9, low=0, high=0.99999, doc="decay rate of both means")
    eps: float = key("float", default=1e-6, low=1e-12, doc="added under both roots")
    decay: float = key("float", default=0.0, low=0, doc="L2 penalty; skips biases and norms")

    typical_lr = (1e-3, 10.0)

    def update(self, u: Update) -> Value:
        """w − lr · √(d + eps) / √(v + eps) · g, with d the mean of the squared steps."""
        g = u.avoid_denormals(u.penalised(self.decay))
        v = u.blend(u.slot("square"), u.op("Mul", g, g), 1 - self.rho)
        past, eps = u.slot("step_square"), u.number(self.eps)
        ratio = u.op("Div", u.op("Add", past, eps), u.op("Add", v, eps))
        step = u.op("Mul", u.op("Sqrt", ratio), g)
        u.keep("square", v)
        u.keep("step_square", u.blend(past, u.op("Mul", step, step), 1 - self.rho))
        return u.op("Sub", u.w, u.op("Mul", step, u.lr))
