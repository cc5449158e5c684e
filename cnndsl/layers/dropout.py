"""Random layers, at work in training only: `dropout`, `droppath`."""

from dataclasses import dataclass

from cnndsl.fields import arg
from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Dims, Value
from cnndsl.layers.base import Layer


class Dropping(Layer):
    """Zeroes something with probability p and scales the rest by 1 / (1 − p)."""

    post = True
    p: float

    def mask(self, x: Value) -> Dims:
        """Shape of the random numbers, one for everything that is dropped together."""
        raise NotImplementedError(self.word)

    def emit(self, e: Emitter, x: Value) -> Value:
        """The input itself, or in training x · [u ≥ p] / (1 − p) with uniform u from the host."""
        if not e.drops or self.p == 0:
            return x
        kept = e.op("Not", e.op("Less", e.uniform(*self.mask(x)), e.scalar(self.p)))
        factor = e.op("Mul", e.op("Cast", kept, to=e.dtype), e.scalar(1 / (1 - self.p)))
        return e.op("Mul", x, factor)


@dataclass(frozen=True)
class Dropout(Dropping, word="dropout"):
    """Zeroes each value with probability p in training. Source: Srivastava et al. 2014.

    x: (N, …) → y: (N, …);  y = x · [u ≥ p] / (1 − p), u uniform; at inference y = x.

        input 3x32x32
        flatten; dense 128 relu; dropout 0.5; dense 10
    """

    p: float = arg("float", key="p", default=0.5, low=0, high=0.999, doc="probability of zero")

    def mask(self, x: Value) -> Dims:
        """One number a value."""
        return x.shape


@dataclass(frozen=True)
class DropPath(Dropping, word="droppath"):
    """Stochastic depth: zeroes a sample's branch. Source: Huang et al. 2016, arXiv:1603.09382.

    x: (N, …) → y: (N, …);  y = x · [u ≥ p] / (1 − p), one u a sample; at inference y = x.

        input 16x8x8
        residual { conv 16 3x3 same; droppath 0.1 }
    """

    p: float = arg("float", key="p", default=0.1, low=0, high=0.999, doc="probability of zero")

    def mask(self, x: Value) -> Dims:
        """One number a sample."""
        return (x.shape[0], *(1 for _ in x.shape[1:]))
