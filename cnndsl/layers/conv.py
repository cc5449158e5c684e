"""Convolutions: `conv`, `dwconv`."""

from dataclasses import dataclass, replace
from typing import Any, Self

from cnndsl import init
from cnndsl.fields import arg, flag, key, word
from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Value
from cnndsl.init import ZEROS, Fans, Init
from cnndsl.layers.base import Layer, Param, Reject, Window, image, sample, sole_padding
from cnndsl.layers.groups import check_groups
from cnndsl.layers.mend import Field
from cnndsl.shapes import (
    Padding,
    Pads,
    Pair,
    Shape,
    largest_window,
    pads_2d,
    reach_2d,
    short,
    show,
    window_2d,
)


@dataclass(frozen=True)
class Convolution(Layer):
    """What the convolutions share: window, weights, bias, emission."""

    @property
    def geometry(self) -> "Geometry":
        """The window, from the layer's own fields."""
        values = {name: getattr(self, name) for name in Geometry.__match_args__}
        return Geometry(**values)

    def window(self, x: Shape) -> Window:
        """Kernel reach and stride."""
        g = self.geometry
        return Window(reach_2d(g.kernel, g.dilation), g.stride)


@dataclass(frozen=True)
class Geometry:
    """Kernel, stride, padding and dilation of a window, both axes."""

    kernel: Pair
    stride: Pair
    padding: Padding
    pads: Pair | None
    dilation: Pair

    def onnx_pads(self, x: Shape) -> Pads:
        """Explicit pads for an input of this shape."""
        if self.pads is not None:
            return (*self.pads, *self.pads)
        return pads_2d(self.padding, (x[1], x[2]), self.kernel, self.stride, self.dilation)

    def output(self, x: Shape) -> Pair:
        """Height and width of the output; rejects kernels that do not fit."""
        size = window_2d((x[1], x[2]), self.kernel, self.stride, self.onnx_pads(x), self.dilation)
        if min(size) > 0:
            return size
        return self._reject(x)

    def _reject(self, x: Shape) -> Pair:
        spread = "" if self.dilation == (1, 1) else f" with dilation {show(self.dilation)}"
        instead = "" if self.pads is None else f" in the place of `pad={short(self.pads)}`"
        largest = largest_window((x[1], x[2]), self.onnx_pads(x), self.dilation)
        raise Reject(
            "E201",
            f"kernel {show(self.kernel)}{spread} does not fit a {x[1]}x{x[2]} input",
            arg="kernel",
            help=f"write `same`{instead}, or use a kernel of at most {show(largest)}",
            assume=(0, *(-(-d // s) for d, s in zip(x[1:], self.stride, strict=True))),
            mend=Field("padding" if self.pads is None else "pads", "same"),
        )

    def attributes(self, x: Shape) -> dict[str, Any]:
        """ONNX attributes, pads explicit."""
        return {
            "kernel_shape": self.kernel,
            "strides": self.stride,
            "dilations": self.dilation,
            "pads": self.onnx_pads(x),
        }


def fitted(g: Geometry, channels: int, x: Shape) -> Shape:
    """`channels` maps of the window's output size; a Reject assumes these channels too."""
    try:
        return (channels, *g.output(x))
    except Reject as reject:
        reject.assume = (channels, *(reject.assume or (0, 1, 1))[1:])
        raise


@dataclass(frozen=True)
class Conv(Convolution, word="conv"):
    """2-D convolution: learned kernels slide over the image.

    x: (N, C, H, W) → y: (N, filters, H', W')
    y[n,o,i,j] = Σ_c,u,v w[o,c,u,v] · x[n, c, i·s+u·d−p, j·s+v·d−p] + b[o]

    `valid` adds no zeros, `same` gives ceil(size / stride) with the odd zero at the end (Keras,
    ONNX SAME_UPPER), `pad` adds k//2 zeros on every side (PyTorch, Darknet; times the dilation for
    odd k), `pad=n` exactly n. The bias is on unless `bn` follows in the same statement.

    Initialisation: He et al. 2015, arXiv:1502.01852; bias 0. `init=whiten` takes the filters from
    the training images, when training begins: those that make the windows of what reaches the layer
    uncorrelated and of variance 1, each with its negative. Without images (`compile` of fresh
    weights) they are directions at right angles, drawn by chance.
    Cost: filters · C/groups · k² multiply-accumulates an output position.

        input 3x32x32
        conv 32 3x3 same relu      # 32x32x32
        conv 64 3x3 same /2 bn     # 64x16x16, no bias
        conv 64 3 pad groups=4 dilation=2
    """

    filters: int = arg("int", low=1, doc="number of kernels, the output channels")
    kernel: Pair = arg("pair", key="k", low=1, doc="kernel size, height x width")
    padding: Padding = word("valid", "same", "pad", default="valid", doc="zeros around the image")
    bias: bool | None = flag("bias", "nobias", default=None, doc="whether a bias is added")
    stride: Pair = key("pair", default=(1, 1), low=1, doc="step of the window")
    pads: Pair | None = key("pair", name="pad", low=0, doc="exactly so many zeros on every side")
    dilation: Pair = key("pair", default=(1, 1), low=1, doc="distance between kernel taps")
    groups: int = key("int", default=1, low=1, doc="independent groups of channels")
    init: str = key("choice", default="he_normal", choices=init.NAMES, doc="initialiser")
    l2: float = key("float", default=0.0, low=0, doc="weight of the squared norm in the loss")

    def shape(self, x: Shape) -> Shape:
        """(filters, H', W')."""
        channels, _, _ = image(x, "conv")
        sole_padding(self, x)
        counts = {"input channels": channels, "filters": self.filters}
        check_groups(self.groups, counts, "groups={}", (self.filters, *x[1:]))
        return fitted(self.geometry, self.filters, x)

    def params(self, x: Shape) -> tuple[Param, ...]:
        """weight (filters, C/groups, kh, kw) and bias (filters)."""
        shape = (self.filters, x[0] // self.groups, *self.kernel)
        area = self.kernel[0] * self.kernel[1]
        fans = Fans(shape[1] * area, self.filters // self.groups * area)
        weight = Param("weight", shape, Init(self.init), fans, decay=True, l2=self.l2)
        return (weight, *bias_params(self.filters, self.bias))

    def macs(self, x: Shape, y: Shape) -> int:
        """filters · C/groups · kh · kw · H' · W'."""
        return y[0] * y[1] * y[2] * (x[0] // self.groups) * self.kernel[0] * self.kernel[1]

    def before(self, words: tuple[str, ...]) -> Self:
        """Without bias where `bn` follows."""
        return without_bias(self, words)

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Conv."""
        attributes = self.geometry.attributes(sample(x))
        return e.op("Conv", x, *weight_and_bias(e, self.bias), group=self.groups, **attributes)


@dataclass(frozen=True)
class DepthwiseConv(Convolution, word="dwconv"):
    """Depthwise convolution: one kernel for each channel (`multiplier` kernels with it).

    x: (N, C, H, W) → y: (N, C·multiplier, H', W'); a `conv` with groups = C.

    Initialisation: He et al. 2015, arXiv:1502.01852; bias 0.
    Source: Chollet 2017, arXiv:1610.02357.
    Cost: k² multiply-accumulates an output value.

        input 32x16x16
        dwconv 3x3 same bn relu6
        dwconv 3x3 pad /2
    """

    kernel: Pair = arg("pair", key="k", low=1, doc="kernel size, height x width")
    padding: Padding = word("valid", "same", "pad", default="valid", doc="zeros around the image")
    bias: bool | None = flag("bias", "nobias", default=None, doc="whether a bias is added")
    stride: Pair = key("pair", default=(1, 1), low=1, doc="step of the window")
    pads: Pair | None = key("pair", name="pad", low=0, doc="exactly so many zeros on every side")
    dilation: Pair = key("pair", default=(1, 1), low=1, doc="distance between kernel taps")
    multiplier: int = key("int", default=1, low=1, doc="kernels for each channel")
    init: str = key("choice", default="he_normal", choices=init.WITHOUT_IMAGES, doc="initialiser")
    l2: float = key("float", default=0.0, low=0, doc="weight of the squared norm in the loss")

    def shape(self, x: Shape) -> Shape:
        """(C·multiplier, H', W')."""
        channels, _, _ = image(x, "dwconv")
        sole_padding(self, x)
        return fitted(self.geometry, channels * self.multiplier, x)

    def params(self, x: Shape) -> tuple[Param, ...]:
        """weight (C·multiplier, 1, kh, kw) and bias."""
        out, area = x[0] * self.multiplier, self.kernel[0] * self.kernel[1]
        fans = Fans(area, self.multiplier * area)
        shape = (out, 1, *self.kernel)
        weight = Param("weight", shape, Init(self.init), fans, decay=True, l2=self.l2)
        return (weight, *bias_params(out, self.bias))

    def macs(self, x: Shape, y: Shape) -> int:
        """C·multiplier · kh · kw · H' · W'."""
        return y[0] * y[1] * y[2] * self.kernel[0] * self.kernel[1]

    def before(self, words: tuple[str, ...]) -> Self:
        """Without bias where `bn` follows."""
        return without_bias(self, words)

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Conv with a group for each channel."""
        attributes = self.geometry.attributes(sample(x))
        return e.op("Conv", x, *weight_and_bias(e, self.bias), group=int(x.shape[1]), **attributes)


def bias_params(channels: int, bias: bool | None) -> tuple[Param, ...]:
    """The bias, one number a channel; none where it is switched off."""
    return () if bias is False else (Param("bias", (channels,), ZEROS),)


def weight_and_bias(e: Emitter, bias: bool | None) -> tuple[Value, ...]:
    """The tensors of `weight` and of the bias, if there is one."""
    return (e.param("weight"), *(() if bias is False else (e.param("bias"),)))


def without_bias(layer: Any, words: tuple[str, ...]) -> Any:
    """The layer with its unsaid bias switched off where `bn` follows."""
    return replace(layer, bias=False) if layer.bias is None and "bn" in words else layer
