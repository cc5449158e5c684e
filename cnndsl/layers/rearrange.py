"""Layers without arithmetic: `id`, `reshape`, `shuffle`, `upsample`."""

from dataclasses import dataclass, replace
from math import prod

from cnndsl.fields import arg, flag, word
from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Value
from cnndsl.layers.base import Layer, Reject, Window, image, sample, squarish
from cnndsl.layers.groups import check_groups, divisors
from cnndsl.layers.mend import Field
from cnndsl.shapes import Pair, Shape, show
from cnndsl.source import counted


@dataclass(frozen=True)
class Identity(Layer, word="id"):
    """The input itself: an empty branch, spelt out.

    x: (N, …) → y: (N, …);  y = x

        input 16x8x8
        add { conv 16 3x3 same | id }
    """

    def emit(self, e: Emitter, x: Value) -> Value:
        """Nothing."""
        return x


@dataclass(frozen=True)
class Reshape(Layer, word="reshape"):
    """The same values in another shape, in row-major order.

    x: (N, …) → y: (N, target)

        input 1024
        reshape 16x8x8
    """

    target: Shape = arg("shape", doc="channels x height x width, or the number of features")

    def shape(self, x: Shape) -> Shape:
        """The target; it must hold as many values."""
        if prod(x) == prod(self.target):
            return self.target
        raise Reject(
            "E206",
            f"{show(self.target)} holds {counted(prod(self.target), 'value')}, the input {show(x)} "
            f"{prod(x):,}",
            arg="target",
            help=f"choose a shape of {counted(prod(x), 'value')}, such as "
            f"`{show(self._near(prod(x)))}`",
            assume=self.target,
            mend=Field("target", show(self._near(prod(x)))),
        )

    def _near(self, values: int) -> Shape:
        """A shape of so many values: of the same height and width, or of the same channels."""
        if len(self.target) != 3:
            return (values,)
        channels, height, width = self.target
        if values % (height * width) == 0:
            return (values // (height * width), height, width)
        if values % channels == 0:
            side = divisors(height, values // channels)[0]
            return (channels, side, values // channels // side)
        return squarish(values)

    def window(self, x: Shape) -> None:
        """Positions lose their meaning."""
        return

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Reshape."""
        return e.tape.reshape(x, 0, *self.target)


@dataclass(frozen=True)
class Shuffle(Layer, word="shuffle"):
    """Channel shuffle: mixes the groups of a grouped convolution. Source: arXiv:1707.01083.

    x: (N, g·c, H, W) → y: the channels read as a g×c table, column by column.

        input 24x8x8
        conv 24 1x1 groups=3; shuffle 3
    """

    groups: int = arg("int", key="groups", low=1, doc="number of groups")

    def shape(self, x: Shape) -> Shape:
        """Unchanged; the groups must divide the channels."""
        channels, _, _ = image(x, "shuffle")
        check_groups(self.groups, {"channels": channels}, "shuffle {}", x)
        return x

    def emit(self, e: Emitter, x: Value) -> Value:
        """Reshape, Transpose, Reshape."""
        channels, height, width = sample(x)
        table = e.tape.reshape(x, 0, self.groups, channels // self.groups, height * width)
        turned = e.op("Transpose", table, perm=(0, 2, 1, 3))
        return e.tape.reshape(turned, 0, channels, height, width)


@dataclass(frozen=True)
class Upsample(Layer, word="upsample"):
    """Enlarges the map by whole factors, without weights.

    x: (N, C, H, W) → y: (N, C, f·H, f·W). `bilinear` takes pixel centres (PyTorch's
    align_corners=False); with `align`, corners stay corners (align_corners=True).

        input 64x8x8
        upsample 2                 # 64x16x16
        upsample 2 bilinear
        upsample 2 bilinear align
    """

    factor: Pair = arg("pair", low=1, doc="enlargement, height x width")
    mode: str = word("nearest", "bilinear", default="nearest", doc="interpolation")
    align: bool = flag("align", doc="whether `bilinear` goes from corner to corner")

    def shape(self, x: Shape) -> Shape:
        """(C, f·H, f·W)."""
        channels, height, width = image(x, "upsample")
        if self.align and self.mode == "nearest":
            raise Reject(
                "E108", "`align` is for `bilinear`, and this is `nearest`", arg="align",
                help=f"write `upsample {show(self.factor)} bilinear align`, or leave `align` out",
                assume=replace(self, align=False).shape(x), mend=Field("align", "bilinear align"),
            )  # fmt: skip
        return (channels, height * self.factor[0], width * self.factor[1])

    def window(self, x: Shape) -> Window:
        """The map grows; `bilinear` looks at two neighbours where it enlarges."""
        blur = self.mode == "bilinear"
        reaches = [2 if blur and f > 1 else 1 for f in self.factor]
        return Window((reaches[0], reaches[1]), (1 / self.factor[0], 1 / self.factor[1]))

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Resize."""
        import numpy as np

        scales = e.tape.const(np.array([1, 1, *self.factor], np.float32))
        if self.mode == "bilinear":
            where = "align_corners" if self.align else "half_pixel"
            return e.op("Resize", x, None, scales, mode="linear",
                        coordinate_transformation_mode=where)  # fmt: skip
        return e.op("Resize", x, None, scales, mode="nearest", nearest_mode="floor",
                    coordinate_transformation_mode="asymmetric")  # fmt: skip
