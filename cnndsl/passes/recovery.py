"""What of a shape is only assumed after an error: nothing that rests on it is complained of.

After `kernel 5x5 does not fit` the image may become smaller or larger when the user mends it, but
the number of channels stays: later complaints about sizes are held back, those about channels and
groups are not.
"""

from cnndsl.layers.base import Layer, Reject
from cnndsl.shapes import Shape

Doubts = frozenset[str]
SURE: Doubts = frozenset()
CHANNELS, SIZE = "channels", "size"
BOTH = frozenset((CHANNELS, SIZE))

_RESTS_ON = {
    "E201": frozenset((SIZE,)), "E204": frozenset((SIZE,)), "E205": frozenset((CHANNELS,)),
    "E206": BOTH,
}  # fmt: skip
_FAR = 1024  # more than any stride rounds away


def hides(code: str, inputs: tuple[Shape, ...], doubts: Doubts) -> bool:
    """Whether a complaint may be due to what is assumed only."""
    rests_on = _unequal(inputs) if code == "E203" else _RESTS_ON.get(code, SURE)
    return bool(rests_on & doubts)


def left_by(code: str, inputs: tuple[Shape, ...]) -> Doubts:
    """What is in doubt about the shape that a rejecting layer is assumed to give."""
    if code == "E203":
        return _unequal(inputs)
    return SURE if code in ("E202", "E206") else frozenset((SIZE,))


def _unequal(inputs: tuple[Shape, ...]) -> Doubts:
    """In what shapes differ that should be equal."""
    channels = {CHANNELS} if len({x[0] for x in inputs}) > 1 else SURE
    size = {SIZE} if len({x[1:] for x in inputs}) > 1 else SURE
    return SURE | channels | size


def passed_on(layer: Layer, inputs: tuple[Shape, ...], shape: Shape, doubts: Doubts) -> Doubts:
    """Which doubts about the inputs are doubts about the output: tried out with other inputs."""
    found = SURE
    for doubt in doubts:
        try:
            other = layer.infer(tuple(_changed(x, doubt) for x in inputs))
        except Reject:
            return doubts
        found |= {CHANNELS} if other[0] != shape[0] else SURE
        found |= {SIZE} if other[1:] != shape[1:] else SURE
    return found


def _changed(x: Shape, doubt: str) -> Shape:
    if doubt == CHANNELS:
        return (x[0] + _FAR, *x[1:])
    return (x[0], *(size + _FAR for size in x[1:]))
