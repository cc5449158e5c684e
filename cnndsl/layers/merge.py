"""Merges of branches and labels: `add`, `mul`, `concat`, `residual`."""

from dataclasses import dataclass

from cnndsl.fields import flag
from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Value
from cnndsl.layers.base import Merge, Reject
from cnndsl.layers.mend import Behind, fitted, resized
from cnndsl.shapes import Shape, show


def _same_or_reject(xs: tuple[Shape, ...], word: str) -> Shape:
    """The common shape; the others are brought to the first one's, images to vectors."""
    first = xs[0]
    if all(x == first for x in xs):
        return first
    goal = min(xs, key=len) if len({len(x) for x in xs}) > 1 else first
    message = f"`{word}` needs equal shapes, but gets {' and '.join(map(show, xs))}"
    mend = Behind(tuple(fitted(x, goal) for x in xs))
    raise Reject("E203", message, help=_why(xs, mend), assume=first, mend=mend)


def _why(xs: tuple[Shape, ...], mend: Behind) -> str:
    """What a mend of unequal shapes does."""
    if len({len(x) for x in xs}) > 1:
        return "bring all to vectors"
    projects = any("conv" in text for text in mend.texts)
    return "project the shortcut" if projects else "bring the sizes together"


@dataclass(frozen=True)
class Add(Merge, word="add"):
    """Sum of branches or labels, element by element; all shapes equal.

    `add { a | b }` runs each branch from the current tensor; an empty branch is the identity.
    `add e1` adds the labelled tensor to the current one.

        input 16x8x8
        add { conv 16 3x3 same bn relu | conv 16 1x1 bn } relu
    """

    def infer(self, xs: tuple[Shape, ...]) -> Shape:
        """The common shape."""
        return _same_or_reject(xs, "add")

    def join(self, e: Emitter, xs: tuple[Value, ...]) -> Value:
        """Adds, left to right."""
        total = xs[0]
        for x in xs[1:]:
            total = e.op("Add", total, x)
        return total


@dataclass(frozen=True)
class Residual(Merge, word="residual"):
    """`residual { f }` is `add { f | id }`: y = f(x) + x. Source: He et al. 2016, arXiv:1512.03385.

    `residual auto` adds the skip only where the shapes agree (MobileNetV2's rule).

        input 16x8x8
        residual { conv 16 3x3 same bn relu; conv 16 3x3 same bn } relu
        residual auto { conv 32 3x3 pad /2 bn }
    """

    takes_labels = False
    auto: bool = flag("auto", doc="adds the skip only where the shapes agree")

    def infer(self, xs: tuple[Shape, ...]) -> Shape:
        """The branch's shape."""
        if self.auto:
            return xs[0]
        return _same_or_reject(xs, "residual")

    def join(self, e: Emitter, xs: tuple[Value, ...]) -> Value:
        """One Add, or the branch alone where `auto` finds different shapes."""
        branch, skip = xs
        return e.op("Add", branch, skip) if branch.shape == skip.shape else branch


@dataclass(frozen=True)
class Mul(Merge, word="mul"):
    """Product of branches or labels; C×1×1 is stretched over the image (squeeze-and-excitation).

    Source: Hu et al. 2018, arXiv:1709.01507.

        input 32x8x8
        mul { id | gap; conv 8 1x1 silu; conv 32 1x1 sigmoid }
    """

    def infer(self, xs: tuple[Shape, ...]) -> Shape:
        """The largest of the shapes; the others are equal to it or C×1×1."""
        whole = max(xs, key=lambda x: x[1:])
        gates = (whole, (whole[0], *(1 for _ in whole[1:])))
        wrong = next((x for x in xs if x not in gates), None)
        if wrong is None:
            return whole
        raise Reject(
            "E203",
            f"`mul` needs equal shapes or C×1×1, but gets {' and '.join(map(show, xs))}",
            help="give the gate a value for each channel",
            assume=whole,
            mend=Behind(tuple("" if x in gates else _gate(x, whole) for x in xs)),
        )

    def join(self, e: Emitter, xs: tuple[Value, ...]) -> Value:
        """Muls, left to right."""
        product = xs[0]
        for x in xs[1:]:
            product = e.op("Mul", product, x)
        return product


@dataclass(frozen=True)
class Concat(Merge, word="concat"):
    """Branches or labels side by side in the channels; heights and widths equal.

    `concat { a | b }` joins the branches in their order; `concat e1` puts the current tensor first.

        input 16x8x8
        e1: conv 32 3x3 same relu
        conv 32 3x3 same relu; concat e1     # 64x8x8
    """

    def infer(self, xs: tuple[Shape, ...]) -> Shape:
        """Channels summed."""
        channels, size = sum(x[0] for x in xs), xs[0][1:]
        if all(x[1:] == size for x in xs):
            return (channels, *size)
        raise Reject(
            "E204",
            f"`concat` needs equal heights and widths, but gets {' and '.join(map(show, xs))}",
            help="bring the sizes together" if len({len(x) for x in xs}) == 1 else "flatten all",
            assume=(channels, *size),
            mend=_side_by_side(xs),
        )

    def join(self, e: Emitter, xs: tuple[Value, ...]) -> Value:
        """One Concat over axis 1."""
        return e.op("Concat", *xs, axis=1)


def _gate(x: Shape, whole: Shape) -> str:
    """What brings a gate to C×1×1, or a vector of C."""
    channels = whole[0]
    if len(whole) == 1:
        return f"flatten; dense {channels} sigmoid"
    if len(x) == 1:
        dense = "" if x[0] == channels else f"dense {channels} sigmoid; "
        return f"{dense}reshape {channels}x1x1"
    pooled = "" if x[1:] in (whole[1:], (1, 1)) else "gap"
    gate = "" if x[0] == channels else f"conv {channels} 1x1 sigmoid"
    return "; ".join(text for text in (pooled, gate) if text)


def _side_by_side(xs: tuple[Shape, ...]) -> Behind:
    """Images to the smallest height and width; up from 1x1, or by one row and column."""
    if len({len(x) for x in xs}) > 1:
        return Behind(tuple("flatten" if len(x) == 3 else "" for x in xs))
    heights, widths = {x[1] for x in xs}, {x[2] for x in xs}
    low, high = (min(heights), min(widths)), (max(heights), max(widths))
    odd = max(high[0] - low[0], high[1] - low[1]) == 1
    goal = high if (odd and min(low) > 1) or low == (1, 1) else low
    up = resized(low, high)
    otherwise = f", or the smaller up with `{up}`" if len(xs) == 2 and goal == low else ""
    if odd:
        otherwise = ", or use an input whose sides halve evenly"
    return Behind(tuple(resized(x[1:], goal) for x in xs), otherwise)
