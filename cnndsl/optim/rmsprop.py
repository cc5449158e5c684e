"""RMSprop."""

from dataclasses import dataclass

from cnndsl.fields import key
from cnndsl.graph.tape import Value
from cnndsl.optim.base import Optimizer, Update


@dataclass(frozen=True)
class RmsProp(Optimizer, word="rmsprop"):
    """Divides by the root of a moving mean of g². Source: Tieleman & Hinton 2012, lecture 6e."""

    lr: float = key("float", default=0.01, low=0, doc="learning rate")
    alpha: float = key(
        "float", default=0.99, low=0, high=0.99999, doc="decay rate of the mean of g²"
    )
    eps: float = key("float", default=1e-8, low=0, doc="added to the root")
    momentum: float = key("float", default=0.0, low=0, high=1, doc="momentum of the steps")
    decay: float = key("float", default=0.0, low=0, doc="L2 penalty; skips biases and norms")

    typical_lr = (1e-6, 0.1)

    def update(self, u: Update) -> Value:
        """w − lr · g / (√v + eps), through momentum if any."""
        g = u.avoid_denormals(u.penalised(self.decay), self.eps)
        v = u.blend(u.slot("square"), u.op("Mul", g, g), 1 - self.alpha)
        u.keep("square", v)
        step = u.op("Div", g, u.op("Add", u.op("Sqrt", v), u.number(self.eps)))
        if self.momentum:
            step = u.op("Add", u.times(u.slot("velocity"), self.momentum), step)
            u.keep("velocity", step)
        return u.op("Sub", u.w, u.op("Mul", step, u.lr))
