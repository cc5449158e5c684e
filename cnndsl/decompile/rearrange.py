"""Channels and borders: what moves values and has a word of its own."""

from cnndsl.decompile.fuse import all_pads
from cnndsl.decompile.graph import Op
from cnndsl.decompile.reader import Reader, reads
from cnndsl.layers.activation import Scale
from cnndsl.layers.borders import Crop, EdgePad, ReflectPad, ZeroPad
from cnndsl.layers.channels import ChannelSlice, PixelShuffle
from cnndsl.layers.merge import Concat
from cnndsl.layers.pool import MaxPool
from cnndsl.layers.rearrange import Shuffle
from cnndsl.shapes import Pads, Pair, Shape

_ENDLESS = 1 << 30  # an end behind which no batch ends
_BORDERS = {"constant": ZeroPad, "reflect": ReflectPad, "edge": EdgePad}


@reads("DepthToSpace")
def _depth_to_space(r: Reader, op: Op) -> int:
    x, _ = r.image(op)
    order = op.attrs.get("mode", "DCR").lower()
    return r.add(op, PixelShuffle(op.attrs["blocksize"], order), x)


@reads("Pad")
def _pad(r: Reader, op: Op) -> int:
    x, _ = r.image(op)
    pads, mode = all_pads(r.graph, op), op.attrs.get("mode", "constant")
    if pads is None or mode not in _BORDERS or pads[0] or pads[4]:
        op.refuse("borders of images are zeros (`zeropad`), `reflectpad` or `edgepad`")
    if pads[1] or pads[5]:
        x = _more_channels(r, op, x, (pads[1], pads[5]))
    around = (pads[2], pads[3], pads[6], pads[7])
    return r.add(op, _BORDERS[mode](*sides(around)), x) if any(around) else x


def _more_channels(r: Reader, op: Op, x: int, counts: Pair) -> int:
    """Channels of zeros before and behind the others: as many of these, times 0."""
    channels = r.shapes[x][0]
    if op.attrs.get("mode", "constant") != "constant" or max(counts) > channels:
        op.refuse(f"adds {counts[0]} and {counts[1]} channels to {channels}: only as many channels "
                  "of zeros as there are can be written")  # fmt: skip
    zeros = {count: _zeros(r, op, x, count) for count in {*counts} - {0}}
    front, behind = ([zeros[count]] if count else [] for count in counts)
    return r.add(op, Concat(), *front, x, *behind)


def _zeros(r: Reader, op: Op, x: int, count: int) -> int:
    return r.add(op, Scale(0.0, fixed=True), _some_channels(r, op, x, range(count)))


def sides(pads: Pads) -> tuple[Pair, int | None, int | None, int | None, int | None]:
    """The fields of a border: one size where it will do, else the sides that are not 0."""
    if pads[:2] == pads[2:]:
        return pads[:2], None, None, None, None
    top, left, bottom, right = (n or None for n in pads)
    return (0, 0), top, left, bottom, right


@reads("Slice")
def _slice(r: Reader, op: Op) -> int:
    """Channels by `slice`; rows and columns by `crop`, every n-th by a pool of one pixel."""
    x = r.x(op)
    parts = _parts(r, op, r.shapes[x])
    x = _some_channels(r, op, x, parts[0])
    if len(parts) < 3:
        return x
    (rows, columns), (_, height, width) = parts[1:], r.image_at(x)
    cut = (rows.start, columns.start, height - rows.stop, width - columns.stop)
    if any(cut):
        x = r.add(op, Crop(*sides(cut)), x)
    steps = (rows.step, columns.step)
    return x if steps == (1, 1) else r.add(op, MaxPool((1, 1), stride=steps), x)


def _parts(r: Reader, op: Op, shape: Shape) -> list[range]:
    """What is taken of each axis but the batch."""
    starts, ends = r.weight(op, 1, 1), r.weight(op, 2, 1)
    axes, steps = r.array(op, 3, 1), r.array(op, 4, 1)
    along = [int(a) % (len(shape) + 1) for a in (range(len(starts)) if axes is None else axes)]
    each = [1] * len(starts) if steps is None else [int(n) for n in steps]
    if not len(along) == len(starts) == len(ends) == len(each):
        op.refuse("has more starts, ends, axes or steps than others")
    if min(each) < 1:
        op.refuse("goes backwards; the language has no word for it")
    parts = [range(size) for size in shape]
    for axis, start, end, step in zip(along, starts.tolist(), ends.tolist(), each, strict=True):
        if axis > 0:
            parts[axis - 1] = range(*slice(start, end, step).indices(shape[axis - 1]))
        elif (start, step) != (0, 1) or end < _ENDLESS:
            op.refuse("cuts the batch; only channels and the borders of images can be cut")
    return parts


def _some_channels(r: Reader, op: Op, x: int, part: range) -> int:
    """Channels of a step; every n-th stand side by side behind a shuffle."""
    channels = r.shapes[x][0]
    if part == range(channels):
        return x
    if part.step > 1:
        count = channels // part.step
        if channels % part.step or len(part) != count:
            op.refuse(f"takes every {part.step}th of some channels; of all it could be written")
        x = r.add(op, Shuffle(count), x)
        part = range(part.start * count, (part.start + 1) * count)
    return r.add(op, ChannelSlice(part.start, None if part.stop == channels else part.stop), x)
