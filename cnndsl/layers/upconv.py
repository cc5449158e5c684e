"""Transposed convolution: `upconv`."""

from dataclasses import dataclass, replace
from typing import Any, Self

from cnndsl import init
from cnndsl.fields import arg, flag, key, word
from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Value
from cnndsl.init import Fans, Init
from cnndsl.layers.base import Layer, Param, Reject, Window, image, sole_padding
from cnndsl.layers.conv import bias_params, weight_and_bias, without_bias
from cnndsl.layers.groups import check_groups
from cnndsl.layers.mend import Field
from cnndsl.shapes import Pair, Shape, reach, reach_2d, short, show, transposed_1d


@dataclass(frozen=True)
class TransposedConv(Layer, word="upconv"):
    """Transposed convolution: enlarges the map with learned kernels.

    x: (N, C, H, W) → y: (N, filters, (H−1)·s − 2·p + (k−1)·d + 1, …)

    `same` gives size · stride (Keras), `pad` and `pad=n` cut k//2 or n rows on every side
    (PyTorch's `padding`), `extra=n` adds n at the end (PyTorch's `output_padding`). A dilated
    kernel spans (k−1)·d + 1 rows.

    Initialisation: He et al. 2015, arXiv:1502.01852; bias 0.
    Source: Zeiler et al. 2010, Deconvolutional Networks; Dumoulin & Visin, arXiv:1603.07285.
    Cost: filters · C / groups · k² multiply-accumulates an input position.

        input 64x8x8
        upconv 32 2x2 /2           # 32x16x16
        upconv 16 3x3 same /2      # 16x32x32
    """

    filters: int = arg("int", low=1, doc="output channels")
    kernel: Pair = arg("pair", key="k", low=1, doc="kernel size, height x width")
    padding: str = word("valid", "same", "pad", default="valid", doc="what is cut at the borders")
    bias: bool | None = flag("bias", "nobias", default=None, doc="whether a bias is added")
    stride: Pair = key("pair", default=(1, 1), low=1, doc="enlargement")
    pads: Pair | None = key("pair", name="pad", low=0, doc="rows and columns cut on every side")
    extra: Pair = key("pair", default=(0, 0), low=0, doc="rows and columns added at the end")
    dilation: Pair = key("pair", default=(1, 1), low=1, doc="step between kernel taps")
    groups: int = key("int", default=1, low=1, doc="groups of channels that do not see each other")
    init: str = key("choice", default="he_normal", choices=init.WITHOUT_IDENTITY, doc="initialiser")
    l2: float = key("float", default=0.0, low=0, doc="weight of the squared norm in the loss")

    def axis(self, axis: int) -> tuple[Pair, int]:
        """Pads before and after, and the output padding, of one axis."""
        k, s = reach(self.kernel[axis], self.dilation[axis]), self.stride[axis]
        if self.pads is not None:
            return (self.pads[axis], self.pads[axis]), self.extra[axis]
        if self.padding == "same":
            cut = max(0, k - s)
            return (cut // 2, cut - cut // 2), max(0, s - k)
        half = k // 2 if self.padding == "pad" else 0
        return (half, half), self.extra[axis]

    def shape(self, x: Shape) -> Shape:
        """(filters, H', W')."""
        _, *size = image(x, "upconv")
        sole_padding(self, x)
        self._check_extra(x)
        counts = {"channels": x[0], "filters": self.filters}
        check_groups(self.groups, counts, "groups={}", (self.filters, *size))
        out = self._output(size, [self.axis(0), self.axis(1)])
        if min(out) < 1:
            field = "padding" if self.pads is None else "pads"
            less = f"pad={short(self._most_pads(size))}"
            raise Reject(
                "E201", f"cutting the borders leaves nothing of the {show(x[1:])} input", arg=field,
                help=f"write `{less}`", assume=(self.filters, *size), mend=Field(field, less),
            )  # fmt: skip
        return (self.filters, *out)

    def _output(self, size: list[int], axes: list[tuple[Pair, int]]) -> list[int]:
        """Height and width with these pads and output paddings."""
        return [
            transposed_1d(size[i], self.kernel[i], self.stride[i], pads, self.dilation[i], extra)
            for i, (pads, extra) in enumerate(axes)
        ]

    def _most_pads(self, size: list[int]) -> Pair:
        """How many rows and columns can be cut on every side."""
        uncut = self._output(size, [((0, 0), extra) for extra in self.extra])
        now = [self.axis(i)[0][0] for i in range(2)]
        return min(now[0], (uncut[0] - 1) // 2), min(now[1], (uncut[1] - 1) // 2)

    def _check_extra(self, x: Shape) -> None:
        plain = replace(self, extra=(0, 0))
        if self.extra != (0, 0) and self.padding == "same":
            raise Reject(
                "E108", "`same` and `extra` both say how large the output is", arg="extra",
                help="keep one of them", assume=plain.shape(x),
            )  # fmt: skip
        if any(n and n >= s for n, s in zip(self.extra, self.stride, strict=True)):
            mend = self._less_extra()
            raise Reject(
                "E107", "`extra` must be smaller than the stride", arg="extra",
                help=f"write `{mend.text}`", assume=plain.shape(x), mend=mend,
            )  # fmt: skip

    def _less_extra(self) -> Field:
        """As much as the stride leaves room for; the stride that it needs where there is none."""
        (rows, columns), (down, right) = self.extra, self.stride
        most = (min(rows, down - 1), min(columns, right - 1))
        if any(most):
            return Field("extra", f"extra={short(most)}")
        return Field("stride", f"/{max(self.extra) + 1}")

    def params(self, x: Shape) -> tuple[Param, ...]:
        """weight (C, filters / groups, kh, kw) and bias (filters)."""
        area = self.kernel[0] * self.kernel[1]
        filters = self.filters // self.groups
        fans = Fans(x[0] // self.groups * area, filters * area)
        shape = (x[0], filters, *self.kernel)
        weight = Param("weight", shape, Init(self.init), fans, decay=True, l2=self.l2)
        return (weight, *bias_params(self.filters, self.bias))

    def macs(self, x: Shape, y: Shape) -> int:
        """filters · C / groups · kh · kw · H · W."""
        pairs = x[0] * self.filters // self.groups
        return pairs * x[1] * x[2] * self.kernel[0] * self.kernel[1]

    def window(self, x: Shape) -> Window:
        """Kernel over stride; the map grows."""
        k, s = reach_2d(self.kernel, self.dilation), self.stride
        return Window((-(-k[0] // s[0]), -(-k[1] // s[1])), (1 / s[0], 1 / s[1]))

    def before(self, words: tuple[str, ...]) -> Self:
        """Without bias where `bn` follows."""
        return without_bias(self, words)

    def emit(self, e: Emitter, x: Value) -> Value:
        """One ConvTranspose."""
        (rows, below), (columns, beside) = self.axis(0), self.axis(1)
        more: dict[str, Any] = {} if self.groups == 1 else {"group": self.groups}
        more |= {} if self.dilation == (1, 1) else {"dilations": self.dilation}
        return e.op(
            "ConvTranspose", x, *weight_and_bias(e, self.bias),
            kernel_shape=self.kernel, strides=self.stride,
            pads=(rows[0], columns[0], rows[1], columns[1]), output_padding=(below, beside), **more,
        )  # fmt: skip
