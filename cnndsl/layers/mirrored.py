"""Borders that repeat the image: `reflectpad`, `edgepad`."""

from dataclasses import dataclass
from typing import ClassVar

from cnndsl.fields import arg, key
from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Value
from cnndsl.layers.base import Reject, image
from cnndsl.layers.rearrange import Border
from cnndsl.shapes import Pair, Shape, show


class RepeatingBorder(Border):
    """What both share."""

    mode: ClassVar[str]
    """ONNX's name of how the border is filled."""

    def shape(self, x: Shape) -> Shape:
        """(C, top + H + bottom, left + W + right)."""
        channels, height, width = image(x, self.word)
        top, left, bottom, right = self.sides
        return (channels, height + top + bottom, width + left + right)

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Pad."""
        top, left, bottom, right = self.sides
        return e.op("Pad", x, e.ints(0, 0, top, left, 0, 0, bottom, right), mode=self.mode)


@dataclass(frozen=True)
class ReflectPad(RepeatingBorder, word="reflectpad"):
    """The image mirrored at its borders; the border row itself is not repeated.

    x: (N, C, H, W) → y: (N, C, top + H + bottom, left + W + right)

    Source: the padding of Johnson et al. 2016, arXiv:1603.08155; PyTorch's ReflectionPad2d.

        input 3x32x32
        reflectpad 3; conv 16 7x7  # 16x32x32
    """

    mode = "reflect"

    size: Pair = arg("pair", default=(0, 0), low=0, doc="rows and columns on every side")
    top: int | None = key("int", low=0, doc="rows above")
    left: int | None = key("int", low=0, doc="columns on the left")
    bottom: int | None = key("int", low=0, doc="rows below")
    right: int | None = key("int", low=0, doc="columns on the right")

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
class EdgePad(RepeatingBorder, word="edgepad"):
    """The outermost rows and columns repeated.

    x: (N, C, H, W) → y: (N, C, top + H + bottom, left + W + right)

    As PyTorch's ReplicationPad2d.

        input 3x32x32
        edgepad 1; conv 16 3x3     # 16x32x32
    """

    mode = "edge"

    size: Pair = arg("pair", default=(0, 0), low=0, doc="rows and columns on every side")
    top: int | None = key("int", low=0, doc="rows above")
    left: int | None = key("int", low=0, doc="columns on the left")
    bottom: int | None = key("int", low=0, doc="rows below")
    right: int | None = key("int", low=0, doc="columns on the right")
