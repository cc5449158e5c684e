"""Test-time views: a model's outputs as means over an image, its mirror image and shifts of it.

Views stand side by side in the batch, so that the network is in the graph once.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cnndsl.graph.tape import Tape, Value
from cnndsl.recipe import Views

_LAST = 1 << 30  # beyond the end of any axis


def write_views(tape: Tape, x: Value, views: Views) -> Value:
    """The views of images [N, C, H, W] as images [V·N, C, H, W]; see `write_mean`."""
    if views.count == 1:
        return x
    seen = [x, *_shifted(tape, x, views.shift)]
    if views.mirror:
        seen += [_mirrored(tape, view) for view in seen]
    return tape.op("Concat", *seen, axis=0)


def write_mean(tape: Tape, y: Value, views: Views) -> Value:
    """The mean over the views of outputs [V·N, …]: [N, …]. Maps of mirror images turn back.

    The image counts as much as its shifts do together.
    """
    if views.count == 1:
        return y
    shape = [int(d) for d in y.shape[1:]]
    parts = tape.reshape(y, views.count, -1, *shape)
    if views.mirror and len(shape) == 3 and shape[2] > 1:
        middle = views.count // 2
        turned = _mirrored(tape, _rows(tape, parts, middle, views.count))
        parts = tape.op("Concat", _rows(tape, parts, 0, middle), turned, axis=0)
    weighed = tape.op("Mul", parts, tape.const(_weights(views, len(y.shape)).astype(y.dtype)))
    return tape.op("ReduceSum", weighed, tape.ints([0]), keepdims=0)


def _weights(views: Views, rank: int) -> NDArray[np.float64]:
    """What each view counts, for stacked outputs of so many axes: [V, 1, …]."""
    one_face = [0.5, 0.25, 0.25] if views.shift else [1.0]
    faces = 2 if views.mirror else 1
    return np.array(one_face * faces).reshape(-1, *(1 for _ in range(rank))) / faces


def _rows(tape: Tape, x: Value, start: int, end: int) -> Value:
    return tape.op("Slice", x, tape.ints([start]), tape.ints([end]), tape.ints([0]))


def _mirrored(tape: Tape, x: Value) -> Value:
    """Left to right: the last axis backwards."""
    axis = tape.ints([len(x.shape) - 1])
    return tape.op("Slice", x, tape.ints([-1]), tape.ints([-_LAST]), axis, tape.ints([-1]))


def _shifted(tape: Tape, x: Value, pixels: int) -> Iterator[Value]:
    """By so many pixels down and right, and up and left; the image is mirrored at its borders."""
    if not pixels:
        return
    pads = tape.ints([0, 0, pixels, pixels] * 2)
    wide = tape.op("Pad", x, pads, mode="reflect")
    height, width = (int(d) for d in x.shape[2:])
    for at in (0, 2 * pixels):
        start, end = tape.ints([at, at]), tape.ints([at + height, at + width])
        yield tape.op("Slice", wide, start, end, tape.ints([2, 3]))
