"""Muon."""

from dataclasses import dataclass
from math import prod

from cnndsl.fields import key
from cnndsl.graph.tape import Value
from cnndsl.optim.adam import adam_step
from cnndsl.optim.base import Optimizer, Role, Update


@dataclass(frozen=True)
class Muon(Optimizer, word="muon"):
    """Kernels of `conv` and `dense` move along an orthogonal matrix; the rest as by `adamw`.

    With m the moving mean of a kernel's gradient as a matrix [outputs, rest] and g looking ahead by
    one step of it: w ← w·(1 − lr·decay) − lr · 0.2·√(longer side) · UVᵀ, where g = U S Vᵀ. UVᵀ is
    what five Newton–Schulz iterations make of g / |g|, but for singular values between 0.7 and 1.2
    instead of 1. The factor gives steps of the size of AdamW's, so one `lr` does for both.
    Depthwise kernels are no such matrices and go to `adamw`, as biases and norms do, and the last
    kernels before the outputs, whose rows are classes. The steps of `adamw` are `ratio` times as
    long as its own; the decay is lr·decay for all.
    A weight costs 10 to 15 multiplications for each unit of its kernel's shorter side.

    Source: Jordan et al. 2024, kellerjordan.github.io/posts/muon; the factor: arXiv:2502.16982.
    Like PyTorch's Muon with `match_rms_adamw`, in float32 where that computes in bfloat16.
    """

    lr: float = key("float", default=0.01, low=0, doc="learning rate")
    momentum: float = key("float", default=0.95, low=0, high=0.99999, doc="memory of kernels' g")
    beta1: float = key("float", default=0.9, low=0, high=0.99999, doc="memory of the others' g")
    beta2: float = key("float", default=0.95, low=0, high=0.99999, doc="memory of their g²")
    eps: float = key("float", default=1e-8, low=0, doc="added to the root")
    ratio: float = key("float", default=1.0, low=0, doc="steps of `adamw`, as a share of lr")
    decay: float = key("float", default=0.01, low=0, doc="weight decay; skips biases and norms")

    usual = (1e-4, 0.2)
    directed = True

    def alone(self, role: Role) -> bool:
        """A kernel behind others: a matrix of several outputs that see several inputs each."""
        matrix = role.decays and len(role.shape) > 1 and min(role.shape[:2]) > 1
        return matrix and not role.head

    def update(self, u: Update) -> Value:
        """Along UVᵀ for kernels, AdamW's step for the rest."""
        w = u.decayed(self.decay)
        if not self.alone(u.role):
            step = adam_step(u, u.g, (self.beta1, self.beta2), self.eps)
            return u.op("Sub", w, u.times(step, self.ratio))
        g = u.kept_normal(u.g)
        m = u.blend(u.slot("mean"), g, 1 - self.momentum)
        u.keep("mean", m)
        kernel = u.plain(u.blend(g, m, self.momentum))
        sides = (u.role.shape[0], prod(u.role.shape[1:]))
        turned = u.tape.reshape(_orthogonal(u, kernel, sides), *u.role.shape)
        rate = u.times(u.lr, 0.2 * max(sides) ** 0.5)
        return u.op("Sub", w, u.op("Mul", u.laid(turned), rate))


def _orthogonal(u: Update, g: Value, sides: tuple[int, int]) -> Value:
    """About UVᵀ of g = U S Vᵀ, by five iterations x ← a·x + (b·A + c·A²)·x with A = x·xᵀ.

    Each maps singular values s to a·s + b·s³ + c·s⁵. Jordan's numbers rise steeply at 0, so that
    five iterations do, and end between 0.7 and 1.2.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    g = u.tape.reshape(g, *sides)
    length = u.op("Sqrt", u.op("ReduceSumSquare", g, u.tape.ints([0, 1])))
    x = u.op("Div", g, u.op("Max", length, u.number(1e-7)))
    tall = sides[0] > sides[1]
    gram = {"transA": 1} if tall else {"transB": 1}  # of the shorter side
    for _ in range(5):
        near = u.tape.op("Gemm", x, x, **gram)
        polynomial = u.tape.op("Gemm", near, near, near, alpha=c, beta=b)
        factors = (x, polynomial) if tall else (polynomial, x)
        x = u.tape.op("Gemm", *factors, x, beta=a)
    return x
