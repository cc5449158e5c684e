"""Relatives of Adam: Adamax, NAdam, RAdam, LAMB."""

from dataclasses import dataclass
from math import exp, expm1, log

from cnndsl.fields import key
from cnndsl.graph.tape import Value
from cnndsl.optim.base import Optimizer, Role, Update

_TERMS = 64  # of a series in 0.5ᵏ: exact in float64


@dataclass(frozen=True)
class Adamax(Optimizer, word="adamax"):
    """Adam with the largest past |g| in place of the root of v. Source: arXiv:1412.6980, part 7."""

    lr: float = key("float", default=2e-3, low=0, doc="learning rate")
    beta1: float = key("float", default=0.9, low=0, high=0.99999, doc="decay rate of the mean of g")
    beta2: float = key("float", default=0.999, low=0, high=0.99999, doc="decay rate of the largest")
    eps: float = key("float", default=1e-8, low=0, doc="added to |g|")
    decay: float = key("float", default=0.0, low=0, doc="L2 penalty; skips biases and norms")

    typical_lr = (1e-6, 0.05)

    def update(self, u: Update) -> Value:
        """w − lr / (1 − β₁ᵗ) · m / max(β₂·largest, |g| + eps)."""
        g = u.avoid_denormals(u.penalised(self.decay), self.eps)
        m = _mean(u, g, self.beta1)
        size = u.op("Add", u.op("Abs", g), u.number(self.eps))
        largest = u.op("Max", u.times(u.slot("largest"), self.beta2), size)
        u.keep("largest", largest)
        rate = u.op("Div", u.lr, u.corrected(self.beta1))
        return u.op("Sub", u.w, u.op("Div", u.op("Mul", m, rate), largest))


@dataclass(frozen=True)
class NAdam(Optimizer, word="nadam"):
    """Adam with Nesterov momentum. Source: Dozat 2016, Incorporating Nesterov Momentum into Adam.

    μᵗ = β₁·(1 − ½·0.96^(t·psi));  w ← w − lr · (μᵗ⁺¹/(1 − Πμ·μᵗ⁺¹)·m + (1 − μᵗ)/(1 − Πμ)·g) / √v̂
    """

    lr: float = key("float", default=2e-3, low=0, doc="learning rate")
    beta1: float = key("float", default=0.9, low=0.01, high=0.99999,
                       doc="decay rate of the mean of g")  # fmt: skip
    beta2: float = key("float", default=0.999, low=0, high=0.99999,
                       doc="decay rate of the mean of g²")  # fmt: skip
    eps: float = key("float", default=1e-8, low=0, doc="added to the root")
    psi: float = key("float", default=4e-3, low=1e-6, doc="how fast the momentum rises to beta1")
    decay: float = key("float", default=0.0, low=0, doc="L2 penalty; skips biases and norms")

    typical_lr = (1e-6, 0.05)

    def update(self, u: Update) -> Value:
        """The new weight."""
        g = u.avoid_denormals(u.penalised(self.decay), self.eps)
        m = _mean(u, g, self.beta1)
        root = _root(u, g, self.beta2, self.eps)
        of_g, of_m = (u.op("Mul", u.lr, u.rounded(factor)) for factor in self._factors(u))
        ahead = u.op("Add", u.op("Mul", g, of_g), u.op("Mul", m, of_m))
        return u.op("Sub", u.w, u.op("Div", ahead, root))

    def _factors(self, u: Update) -> tuple[Value, Value]:
        """(1 − μᵗ)/(1 − Πμ) and μᵗ⁺¹/(1 − Πμ·μᵗ⁺¹)."""
        u = u.in_float64
        now, ahead = self._momentum(u, u.step), self._momentum(u, u.op("Add", u.step, u.number(1)))
        product = self._product(u)
        later = u.op("Mul", product, ahead)
        one = u.number(1.0)
        of_g = u.op("Div", u.op("Sub", one, now), u.op("Sub", one, product))
        return of_g, u.op("Div", ahead, u.op("Sub", one, later))

    def _momentum(self, u: Update, step: Value) -> Value:
        risen = u.op("Exp", u.times(step, self.psi * log(0.96)))
        return u.op("Sub", u.number(self.beta1), u.times(risen, self.beta1 / 2))

    def _product(self, u: Update) -> Value:
        """Π μⁱ for i = 1 … t, without a state of its own.

        With q = 0.96^psi, log(1 − qⁱ/2) = −Σₖ (qⁱ/2)ᵏ / k; the sum over i is geometric.
        """
        logs = [k * self.psi * log(0.96) for k in range(1, _TERMS + 1)]
        weights = [0.5**k / k * exp(q) / -expm1(q) for k, q in enumerate(logs, 1)]
        rest = u.op("Exp", u.op("Mul", u.step, u.tape.scalars(logs, "float64")))
        gone = u.op("Sub", u.number(1.0), rest)
        terms = u.op("Mul", u.tape.scalars(weights, "float64"), gone)
        total = u.tape.op("ReduceSum", terms, u.tape.ints([0]), keepdims=0)
        return u.op("Exp", u.op("Sub", u.times(u.step, log(self.beta1)), total))


@dataclass(frozen=True)
class RAdam(Optimizer, word="radam"):
    """Adam that steps along m alone until v is reliable. Source: Liu et al. 2020, arXiv:1908.03265.

    `decay` adds decay·w to the gradient (PyTorch's weight_decay).
    """

    lr: float = key("float", default=1e-3, low=0, doc="learning rate")
    beta1: float = key("float", default=0.9, low=0, high=0.99999, doc="decay rate of the mean of g")
    beta2: float = key("float", default=0.999, low=0.5, high=0.99999,
                       doc="decay rate of the mean of g²")  # fmt: skip
    eps: float = key("float", default=1e-8, low=0, doc="added to the root")
    decay: float = key("float", default=0.0, low=0, doc="L2 penalty; skips biases and norms")

    typical_lr = (1e-6, 0.05)

    def update(self, u: Update) -> Value:
        """w − lr · m̂ · (r·√(1 − β₂ᵗ) / (√v + eps), or 1 while the variance is unknown)."""
        g = u.avoid_denormals(u.penalised(self.decay), self.eps)
        m = _mean(u, g, self.beta1)
        v = u.blend(u.slot("square"), u.op("Mul", g, g), 1 - self.beta2)
        u.keep("square", v)
        root = u.op("Add", u.op("Sqrt", v), u.number(self.eps))
        adaptive, plain = (u.rounded(factor) for factor in self._factors(u.in_float64))
        scale = u.op("Add", u.op("Div", adaptive, root), plain)
        rate = u.op("Div", u.lr, u.corrected(self.beta1))
        return u.op("Sub", u.w, u.op("Mul", u.op("Mul", m, rate), scale))

    def _factors(self, u: Update) -> tuple[Value, Value]:
        """r·√(1 − β₂ᵗ) and 0 where ρ > 5, else 0 and 1; ρ is the length of the average."""
        longest, filled = 2 / (1 - self.beta2) - 1, u.corrected(self.beta2)
        power = u.op("Sub", u.number(1.0), filled)
        lost = u.times(u.op("Div", u.op("Mul", u.step, power), filled), 2)
        length = u.op("Sub", u.number(longest), lost)
        known = u.tape.op("Cast", u.op("Greater", length, u.number(5.0)), to="float64")
        above = u.op("Max", length, u.number(5.0))
        minus4, minus2 = (u.op("Sub", above, u.number(n)) for n in (4.0, 2.0))
        square = u.op("Div", u.op("Mul", u.op("Mul", minus4, minus2), filled), above)
        share = longest / max((longest - 4) * (longest - 2), 1e-12)
        rectified = u.op("Sqrt", u.times(square, abs(share)))
        return u.op("Mul", known, rectified), u.op("Sub", u.number(1.0), known)


@dataclass(frozen=True)
class Lamb(Optimizer, word="lamb"):
    """AdamW's step scaled to the norm of each weight, for large batches. Source: arXiv:1904.00962.

    Biases and norms, which do not decay, take AdamW's step as it is.
    """

    lr: float = key("float", default=1e-3, low=0, doc="learning rate")
    beta1: float = key("float", default=0.9, low=0, high=0.99999, doc="decay rate of the mean of g")
    beta2: float = key("float", default=0.999, low=0, high=0.99999,
                       doc="decay rate of the mean of g²")  # fmt: skip
    eps: float = key("float", default=1e-6, low=0, doc="added to the root")
    decay: float = key("float", default=0.01, low=0, doc="weight decay; skips biases and norms")

    typical_lr = (1e-5, 0.1)
    sign_like = True

    def updates_alone(self, role: Role) -> bool:
        """Every weight that decays: its norm scales the step."""
        return role.decays

    def update(self, u: Update) -> Value:
        """w − lr · |w| / |s| · s with s = m̂ / (√v̂ + eps) + decay·w."""
        g = u.avoid_denormals(u.g, self.eps)
        m = _mean(u, g, self.beta1)
        corrected = u.op("Div", m, u.corrected(self.beta1))
        step = u.op("Div", corrected, _root(u, g, self.beta2, self.eps))
        if not u.role.decays:
            return u.op("Sub", u.w, u.op("Mul", step, u.lr))
        step = u.op("Add", step, u.times(u.w, self.decay)) if self.decay else step
        return u.op("Sub", u.w, u.op("Mul", step, u.op("Mul", u.lr, _trust(u, step))))


def _mean(u: Update, g: Value, beta: float) -> Value:
    """m ← β·m + (1 − β)·g, kept."""
    m = u.blend(u.slot("mean"), g, 1 - beta)
    u.keep("mean", m)
    return m


def _root(u: Update, g: Value, beta: float, eps: float) -> Value:
    """√(v / (1 − βᵗ)) + eps with v the mean of g², kept."""
    v = u.blend(u.slot("square"), u.op("Mul", g, g), 1 - beta)
    u.keep("square", v)
    return u.op("Add", u.op("Sqrt", u.op("Div", v, u.corrected(beta))), u.number(eps))


def _trust(u: Update, step: Value) -> Value:
    """|w| / |step|, and 1 where one of them is 0."""
    sizes = [_norm(u, x) for x in (u.w, step)]
    zero = u.number(0.0)
    known = u.op("And", *(u.op("Greater", size, zero) for size in sizes))
    floor = u.op("Max", sizes[1], u.number(1e-30))
    return u.op("Where", known, u.op("Div", sizes[0], floor), u.number(1.0))


def _norm(u: Update, x: Value) -> Value:
    axes = u.tape.ints(range(len(x.shape)))
    return u.op("Sqrt", u.tape.op("ReduceSumSquare", x, axes, keepdims=0))
