"""Merges of branches and labels: `add`, `mul`, `concat`, `residual`."""

from dataclasses import dataclass

from cnndsl.fields import flag
from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Value
from cnndsl.layers.base import Merge, Reject
from cnndsl.shapes import Shape, show


def _same_or_reject(xs: tuple[Shape, ...], word: str, project: str) -> Shape:
    first = xs[0]
    other = next((x for x in xs if x != first), None)
    if other is None:
        return first
    message = f"`{word}` needs equal shapes, but gets {' and '.join(map(show, xs))}"
    raise Reject("E203", message, help=_advice(first, other, project), assume=first)


def _advice(first: Shape, other: Shape, project: str) -> str:
    """How to bring the shapes together; `project` is how a shortcut is written, with a hole."""
    if len(first) != len(other):
        return "bring both to vectors with `flatten` or `gap`"
    step = _step(first, other)
    if step == 1 and first[1:] != other[1:]:
        return "a border is lost on the way: write `same`"
    if first[0] == other[0]:
        return "use the same strides in both branches"
    stride = "" if step == 1 else f" /{step}"
    return "project the shortcut: " + project.format(f"conv {first[0]} 1x1{stride}")


def _step(first: Shape, other: Shape) -> int:
    """The stride between two images of different size."""
    small, large = sorted((first[-1], other[-1]))
    return max(1, round(large / max(1, small)))


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
        return _same_or_reject(xs, "add", "`{}`")

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
        return _same_or_reject(xs, "residual", "`add {{ … | {} }}`")

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
            help=f"end the gate with {whole[0]} channels: `gap; conv {whole[0]} 1x1 sigmoid`",
            assume=whole,
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
            help=_concat_advice(xs),
            assume=(channels, *size),
        )

    def join(self, e: Emitter, xs: tuple[Value, ...]) -> Value:
        """One Concat over axis 1."""
        return e.op("Concat", *xs, axis=1)


def _concat_advice(xs: tuple[Shape, ...]) -> str:
    if len({len(x) for x in xs}) > 1:
        return "bring all to vectors with `flatten` or `gap`"
    smallest, largest = min(x[1] for x in xs), max(x[1] for x in xs)
    if smallest and largest % smallest == 0:
        factor = largest // smallest
        return f"bring the larger down with `pool {factor}`, or the smaller up: `upsample {factor}`"
    return "use the same strides in all branches, and `same` or `pad` so that no border is lost"
