"""Activations: shape kept, each element by itself."""

from dataclasses import dataclass
from math import sqrt

from cnndsl.fields import arg, flag, key
from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Value
from cnndsl.init import Init
from cnndsl.layers.base import Layer, Param
from cnndsl.shapes import Shape


class Activation(Layer):
    """May stand alone or follow a layer in its statement."""

    post = True


@dataclass(frozen=True)
class Relu(Activation, word="relu"):
    """Rectified linear unit. Source: Nair & Hinton 2010.

    x: (N, C, …) → y: (N, C, …);  y = max(0, x)

        input 3x32x32
        conv 32 3x3 same relu
    """

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Relu."""
        return e.op("Relu", x)


@dataclass(frozen=True)
class Relu6(Activation, word="relu6"):
    """ReLU cut at 6. Source: Howard et al. 2017, arXiv:1704.04861.

    x: (N, C, …) → y: (N, C, …);  y = min(max(0, x), 6)

        input 3x32x32
        conv 32 3x3 same bn relu6
    """

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Clip."""
        return e.op("Clip", x, e.scalar(0.0), e.scalar(6.0))


@dataclass(frozen=True)
class LeakyRelu(Activation, word="leaky"):
    """ReLU with a small slope below zero. Source: Maas et al. 2013.

    x: (N, C, …) → y: (N, C, …);  y = x for x ≥ 0, alpha · x below

        input 3x32x32
        conv 32 3x3 same leaky alpha=0.1
    """

    alpha: float = key("float", default=0.01, doc="slope below zero")

    def emit(self, e: Emitter, x: Value) -> Value:
        """One LeakyRelu."""
        return e.op("LeakyRelu", x, alpha=self.alpha)


@dataclass(frozen=True)
class PRelu(Activation, word="prelu"):
    """ReLU with a learned slope for each channel. Source: He et al. 2015, arXiv:1502.01852.

    x: (N, C, …) → y: (N, C, …);  y = x for x ≥ 0, weight · x below

        input 3x32x32
        conv 32 3x3 same prelu
    """

    alpha: float = key("float", default=0.25, doc="slope at the start")

    def params(self, x: Shape) -> tuple[Param, ...]:
        """weight (C, 1, 1), or (F,) for vectors."""
        return (Param("weight", (x[0], *(1 for _ in x[1:])), Init("constant", self.alpha)),)

    def emit(self, e: Emitter, x: Value) -> Value:
        """One PRelu."""
        return e.op("PRelu", x, e.param("weight"))


@dataclass(frozen=True)
class Elu(Activation, word="elu"):
    """Exponential linear unit. Source: Clevert et al. 2015, arXiv:1511.07289.

    x: (N, C, …) → y: (N, C, …);  y = x for x ≥ 0, alpha · (eˣ − 1) below

        input 3x32x32
        conv 32 3x3 same elu
    """

    alpha: float = key("float", default=1.0, doc="minus the limit far below zero")

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Elu."""
        return e.op("Elu", x, alpha=self.alpha)


@dataclass(frozen=True)
class Selu(Activation, word="selu"):
    """Self-normalising ELU. Source: Klambauer et al. 2017, arXiv:1706.02515.

    x: (N, C, …) → y: (N, C, …);  y = 1.0507 · (x for x ≥ 0, 1.6733 · (eˣ − 1) below)

        input 3x32x32
        conv 32 3x3 same init=lecun_normal selu
    """

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Selu."""
        return e.op("Selu", x, alpha=1.6732632423543772, gamma=1.0507009873554805)


@dataclass(frozen=True)
class Gelu(Activation, word="gelu"):
    """Gaussian error linear unit. Source: Hendrycks & Gimpel 2016, arXiv:1606.08415.

    x: (N, C, …) → y: (N, C, …);  y = x · Φ(x), the exact form

        input 3x32x32
        conv 32 3x3 same gelu
    """

    def emit(self, e: Emitter, x: Value) -> Value:
        """x · (½ + ½·erf(x / √2)): the exact form."""
        erf = e.op("Erf", e.op("Mul", x, e.scalar(1 / sqrt(2))))
        half = e.scalar(0.5)
        return e.op("Mul", x, e.op("Add", e.op("Mul", erf, half), half))


@dataclass(frozen=True)
class Silu(Activation, word="silu"):
    """Sigmoid-weighted linear unit, swish. Source: Elfwing et al. 2017, arXiv:1702.03118.

    x: (N, C, …) → y: (N, C, …);  y = x · σ(x)

        input 3x32x32
        conv 32 3x3 same bn silu
    """

    def emit(self, e: Emitter, x: Value) -> Value:
        """Sigmoid and Mul."""
        return e.op("Mul", x, e.op("Sigmoid", x))


@dataclass(frozen=True)
class HardSigmoid(Activation, word="hsigmoid"):
    """Sigmoid of three straight pieces. Source: Howard et al. 2019, arXiv:1905.02244.

    x: (N, C, …) → y: (N, C, …);  y = min(max(0, x/6 + ½), 1)

        input 16x1x1
        conv 16 1x1 hsigmoid
    """

    def emit(self, e: Emitter, x: Value) -> Value:
        """One HardSigmoid."""
        return e.op("HardSigmoid", x, alpha=1 / 6, beta=0.5)


@dataclass(frozen=True)
class HardSwish(Activation, word="hswish"):
    """Swish of straight pieces. Source: Howard et al. 2019, arXiv:1905.02244.

    x: (N, C, …) → y: (N, C, …);  y = x · hsigmoid(x)

        input 3x32x32
        conv 16 3x3 same bn hswish
    """

    def emit(self, e: Emitter, x: Value) -> Value:
        """HardSigmoid and Mul."""
        return e.op("Mul", x, e.op("HardSigmoid", x, alpha=1 / 6, beta=0.5))


@dataclass(frozen=True)
class Sigmoid(Activation, word="sigmoid"):
    """Logistic function: any number to one between 0 and 1.

    x: (N, C, …) → y: (N, C, …);  y = 1 / (1 + e⁻ˣ)

        input 3x32x32
        conv 32 3x3 same sigmoid
    """

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Sigmoid."""
        return e.op("Sigmoid", x)


@dataclass(frozen=True)
class Tanh(Activation, word="tanh"):
    """Hyperbolic tangent: any number to one between −1 and 1.

    x: (N, C, …) → y: (N, C, …);  y = tanh(x)

        input 1x32x32
        conv 6 5x5 tanh
    """

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Tanh."""
        return e.op("Tanh", x)


@dataclass(frozen=True)
class Softplus(Activation, word="softplus"):
    """Smooth ReLU. Source: Dugas et al. 2000.

    x: (N, C, …) → y: (N, C, …);  y = log(1 + eˣ)

        input 3x32x32
        conv 32 3x3 same softplus
    """

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Softplus."""
        return e.op("Softplus", x)


@dataclass(frozen=True)
class Mish(Activation, word="mish"):
    """A smooth, self-gated unit. Source: Misra 2019, arXiv:1908.08681.

    x: (N, C, …) → y: (N, C, …);  y = x · tanh(log(1 + eˣ))

        input 3x32x32
        conv 32 3x3 same mish
    """

    def emit(self, e: Emitter, x: Value) -> Value:
        """Softplus, Tanh and Mul."""
        return e.op("Mul", x, e.op("Tanh", e.op("Softplus", x)))


@dataclass(frozen=True)
class Scale(Activation, word="scale"):
    """A factor for each channel, learned (ConvNeXt's layer scale) unless it is `fixed`.

    x: (N, C, …) → y: (N, C, …);  y = x · weight, or x · value

    `scale 1/9 fixed` behind the last layer is a temperature: it makes logits small.
    Source: Touvron et al. 2021, arXiv:2103.17239.

        input 96x8x8
        residual { conv 96 1x1; scale 1e-6 }
        gap; dense 10 nobias; scale 1/9 fixed
    """

    value: float = arg("float", default=1.0, doc="the factor, at the start where it is learned")
    fixed: bool = flag("fixed", doc="the factor is not learned")

    def params(self, x: Shape) -> tuple[Param, ...]:
        """weight (C, 1, 1), or (F,) for vectors; none where it is fixed."""
        if self.fixed:
            return ()
        return (Param("weight", (x[0], *(1 for _ in x[1:])), Init("constant", self.value)),)

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Mul."""
        return e.op("Mul", x, e.scalar(self.value) if self.fixed else e.param("weight"))
