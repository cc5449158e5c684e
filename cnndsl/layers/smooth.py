"""Smooth activations that are sums and products of others: `celu logsigmoid softsign`."""

from dataclasses import dataclass

from cnndsl.fields import key
from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Value
from cnndsl.layers.activation import Activation


@dataclass(frozen=True)
class Celu(Activation, word="celu"):
    """ELU whose slope is continuous for every alpha. Source: Barron 2017, arXiv:1704.07483.

    x: (N, C, …) → y: (N, C, …);  y = x for x ≥ 0, alpha · (e^(x/alpha) − 1) below

        input 3x32x32
        conv 32 3x3 same celu alpha=0.5
    """

    alpha: float = key("float", default=1.0, low=1e-6, doc="minus the limit far below zero")

    def emit(self, e: Emitter, x: Value) -> Value:
        """alpha · elu(x / alpha)."""
        if self.alpha == 1:
            return e.op("Elu", x, alpha=1.0)
        unit = e.op("Elu", e.op("Mul", x, e.scalar(1 / self.alpha)), alpha=1.0)
        return e.op("Mul", unit, e.scalar(self.alpha))


@dataclass(frozen=True)
class LogSigmoid(Activation, word="logsigmoid"):
    """Logarithm of the logistic function, exact far from zero, too.

    x: (N, C, …) → y: (N, C, …);  y = log(1 / (1 + e⁻ˣ))

        input 3x32x32
        flatten; dense 10; logsigmoid
    """

    def emit(self, e: Emitter, x: Value) -> Value:
        """−softplus(−x)."""
        return e.op("Neg", e.op("Softplus", e.op("Neg", x)))


@dataclass(frozen=True)
class Softsign(Activation, word="softsign"):
    """A sigmoid between −1 and 1 with slow tails. Source: Glorot & Bengio 2010, AISTATS.

    x: (N, C, …) → y: (N, C, …);  y = x / (1 + |x|)

        input 3x32x32
        conv 32 3x3 same softsign
    """

    def emit(self, e: Emitter, x: Value) -> Value:
        """Abs, Add and Div."""
        return e.op("Div", x, e.op("Add", e.op("Abs", x), e.scalar(1.0)))
