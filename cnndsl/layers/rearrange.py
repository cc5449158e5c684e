"""Layers without arithmetic: `id`, `reshape`, `shuffle`, `upsample`, `zeropad`, `crop`."""

from dataclasses import dataclass, replace
from math import prod

from cnndsl.fields import arg, flag, key, word
from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Value
from cnndsl.layers.base import Layer, Reject, Window, image, sample, squarish
from cnndsl.layers.groups import check_groups, divisors
from cnndsl.layers.mend import Field, LeaveOut, Mend
from cnndsl.shapes import Pair, Shape, short, show


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
            f"{show(self.target)} holds {prod(self.target)} values, the input {show(x)} {prod(x)}",
            arg="target",
            help=f"choose a shape of {prod(x)} values, such as `{show(self._near(prod(x)))}`",
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


class Border(Layer):
    """`size` on every side, each side by its own key where given."""

    size: Pair
    top: int | None
    left: int | None
    bottom: int | None
    right: int | None

    @property
    def sides(self) -> tuple[int, int, int, int]:
        """Top, left, bottom, right."""
        height, width = self.size
        top = height if self.top is None else self.top
        left = width if self.left is None else self.left
        bottom = height if self.bottom is None else self.bottom
        right = width if self.right is None else self.right
        return top, left, bottom, right


@dataclass(frozen=True)
class ZeroPad(Border, word="zeropad"):
    """Zeros around the image.

    x: (N, C, H, W) → y: (N, C, top + H + bottom, left + W + right)

        input 3x32x32
        zeropad 1                  # 3x34x34
        zeropad bottom=1 right=1   # 3x35x35
    """

    size: Pair = arg("pair", default=(0, 0), low=0, doc="rows and columns on every side")
    top: int | None = key("int", low=0, doc="rows above")
    left: int | None = key("int", low=0, doc="columns on the left")
    bottom: int | None = key("int", low=0, doc="rows below")
    right: int | None = key("int", low=0, doc="columns on the right")

    def shape(self, x: Shape) -> Shape:
        """(C, H + top + bottom, W + left + right)."""
        channels, height, width = image(x, "zeropad")
        top, left, bottom, right = self.sides
        return (channels, height + top + bottom, width + left + right)

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Pad."""
        top, left, bottom, right = self.sides
        return e.op("Pad", x, e.ints(0, 0, top, left, 0, 0, bottom, right))


@dataclass(frozen=True)
class Crop(Border, word="crop"):
    """Cuts the borders of the image.

    x: (N, C, H, W) → y: (N, C, H − top − bottom, W − left − right)

        input 3x32x32
        crop 2                     # 3x28x28
        crop top=1 left=1          # 3x27x27
    """

    size: Pair = arg("pair", default=(0, 0), low=0, doc="rows and columns on every side")
    top: int | None = key("int", low=0, doc="rows above")
    left: int | None = key("int", low=0, doc="columns on the left")
    bottom: int | None = key("int", low=0, doc="rows below")
    right: int | None = key("int", low=0, doc="columns on the right")

    def shape(self, x: Shape) -> Shape:
        """(C, H − top − bottom, W − left − right)."""
        channels, height, width = image(x, "crop")
        top, left, bottom, right = self.sides
        cut = (height - top - bottom, width - left - right)
        if min(cut) > 0:
            return (channels, *cut)
        mend, most = self._less(height, width), f"{height - 1} rows and {width - 1} columns"
        raise Reject(
            "E201", f"cropping leaves nothing of the {height}x{width} input", arg="size",
            help="leave this `crop` out" if isinstance(mend, LeaveOut)
            else f"cut at most {most}, both sides together",
            assume=x, mend=mend,
        )  # fmt: skip

    def _less(self, height: int, width: int) -> Mend | None:
        """The largest `crop n` that leaves something; what is written by sides is left alone."""
        if (height, width) != (1, 1) and {self.top, self.left, self.bottom, self.right} != {None}:
            return None
        most = (min(self.size[0], (height - 1) // 2), min(self.size[1], (width - 1) // 2))
        return Field("size", short(most)) if any(most) else LeaveOut()

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Slice."""
        top, left, bottom, right = self.sides
        _, height, width = sample(x)
        starts, ends = e.ints(top, left), e.ints(height - bottom, width - right)
        return e.op("Slice", x, starts, ends, e.ints(2, 3))
