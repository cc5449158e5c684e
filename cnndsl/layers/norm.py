"""Normalisation: `bn`, `ln`, `gn`, `in`, `lrn`."""

from dataclasses import dataclass

from cnndsl.fields import arg, flag, key
from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Value
from cnndsl.init import ONES, ZEROS
from cnndsl.layers.base import Layer, Param, Reject, image, sample
from cnndsl.layers.groups import check_groups
from cnndsl.layers.mend import Field
from cnndsl.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class Normalisation(Layer):
    """What normalisations learn: a factor and an offset a channel; either may be left out."""

    noscale: bool = flag("noscale", doc="no factor is learned")
    noshift: bool = flag("noshift", doc="no offset is learned")

    def params(self, x: Shape) -> tuple[Param, ...]:
        """weight and bias, each (C,), where they are learned; neither decays."""
        weight = [] if self.noscale else [Param("weight", (x[0],), ONES)]
        return (*weight, *([] if self.noshift else [Param("bias", (x[0],), ZEROS)]))

    def factor_and_offset(self, e: Emitter, channels: int) -> tuple[Value, Value]:
        """weight and bias as the operators take them: 1 and 0 where they are not learned."""
        weight = vector(e, 1.0, channels) if self.noscale else e.param("weight")
        return weight, vector(e, 0.0, channels) if self.noshift else e.param("bias")


@dataclass(frozen=True)
class BatchNorm(Normalisation, word="bn"):
    """Batch normalisation: each channel to mean 0 and variance 1 over the batch.

    x: (N, C, …) → y: (N, C, …);  y = (x − mean) / √(var + eps) · weight + bias

    Training uses the batch's own statistics and keeps running ones, with PyTorch's momentum:
    running ← (1 − momentum) · running + momentum · batch. Inference uses the running ones.

    Source: Ioffe & Szegedy 2015, arXiv:1502.03167. Cost: none at inference, folded into `conv`.

        input 3x32x32
        conv 64 3x3 same bn relu
        conv 64 3x3 same bn eps=1e-3 relu
    """

    post = True
    eps: float = key("float", default=1e-5, low=0, doc="added to the variance")
    momentum: float = key("float", default=0.1, low=0, high=1, doc="weight of the new statistics")

    def params(self, x: Shape) -> tuple[Param, ...]:
        """weight and bias as learned, running_mean and running_var, each (C,)."""
        return (
            *super().params(x),
            Param("running_mean", (x[0],), ZEROS, learned=False),
            Param("running_var", (x[0],), ONES, learned=False),
        )

    def emit(self, e: Emitter, x: Value) -> Value:
        """One BatchNormalization; in training it also yields the new running statistics."""
        learned = self.factor_and_offset(e, int(x.shape[1]))
        tensors = (*learned, e.param("running_mean"), e.param("running_var"))
        if not e.training or e.is_frozen("running_mean"):
            return e.op("BatchNormalization", x, *tensors, epsilon=self.eps)
        y, mean, var = e.tape.ops(
            "BatchNormalization", x, *tensors, results=3,
            epsilon=self.eps, momentum=1 - self.momentum, training_mode=1,
        )  # fmt: skip
        e.update("running_mean", mean)
        e.update("running_var", var)
        return y


@dataclass(frozen=True)
class LayerNorm(Normalisation, word="ln"):
    """Layer normalisation over the channels, at each position by itself (ConvNeXt's use).

    x: (N, C, …) → y: (N, C, …);  y = (x − mean_c) / √(var_c + eps) · weight + bias

    Source: Ba et al. 2016, arXiv:1607.06450.

        input 3x32x32
        conv 96 4x4 /4; ln
        gap; ln eps=1e-6; dense 10
    """

    post = True
    eps: float = key("float", default=1e-5, low=0, doc="added to the variance")

    def emit(self, e: Emitter, x: Value) -> Value:
        """LayerNormalization on the last axis, between two transpositions for images."""
        tensors = self.factor_and_offset(e, int(x.shape[1]))
        if len(x.shape) == 2:
            return e.op("LayerNormalization", x, *tensors, axis=-1, epsilon=self.eps)
        last = e.op("Transpose", x, perm=(0, 2, 3, 1))
        normed = e.op("LayerNormalization", last, *tensors, axis=-1, epsilon=self.eps)
        return e.op("Transpose", normed, perm=(0, 3, 1, 2))


@dataclass(frozen=True)
class GroupNorm(Normalisation, word="gn"):
    """Group normalisation: mean 0 and variance 1 over groups of channels of one sample.

    x: (N, C, H, W) → y: (N, C, H, W). Source: Wu & He 2018, arXiv:1803.08494.

        input 3x32x32
        conv 64 3x3 same; gn 32; relu
    """

    post = True
    groups: int = arg("int", key="groups", low=1, doc="number of groups")
    eps: float = key("float", default=1e-5, low=0, doc="added to the variance")

    def shape(self, x: Shape) -> Shape:
        """Unchanged; the groups must divide the channels."""
        channels, _, _ = image(x, "gn")
        check_groups(self.groups, {"channels": channels}, "gn {}", x)
        return x

    def emit(self, e: Emitter, x: Value) -> Value:
        """InstanceNormalization of the groups, then the factor and offset that are learned."""
        channels, height, width = sample(x)
        grouped = e.tape.reshape(x, 0, self.groups, -1)
        ones, zeros = vector(e, 1.0, self.groups), vector(e, 0.0, self.groups)
        normed = e.op("InstanceNormalization", grouped, ones, zeros, epsilon=self.eps)
        y = e.tape.reshape(normed, 0, channels, height, width)
        y = y if self.noscale else e.op("Mul", y, column(e, "weight"))
        return y if self.noshift else e.op("Add", y, column(e, "bias"))


@dataclass(frozen=True)
class InstanceNorm(Normalisation, word="in"):
    """Instance normalisation: each channel of each sample by itself.

    x: (N, C, H, W) → y: (N, C, H, W). Source: Ulyanov et al. 2016, arXiv:1607.08022.

        input 3x32x32
        conv 64 3x3 same; in; relu
    """

    post = True
    eps: float = key("float", default=1e-5, low=0, doc="added to the variance")

    def shape(self, x: Shape) -> Shape:
        """Unchanged."""
        return image(x, "in")

    def emit(self, e: Emitter, x: Value) -> Value:
        """One InstanceNormalization."""
        tensors = self.factor_and_offset(e, int(x.shape[1]))
        return e.op("InstanceNormalization", x, *tensors, epsilon=self.eps)


@dataclass(frozen=True)
class LocalResponseNorm(Layer, word="lrn"):
    """Local response normalisation: each value over its neighbours in the channels.

    x: (N, C, H, W) → y;  y[c] = x[c] / (k + alpha/size · Σ x[c']²)^beta over |c' − c| ≤ size/2

    Source: Krizhevsky et al. 2012 (AlexNet).

        input 3x224x224
        conv 64 11x11 /4 pad=2 relu; lrn 5
    """

    post = True
    size: int = arg("int", key="size", default=5, low=1, doc="channels looked at; odd")
    alpha: float = key("float", default=1e-4, doc="factor of the squares")
    beta: float = key("float", default=0.75, doc="exponent")
    k: float = key("float", default=1.0, low=0, doc="added to the sum")

    def shape(self, x: Shape) -> Shape:
        """Unchanged; the size must be odd."""
        if self.size % 2 == 0:
            raise Reject(
                "E107", f"`lrn` needs an odd size, not {self.size}", arg="size",
                help=f"write `lrn {self.size + 1}`", assume=x,
                mend=Field("size", f"{self.size + 1}"),
            )  # fmt: skip
        return image(x, "lrn")

    def emit(self, e: Emitter, x: Value) -> Value:
        """One LRN."""
        return e.op("LRN", x, size=self.size, alpha=self.alpha, beta=self.beta, bias=self.k)


def vector(e: Emitter, number: float, size: int) -> Value:
    """A constant vector of one number."""
    import numpy as np

    return e.tape.const(np.full(size, number, np.dtype(e.dtype)))


def column(e: Emitter, name: str) -> Value:
    """A (C,) parameter as (C, 1, 1), so that it broadcasts over an image."""
    return e.tape.reshape(e.param(name), -1, 1, 1)
