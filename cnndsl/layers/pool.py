"""Pooling: `pool`, `avgpool`, `gap`, `gmp`."""

from dataclasses import dataclass
from math import inf
from typing import Any

from cnndsl.fields import arg, flag, key, word
from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Value
from cnndsl.layers.base import Layer, Reject, Window, image, sample, sole_padding
from cnndsl.layers.mend import Field, LeaveOut
from cnndsl.shapes import (
    Padding,
    Pads,
    Pair,
    Shape,
    is_window_blind,
    largest_window,
    overhang_1d,
    pads_2d,
    reach_2d,
    short,
    show,
    window_2d,
)


class Pooling(Layer):
    """What the windows share. Pools take a window, a stride (the window by default) and padding."""

    kernel: Pair
    stride: Pair | None
    padding: Padding
    pads: Pair | None
    rounding: str
    dilation: Pair = (1, 1)

    @property
    def span(self) -> Pair:
        """How many rows and columns a window reaches over."""
        return reach_2d(self.kernel, self.dilation)

    @property
    def step(self) -> Pair:
        """The stride."""
        return self.stride or self.kernel

    def onnx_pads(self, x: Shape) -> Pads:
        """Explicit pads for an input of this shape."""
        if self.pads is not None:
            return (*self.pads, *self.pads)
        return pads_2d(self.padding, (x[1], x[2]), self.kernel, self.step, self.dilation)

    def shape(self, x: Shape) -> Shape:
        """(C, H', W')."""
        channels, _, _ = image(x, self.word)
        sole_padding(self, x)
        pads = self.onnx_pads(x)
        if any(p >= k for p, k in zip(pads, self.span * 2, strict=True)):
            less = short((min(pads[0], self.span[0] - 1), min(pads[1], self.span[1] - 1)))
            raise Reject(
                "E201", f"padding {show(pads[:2])} is not smaller than the window "
                f"{show(self.span)}: a window would see only padding", arg="pads",
                help=f"write `pad={less}`, or use a larger window", assume=x,
                mend=Field("pads", f"pad={less}"),
            )  # fmt: skip
        size = self._output(x)
        if min(size) <= 0:
            raise self._misfit(x, pads)
        self._check_gaps(x, pads, size)
        return (channels, *size)

    def _misfit(self, x: Shape, pads: Pads) -> Reject:
        """No window fits."""
        channels, height, width = x
        largest = largest_window((height, width), pads, self.dilation)
        fits = short((min(self.kernel[0], largest[0]), min(self.kernel[1], largest[1])))
        smaller = f"use a window of at most {show(largest)}, or " if largest != (1, 1) else ""
        return Reject(
            "E201",
            f"window {show(self.span)} does not fit a {height}x{width} input",
            arg="kernel",
            help=f"{smaller}leave this `{self.word}` out",
            assume=(channels, max(1, height // self.step[0]), max(1, width // self.step[1])),
            mend=Field("kernel", fits) if smaller else LeaveOut(),
        )

    def _check_gaps(self, x: Shape, pads: Pads, size: Pair) -> None:
        """Rejects a dilated window whose values all stand beside the image."""
        axes = zip(x[1:], self.kernel, self.step, pads[:2], self.dilation, size, strict=True)
        if self.dilation != (1, 1) and any(is_window_blind(*axis) for axis in axes):
            raise Reject(
                "E201", f"with a dilation of {show(self.dilation)} a window would see only padding",
                arg="dilation", help="use a smaller `dilation` or less padding", assume=x,
            )  # fmt: skip

    def window(self, x: Shape) -> Window:
        """Window and stride."""
        return Window(self.span, self.step)

    def _output(self, x: Shape) -> Pair:
        pads, ceil = self.onnx_pads(x), self.rounding == "ceil"
        return window_2d((x[1], x[2]), self.kernel, self.step, pads, self.dilation, ceil)

    def overhang(self, x: Shape) -> Pads:
        """Padding at the ends that gives the last windows of `ceil` their full size."""
        (top, left, bottom, right), (rows, columns) = self.onnx_pads(x), self._output(x)
        (kh, kw), (sh, sw) = self.span, self.step
        below = overhang_1d(x[1], kh, sh, (top, bottom), rows)
        return 0, 0, below, overhang_1d(x[2], kw, sw, (left, right), columns)

    def attributes(self, pads: Pads) -> dict[str, Any]:
        """ONNX attributes. Pads are explicit, so `ceil_mode`, which runtimes differ on, is not."""
        spread = {} if self.dilation == (1, 1) else {"dilations": self.dilation}
        return {"kernel_shape": self.kernel, "strides": self.step, "pads": pads, **spread}


def plus(a: Pads, b: Pads) -> Pads:
    """The sum of two paddings."""
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]


@dataclass(frozen=True)
class MaxPool(Pooling, word="pool"):
    """Max-pooling: the largest value of each window.

    x: (N, C, H, W) → y: (N, C, H', W');  padding never wins.

    `pool 2` is a 2×2 window with stride 2. `ceil` rounds the output size up. `dilation=2` takes
    every second value.

        input 64x32x32
        pool 2                     # 64x16x16
        pool 3 /2 pad              # 64x8x8
        pool 3 /1 pad dilation=2   # 64x8x8
    """

    kernel: Pair = arg("pair", key="k", low=1, doc="window")
    padding: Padding = word("valid", "same", "pad", default="valid", doc="padding of the borders")
    rounding: str = word("floor", "ceil", default="floor", doc="how the output size is rounded")
    stride: Pair | None = key("pair", low=1, doc="step of the window; the window by default")
    pads: Pair | None = key("pair", name="pad", low=0, doc="exactly so much padding on every side")
    dilation: Pair = key("pair", default=(1, 1), low=1, doc="step between the values of a window")

    def emit(self, e: Emitter, x: Value) -> Value:
        """One MaxPool, behind a Pad where the padding is wider than onnxruntime takes it."""
        pads = plus(self.onnx_pads(sample(x)), self.overhang(sample(x)))
        if any(p >= k for p, k in zip(pads, self.kernel * 2, strict=True)):
            (top, left, bottom, right), pads = pads, (0, 0, 0, 0)
            around = e.ints(0, 0, top, left, 0, 0, bottom, right)
            x = e.op("Pad", x, around, e.scalar(-inf))
        return e.op("MaxPool", x, **self.attributes(pads))


@dataclass(frozen=True)
class AveragePool(Pooling, word="avgpool"):
    """Average-pooling: the mean of each window.

    x: (N, C, H, W) → y: (N, C, H', W')

    Zeros of the padding count in the mean (PyTorch's default); `nocount` leaves them out (Keras).
    What a window of `ceil` has beyond the padding never counts.

        input 64x32x32
        avgpool 2                  # 64x16x16
        avgpool 3 /1 pad           # 64x16x16
    """

    kernel: Pair = arg("pair", key="k", low=1, doc="window")
    padding: Padding = word("valid", "same", "pad", default="valid", doc="padding of the borders")
    rounding: str = word("floor", "ceil", default="floor", doc="how the output size is rounded")
    counting: bool = flag("count", "nocount", default=True, doc="whether padding is averaged in")
    stride: Pair | None = key("pair", low=1, doc="step of the window; the window by default")
    pads: Pair | None = key("pair", name="pad", low=0, doc="exactly so much padding on every side")

    def emit(self, e: Emitter, x: Value) -> Value:
        """One AveragePool, behind a Pad where the padding counts but the overhang does not."""
        pads, past = self.onnx_pads(sample(x)), self.overhang(sample(x))
        if self.counting and any(pads) and any(past):
            (top, left, bottom, right), pads = pads, (0, 0, 0, 0)
            x = e.op("Pad", x, e.ints(0, 0, top, left, 0, 0, bottom, right))
        included = int(self.counting and not any(past))
        return e.op(
            "AveragePool", x, count_include_pad=included, **self.attributes(plus(pads, past))
        )


class GlobalPooling(Layer):
    """One value a channel."""

    def shape(self, x: Shape) -> Shape:
        """(C, 1, 1)."""
        return (image(x, self.word)[0], 1, 1)

    def window(self, x: Shape) -> None:
        """Sees everything."""
        return


@dataclass(frozen=True)
class GlobalAveragePool(GlobalPooling, word="gap"):
    """Global average pooling: the mean of each channel. Source: Lin et al. 2013, arXiv:1312.4400.

    x: (N, C, H, W) → y: (N, C, 1, 1)

        input 512x7x7
        gap                        # 512x1x1
        dense 1000
    """

    def emit(self, e: Emitter, x: Value) -> Value:
        """One GlobalAveragePool."""
        return e.op("GlobalAveragePool", x)


@dataclass(frozen=True)
class GlobalMaxPool(GlobalPooling, word="gmp"):
    """Global max-pooling: the largest value of each channel.

    x: (N, C, H, W) → y: (N, C, 1, 1)

        input 512x7x7
        gmp                        # 512x1x1
        dense 1000
    """

    def emit(self, e: Emitter, x: Value) -> Value:
        """One GlobalMaxPool."""
        return e.op("GlobalMaxPool", x)
