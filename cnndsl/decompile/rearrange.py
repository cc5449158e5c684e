"""Channels and borders: what moves values and has a word of its own."""

import numpy as np

from cnndsl.decompile.fuse import pads_of
from cnndsl.decompile.graph import Array, Op
from cnndsl.decompile.reader import Reader, reads
from cnndsl.layers.borders import Crop, EdgePad, ReflectPad, ZeroPad
from cnndsl.layers.channels import ChannelSlice, PixelShuffle
from cnndsl.shapes import Pads, Pair

_BORDERS = {"constant": ZeroPad, "reflect": ReflectPad, "edge": EdgePad}


@reads("DepthToSpace")
def _depth_to_space(r: Reader, op: Op) -> int:
    x, _ = r.image(op)
    order = op.attrs.get("mode", "DCR").lower()
    return r.add(op, PixelShuffle(op.attrs["blocksize"], order), x)


@reads("Pad")
def _pad(r: Reader, op: Op) -> int:
    x, _ = r.image(op)
    pads, mode = pads_of(r.graph, op), op.attrs.get("mode", "constant")
    if pads is None or mode not in _BORDERS:
        op.refuse("borders of images are zeros (`zeropad`), `reflectpad` or `edgepad`")
    return r.add(op, _BORDERS[mode](*sides(pads)), x) if any(pads) else x


def sides(pads: Pads) -> tuple[Pair, int | None, int | None, int | None, int | None]:
    """The fields of a border: one size where it will do, else the sides that are not 0."""
    if pads[:2] == pads[2:]:
        return pads[:2], None, None, None, None
    top, left, bottom, right = (n or None for n in pads)
    return (0, 0), top, left, bottom, right


@reads("Slice")
def _slice(r: Reader, op: Op) -> int:
    """Channels by `slice`, then a cut of the borders by `crop`."""
    x = r.x(op)
    ranges = _ranges(r, op, r.shapes[x])
    start, end = ranges.pop(1, (0, r.shapes[x][0]))
    if (start, end) != (0, r.shapes[x][0]):
        x = r.add(op, ChannelSlice(start, None if end == r.shapes[x][0] else end), x)
    if not ranges:
        return x
    _, height, width = r.image_at(x) if len(r.shapes[x]) == 3 else r.image(op)[1]
    (top, bottom), (left, right) = ranges.get(2, (0, height)), ranges.get(3, (0, width))
    return r.add(op, Crop(*sides((top, left, height - bottom, width - right))), x)


def _ranges(r: Reader, op: Op, shape: tuple[int, ...]) -> dict[int, Pair]:
    """From where to where each axis is cut."""
    starts, ends = r.weight(op, 1, 1), r.weight(op, 2, 1)
    axes, steps = r.array(op, 3, 1), r.array(op, 4, 1)
    rank = len(shape) + 1
    along = range(len(starts)) if axes is None else [int(a) % rank for a in axes]
    if not len(along) == len(starts) == len(ends):
        op.refuse("has more starts, ends or axes than others")
    if steps is not None and not _all_ones(steps):
        op.refuse("takes every second row or column; `crop` and `slice` take all")
    if 0 in along:
        op.refuse("cuts the batch; only channels and the borders of images can be cut")
    cuts = zip(along, starts.tolist(), ends.tolist(), strict=True)
    return {axis: slice(start, end).indices(shape[axis - 1])[:2] for axis, start, end in cuts}


def _all_ones(steps: Array) -> bool:
    return bool(np.all(steps == 1))
