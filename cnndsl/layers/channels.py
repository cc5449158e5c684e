"""Channels cut out, and channels spread over the map: `slice`, `pixelshuffle`."""

from dataclasses import dataclass

from cnndsl.fields import arg, word
from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Value
from cnndsl.layers.base import Layer, Reject, Window, image, sample
from cnndsl.layers.mend import Before, Field
from cnndsl.shapes import Shape
from cnndsl.source import counted


@dataclass(frozen=True)
class ChannelSlice(Layer, word="slice"):
    """Some of the channels, counted from 0: `slice 0 16` are the first 16.

    x: (N, C, …) → y: (N, end − start, …);  y = x[:, start:end]

    Without `end`, all from `start` on. Of vectors these are features.

    Source: the channel split of Ma et al. 2018, ShuffleNetV2, arXiv:1807.11164.

        input 48x8x8
        concat { slice 0 24 | slice 24; conv 24 3x3 same relu }
        slice 40                   # 8x8x8
    """

    start: int = arg("int", key="start", low=0, doc="the first channel")
    end: int | None = arg("int", key="end", default=None, low=1, doc="one behind the last channel")

    def shape(self, x: Shape) -> Shape:
        """(end − start, …)."""
        end = x[0] if self.end is None else self.end
        if self.start < end <= x[0]:
            return (end - self.start, *x[1:])
        wrong_end = self.start < x[0] and self.end is not None
        raise Reject(
            "E205", f"channels {self.start} to {end} are not in an input of {x[0]}",
            arg="end" if wrong_end else "start",
            help=f"write `slice start end` with 0 ≤ start < end ≤ {x[0]}", assume=x,
            mend=Field("end", str(x[0])) if wrong_end else None,
        )  # fmt: skip

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Slice."""
        end = sample(x)[0] if self.end is None else self.end
        return e.op("Slice", x, e.ints(self.start), e.ints(end), e.ints(1))


@dataclass(frozen=True)
class PixelShuffle(Layer, word="pixelshuffle"):
    """Depth to space: every r² channels become one channel of an r times larger map.

    x: (N, c·r², H, W) → y: (N, c, r·H, r·W)

    Channel c·r² + i·r + j goes to row i and column j of each r×r square (PyTorch's PixelShuffle,
    ONNX's CRD). `dcr` counts the squares first, channel (i·r + j)·c: TensorFlow's depth_to_space.

    Source: Shi et al. 2016, arXiv:1609.05158.

        input 64x8x8
        conv 12 3x3 same; pixelshuffle 2   # 3x16x16
    """

    factor: int = arg("int", key="factor", low=1, doc="enlargement r of height and width")
    order: str = word("crd", "dcr", default="crd", doc="what the channels count first")

    def shape(self, x: Shape) -> Shape:
        """(C / r², r·H, r·W)."""
        channels, height, width = image(x, "pixelshuffle")
        area = self.factor**2
        size = (height * self.factor, width * self.factor)
        if channels % area == 0:
            return (channels // area, *size)
        more = -(-channels // area) * area
        raise Reject(
            "E205", f"{counted(channels, 'channel')} are no multiple of {self.factor}² = {area}",
            arg="factor", help=f"write `conv {more} 1x1` before it",
            assume=(more // area, *size), mend=Before(f"conv {more} 1x1", (more, height, width)),
        )  # fmt: skip

    def window(self, x: Shape) -> Window:
        """The map grows."""
        return Window((1, 1), (1 / self.factor, 1 / self.factor))

    def emit(self, e: Emitter, x: Value) -> Value:
        """One DepthToSpace."""
        return e.op("DepthToSpace", x, blocksize=self.factor, mode=self.order.upper())
