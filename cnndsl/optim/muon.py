"""Muon."""

from dataclasses import dataclass
from math import prod

from cnndsl.fields import flag, key
from cnndsl.graph.tape import Value
from cnndsl.optim.adam import adam_step
from cnndsl.optim.base import Optimizer, Role, Update
from cnndsl.optim.sgd import momentum_step


@dataclass(frozen=True)
class Muon(Optimizer, word="muon"):
    """Momentum whose update is orthogonalised by Newton–Schulz iterations.

    Applies to kernels of `conv` and `dense` except depthwise ones and the output layer; every other
    parameter uses AdamW, or SGD with Nesterov momentum, at lr · ratio. With m the momentum of a
    kernel's gradient as a matrix [outputs, rest] and g = U S Vᵀ the gradient with Nesterov
    momentum:

    w ← w·(1 − lr·decay) − lr · 0.2·√(longer side) · UVᵀ

    Five iterations give UVᵀ up to singular values between 0.7 and 1.2 in place of 1. The factor
    0.2·√(longer side) makes the steps as large as AdamW's, so that one `lr` serves both.
    Cost: 2 to 3 multiplications an iteration per weight for each unit of the kernel's shorter side.

    `normalised` keeps each kernel at the norm √outputs, so that `lr` is the relative length of a
    step, and `decay` has nothing to do there: w ← w · √outputs / |w| − lr · UVᵀ

    Source: Jordan et al. 2024, kellerjordan.github.io/posts/muon; the factor: arXiv:2502.16982.
    Like PyTorch's Muon with `match_rms_adamw`, in float32 where that computes in bfloat16.
    """

    lr: float = key("float", default=0.01, low=0, doc="learning rate")
    momentum: float = key("float", default=0.95, low=0, high=0.99999, doc="momentum of kernels")
    beta1: float = key("float", default=0.9, low=0, high=0.99999, doc="AdamW's decay of mean g")
    beta2: float = key("float", default=0.95, low=0, high=0.99999, doc="AdamW's decay of mean g²")
    eps: float = key("float", default=1e-8, low=0, doc="added to the root")
    ratio: float = key("float", default=1.0, low=0, doc="learning rate of the rest, as share of lr")
    decay: float = key("float", default=0.01, low=0, doc="weight decay; skips biases and norms")
    normalised: bool = flag("normalised", doc="keeps kernels at the norm √outputs")
    iterations: int = key("int", default=5, low=1, high=20, doc="Newton–Schulz iterations")
    rest: str = key("choice", default="adamw", choices=("adamw", "sgd"), doc="rule of the rest")
    rest_momentum: float = key(
        "float", default=0.85, low=0, high=0.99999, doc="Nesterov momentum of rest=sgd"
    )

    typical_lr = (1e-4, 0.3)
    sign_like = True

    def updates_alone(self, role: Role) -> bool:
        """Kernels of more than one input and output, except those of the output layer."""
        matrix = role.decays and len(role.shape) > 1 and min(role.shape[:2]) > 1
        return matrix and not role.head

    def update(self, u: Update) -> Value:
        """Along UVᵀ for kernels, the step of `rest` for all else."""
        return self._of_kernel(u) if self.updates_alone(u.role) else self._of_rest(u)

    def _of_kernel(self, u: Update) -> Value:
        sides = (u.role.shape[0], prod(u.role.shape[1:]))
        w = _of_norm(u, sides[0] ** 0.5) if self.normalised else u.decayed(self.decay)
        g = u.avoid_denormals(u.g)
        m = u.blend(u.slot("mean"), g, 1 - self.momentum)
        u.keep("mean", m)
        kernel = u.unpacked(u.blend(g, m, self.momentum))
        turned = u.tape.reshape(_orthogonal(u, kernel, sides, self.iterations), *u.role.shape)
        rate = u.lr if self.normalised else u.times(u.lr, 0.2 * max(sides) ** 0.5)
        return u.op("Sub", w, u.op("Mul", u.packed(turned), rate))

    def _of_rest(self, u: Update) -> Value:
        w = u.decayed(self.decay)
        if self.rest == "adamw":
            step = adam_step(u, u.g, (self.beta1, self.beta2), self.eps)
            return u.op("Sub", w, u.times(step, self.ratio))
        step = momentum_step(u, u.g, self.rest_momentum, nesterov=True)
        return u.op("Sub", w, u.op("Mul", step, u.times(u.lr, self.ratio)))


def _length(u: Update, x: Value) -> Value:
    """√Σx², at least 1e-7."""
    squares = u.op("ReduceSumSquare", x, u.tape.ints(range(len(x.shape))))
    return u.op("Max", u.op("Sqrt", squares), u.number(1e-7))


def _of_norm(u: Update, norm: float) -> Value:
    """The weight, stretched to a norm."""
    return u.op("Mul", u.w, u.op("Div", u.number(norm), _length(u, u.w)))


def _orthogonal(u: Update, g: Value, sides: tuple[int, int], iterations: int) -> Value:
    """About UVᵀ of g = U S Vᵀ, by iterations x ← a·x + (b·A + c·A²)·x with A = x·xᵀ.

    Each maps singular values s to a·s + b·s³ + c·s⁵. Jordan's numbers rise steeply at 0, so that
    five iterations do, and end between 0.7 and 1.2.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    g = u.tape.reshape(g, *sides)
    x = u.op("Div", g, _length(u, g))
    tall = sides[0] > sides[1]
    gram = {"transA": 1} if tall else {"transB": 1}  # of the shorter side
    for _ in range(iterations):
        near = u.tape.op("Gemm", x, x, **gram)
        polynomial = u.tape.op("Gemm", near, near, near, alpha=c, beta=b)
        factors = (x, polynomial) if tall else (polynomial, x)
        x = u.tape.op("Gemm", *factors, x, beta=a)
    return x
