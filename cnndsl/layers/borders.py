"""Rows and columns around the image: `zeropad`, `reflectpad`, `edgepad`, `crop`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from cnndsl.fields import arg, key
from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Value
from cnndsl.layers.base import Layer, Reject, image, sample
from cnndsl.layers.mend import Field, LeaveOut, Mend
from cnndsl.shapes import Pair, Shape, short, show
from cnndsl.source import counted


@dataclass(frozen=True)
class Border(Layer):
    """`size` on every side, each side by its own key where given."""

    size: Pair = arg("pair", default=(0, 0), low=0, doc="rows and columns on every side")
    top: int | None = key("int", low=0, doc="rows above")
    left: int | None = key("int", low=0, doc="columns on the left")
    bottom: int | None = key("int", low=0, doc="rows below")
    right: int | None = key("int", low=0, doc="columns on the right")

    @property
    def sides(self) -> tuple[int, int, int, int]:
        """Top, left, bottom, right."""
        height, width = self.size
        top = height if self.top is None else self.top
        left = width if self.left is None else self.left
        bottom = height if self.bottom is None else self.bottom
        right = width if self.right is None else self.right
        return top, left, bottom, right


class Padded(Border):
    """A border added to the image."""

    fill: ClassVar[Mapping[str, str]] = {}
    """ONNX's attributes of how the border is filled; none are zeros."""

    def shape(self, x: Shape) -> Shape:
        """(C, top + H + bottom, left + W + right)."""
        channels, height, width = image(x, self.word)
        top, left, bottom, right = self.sides
        return (channels, height + top + bottom, width + left + right)

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Pad."""
        top, left, bottom, right = self.sides
        return e.op("Pad", x, e.ints(0, 0, top, left, 0, 0, bottom, right), **self.fill)


@dataclass(frozen=True)
class ZeroPad(Padded, word="zeropad"):
    """Zeros around the image.

    x: (N, C, H, W) → y: (N, C, top + H + bottom, left + W + right)

        input 3x32x32
        zeropad 1                  # 3x34x34
        zeropad bottom=1 right=1   # 3x35x35
    """


@dataclass(frozen=True)
class ReflectPad(Padded, word="reflectpad"):
    """The image mirrored at its borders; the border row itself is not repeated.

    x: (N, C, H, W) → y: (N, C, top + H + bottom, left + W + right)

    Source: the padding of Johnson et al. 2016, arXiv:1603.08155; PyTorch's ReflectionPad2d.

        input 3x32x32
        reflectpad 3; conv 16 7x7  # 16x32x32
    """

    fill: ClassVar = {"mode": "reflect"}

    def shape(self, x: Shape) -> Shape:
        """As large as with zeros; there must be as many rows to mirror."""
        padded = super().shape(x)
        top, left, bottom, right = self.sides
        if max(top, bottom) < x[1] and max(left, right) < x[2]:
            return padded
        most = (x[1] - 1, x[2] - 1)
        raise Reject(
            "E201", f"a {x[1]}x{x[2]} input has at most {show(most)} rows and columns to mirror",
            arg="size", help=f"use at most {show(most)}, or `edgepad`, which repeats the last row",
            assume=padded,
        )  # fmt: skip


@dataclass(frozen=True)
class EdgePad(Padded, word="edgepad"):
    """The outermost rows and columns repeated.

    x: (N, C, H, W) → y: (N, C, top + H + bottom, left + W + right)

    As PyTorch's ReplicationPad2d.

        input 3x32x32
        edgepad 1; conv 16 3x3     # 16x32x32
    """

    fill: ClassVar = {"mode": "edge"}


@dataclass(frozen=True)
class Crop(Border, word="crop"):
    """Cuts the borders of the image.

    x: (N, C, H, W) → y: (N, C, H − top − bottom, W − left − right)

        input 3x32x32
        crop 2                     # 3x28x28
        crop top=1 left=1          # 3x27x27
    """

    def shape(self, x: Shape) -> Shape:
        """(C, H − top − bottom, W − left − right)."""
        channels, height, width = image(x, "crop")
        top, left, bottom, right = self.sides
        cut = (height - top - bottom, width - left - right)
        if min(cut) > 0:
            return (channels, *cut)
        mend = self._less(height, width)
        most = f"{counted(height - 1, 'row')} and {counted(width - 1, 'column')}"
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
