"""Lion."""

from dataclasses import dataclass

from cnndsl.fields import key
from cnndsl.graph.tape import Value
from cnndsl.optim.base import Optimizer, Update


@dataclass(frozen=True)
class Lion(Optimizer, word="lion"):
    """The sign of an interpolated momentum; decoupled decay. Source: arXiv:2302.06675."""

    lr: float = key("float", default=1e-4, low=0, doc="learning rate")
    beta1: float = key("float", default=0.9, low=0, high=1, doc="share of the momentum")
    beta2: float = key(
        "float", default=0.99, low=0, high=0.99999, doc="decay rate of the mean of g"
    )
    decay: float = key("float", default=0.0, low=0, doc="weight decay; skips biases and norms")

    typical_lr = (1e-7, 3e-3)
    sign_like = True

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
