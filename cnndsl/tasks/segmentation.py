"""Semantic segmentation: a class for each pixel."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any, Self

from cnndsl.graph.tape import Tape, Value
from cnndsl.losses import VOID, Loss, Masks
from cnndsl.results import Answer
from cnndsl.source import counted, listed, printable
from cnndsl.tasks.base import Shape, Task
from cnndsl.tasks.mask_scores import MaskMeter
from cnndsl.tasks.meter import Meter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_SHOWN = 3  # classes of a mask that are told below an image
_SPARSE = 10  # times as many class numbers as occur
_TOLD = 12  # classes that no mask has


@dataclass(frozen=True)
class Segmentation(Task, word="segmentation"):
    """A class for each pixel: `task segmentation`. Its targets are masks of class numbers.

    The model gives a map of logits, C×H×W, of the masks' size; one that is smaller is enlarged by
    `upsample`. Pixels of value 255, and of the class that the loss ignores, count for nothing.
    Metrics are the mean over the classes of the intersection over union (mIoU) and of the Dice
    coefficient, and the share of right pixels. Classes that are neither there nor found count for
    no mean.
    """

    kind = "masks"
    default_loss = "cross_entropy"
    tally = "right_pixels"
    running = "pixel_accuracy"
    rising = ("miou", "dice", "pixel_accuracy")
    best = "val_miou"
    nouns = "classes"
    moves = True
    mixes = False
    files = ("confusion_matrix.png",)

    ignore: int = VOID
    """The class that the loss leaves out."""

    def problem(self, shape: Shape) -> str | None:
        """It needs a map."""
        if len(shape) == 3:
            return None
        return f"a segmentation needs a map of C×H×W, but the model gives {shape}"

    def ending(self, count: int) -> str:
        """A convolution of one pixel."""
        return f"conv {count} 1x1"

    def way_to_fit(self, count: int) -> str:
        """No layer that makes a vector."""
        return f"end the spec with `{self.ending(count)}`, without `gap`, `flatten` and `dense`"

    def size_problem(self, shape: Shape, size: Shape) -> str | None:
        """Maps are as large as the masks."""
        return _size_problem(shape[1:], size)

    def for_loss(self, loss: Loss | None) -> Self:
        """With the class that the loss ignores."""
        return self if loss is None else replace(self, ignore=loss.ignored())

    def output(self, tape: Tape, x: Value) -> Value:
        """N×P×C of N×C×H×W, for P = H·W pixels."""
        images, classes, height, width = (int(d) for d in x.shape)
        turned = tape.op("Transpose", x, perm=(0, 2, 3, 1))
        return tape.reshape(turned, images, height * width, classes)

    def targets(self, tape: Tape, batch: int, shape: Shape, soft: bool, dtype: str) -> Value:
        """N×P class numbers, int32, of masks N×H×W, uint8."""
        assert not soft
        y = tape.input("y", (batch, *shape[1:]), "uint8")
        return tape.op("Cast", tape.reshape(y, batch, prod(shape[1:])), to="int32")

    def loss(self, tape: Tape, loss: Loss, x: Value, q: Value, whole: Value) -> Value:
        """The mean over the pixels that count."""
        return loss.emit_masks(tape, x, Masks(q, whole))

    def count(self, tape: Tape, x: Value, q: Value) -> Value:
        """Shares of right pixels, summed over the images."""
        import numpy as np

        found = tape.op("ArgMax", x, axis=2, keepdims=0)
        same = tape.op("Equal", found, tape.op("Cast", q, to="int64"))
        axis = tape.ints([1])
        right = tape.op("ReduceSum", tape.op("Cast", same, to="float32"), axis, keepdims=0)
        known = Masks(q, q).rows(tape, np.ones(VOID), "float32")
        total = tape.op("ReduceSum", known, axis, keepdims=0)
        shares = tape.op("Div", right, tape.op("Max", total, tape.scalar(1.0)))
        return tape.op("ReduceSum", shares, tape.ints([0]), keepdims=0)

    def refusal(self, y: "Array", names: Sequence[str]) -> str | None:
        """It needs masks."""
        if y.ndim == 3 and y.dtype.kind in "iu" and len(names) <= VOID:
            return None
        return f"a segmentation needs masks, a class number a pixel, of at most {VOID} classes"

    def flaw(self, y: "Array", names: Sequence[str]) -> str | None:
        """Values that are no class, and masks without a pixel that counts."""
        known = {*range(len(names)), VOID, self.ignore}
        for i, mask in enumerate(y):
            wrong = next((v for v in _values(mask) if v not in known), None)
            if wrong is not None:
                told = f"mask {i} has the value {wrong}: classes are 0…{len(names) - 1}, and 255 is"
                return f"{told} ignored\n  {_way_to_ignore(wrong)}"
        if all(v in (VOID, self.ignore) for mask in y for v in _values(mask)):
            return "masks have no pixel that is not ignored"
        return None

    def lack(self, y: "Array", names: Sequence[str]) -> str | None:
        """Pixels of a second class."""
        there = [name for name, n in zip(names, self.counts(y, names), strict=True) if n]
        if len(there) > 1:
            return _scattered(there, names)
        told = f"all pixels of the training masks are of one class, {printable(*there)}"
        return (
            f"{told}\n  255 is not a class: write 1 for the second" if (y == VOID).any() else told
        )

    def remarks(self, y: "Array", names: Sequence[str]) -> Iterator[str]:
        """Masks that are ignored as a whole, classes that no mask has; of converted targets."""
        empty = sum(bool((mask == VOID).all()) for mask in y)
        if empty:
            yield f"{empty} of {counted(len(y), 'mask')} are ignored as a whole"
        counts = enumerate(zip(names, self.counts(y, names), strict=True))
        missing = [printable(name) for i, (name, n) in counts if not n and i != self.ignore]
        if missing:
            yield f"no mask has {listed(missing, _TOLD)}"

    def converted(self, y: "Array", names: Sequence[str]) -> "Array":
        """N×H×W uint8; ignored pixels are 255."""
        import numpy as np

        y = y.astype(np.uint8, copy=False)
        return y if self.ignore == VOID else np.where(y == self.ignore, np.uint8(VOID), y)

    def counts(self, y: "Array", names: Sequence[str]) -> list[int]:
        """Pixels of each class."""
        import numpy as np

        total = np.zeros(VOID + 1, np.int64)
        for mask in y:
            total += np.bincount(mask.ravel(), minlength=VOID + 1)
        return total[: len(names)].tolist()

    def overview(self, y: "Array", names: Sequence[str]) -> list[str]:
        """The share of each class of the pixels that count."""
        counts = self.counts(y, names)
        total = max(sum(counts), 1)
        return [f"{printable(n)} {c / total:.1%}" for n, c in zip(names, counts, strict=True)]

    def truths(self, y: "Array", names: tuple[str, ...]) -> list[str]:
        """The most frequent classes of each mask."""
        return [_text(_shares(mask, names, _SHOWN)) or "-" for mask in y]

    def reordered(self, y: "Array", places: Sequence[int]) -> "Array":
        """The new numbers of the classes."""
        import numpy as np

        table = np.full(VOID + 1, VOID, np.uint8)
        table[: len(places)] = places
        return table[y]

    def meter(self, shape: Shape, names: tuple[str, ...]) -> Meter:
        """Counts a confusion matrix over the pixels."""
        import numpy as np

        return MaskMeter(np.zeros((shape[0], shape[0]), np.int64), names)

    def answers(self, outputs: "Array", names: tuple[str, ...], k: int) -> list[Answer]:
        """A mask an image, and the shares of its k most frequent classes."""
        others = (f"class {i}" for i in range(len(names), outputs.shape[1]))
        named = [*map(printable, names), *others]
        return [_answer(logits.argmax(0).astype("uint8"), named, k) for logits in outputs]


def _way_to_ignore(value: int) -> str:
    """How pixels of a value that is not a class are left out."""
    if 0 <= value <= VOID:
        return f"`ignore={value}` in the loss leaves its pixels out"
    return f"write {VOID} for pixels of no class"


def _scattered(there: Sequence[str], names: Sequence[str]) -> str | None:
    """Why few values, far from each other and without names, are gray levels: no class numbers."""
    if len(names) < _SPARSE * len(there) or names != tuple(map(str, range(len(names)))):
        return None
    moved = [f"{i} for {n}" for i, n in enumerate(there) if str(i) != n]
    return (
        f"masks have the values {listed(there, _TOLD)}, which would be {len(names)} classes\n"
        f"  masks hold class numbers: write {listed(moved, _TOLD)}\n"
        "  if there are so many classes, name them all"
    )


def _values(mask: "Array") -> list[int]:
    """The values that occur in a mask."""
    import numpy as np

    return np.unique(mask).tolist()


def _size_problem(output: Shape, masks: Shape) -> str | None:
    """Why a map does not cover masks, with what does."""
    if output == masks:
        return None
    told = f"the model gives maps of {_size(output)}, the masks are {_size(masks)}"
    if all(m <= o for m, o in zip(masks, output, strict=True)):
        return f"{told}\n  take masks as large as the images, or end the spec at {_size(masks)}"
    if all(m % o == 0 for m, o in zip(masks, output, strict=True)):
        factors = [m // o for m, o in zip(masks, output, strict=True)]
        factor = f"{factors[0]}" if len(set(factors)) == 1 else _size(tuple(factors))
        return f"{told}\n  end the spec with `upsample {factor} bilinear`"
    return f"{told}\n  pad the convolutions, so that sizes are halved and doubled exactly"


def _size(sides: Shape) -> str:
    return "x".join(map(str, sides))


def _answer(mask: "Array", names: Sequence[str], k: int) -> Answer:
    """Of one image."""
    rows = _shares(mask, names, k)
    return Answer(mask, _text(rows), {"classes": rows}, mask)


def _shares(mask: "Array", names: Sequence[str], k: int) -> list[dict[str, Any]]:
    """The k most frequent classes of a mask, with their shares of the pixels that count."""
    import numpy as np

    counts = np.bincount(mask[mask < len(names)], minlength=len(names))
    most = [int(i) for i in np.argsort(-counts, kind="stable")[:k] if counts[i]]
    total = int(counts.sum())
    return [{"class": i, "name": names[i], "share": int(counts[i]) / total} for i in most]


def _text(rows: Sequence[dict[str, Any]]) -> str:
    return "  ".join(f"{printable(row['name'])} {row['share']:.1%}" for row in rows)
