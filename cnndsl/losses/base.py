"""What losses are: rules that write one number to make small."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from cnndsl.fields import Word
from cnndsl.graph.tape import Tape, Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

VOID = 255
"""The value of a mask's pixels that count for nothing; classes are below."""

registry: dict[str, type["Loss"]] = {}


@dataclass(frozen=True)
class Masks:
    """The pixels' class numbers, int32: `part` n×P of a micro-batch, `whole` N×P of its batch."""

    part: Value
    whole: Value

    def rows(self, tape: Tape, table: "NDArray[Any]", dtype: str) -> Value:
        """The row of a table, classes×K, that each pixel of `part` has: n×P×K; zeros for VOID."""
        return _looked_up(tape, table, self.part, dtype)

    def total(self, tape: Tape, weights: "NDArray[Any]", dtype: str) -> Value:
        """The weights of the whole batch's pixels, one a class: a mean over its micro-batches.

        1 where no pixel has a weight, so that it can be divided by.
        """
        found = _looked_up(tape, weights, self.whole, dtype)
        total = tape.op("ReduceSum", found, tape.ints([0, 1]), keepdims=0)
        share = int(self.part.shape[0]) / int(self.whole.shape[0])
        some = tape.op("Greater", total, tape.scalar(0.0, dtype))
        some = tape.op("Where", some, total, tape.scalar(1.0, dtype))
        return tape.op("Mul", some, tape.scalar(share, dtype))


def _looked_up(tape: Tape, table: "NDArray[Any]", pixels: Value, dtype: str) -> Value:
    """A table by class, zeros from there to VOID, read for each pixel."""
    import numpy as np

    filled = np.zeros((VOID + 1, *table.shape[1:]), dtype)
    filled[: len(table)] = table
    return tape.op("Gather", tape.const(filled), pixels, axis=0)


class Loss(Word):
    """Model outputs and targets to one number, the mean over the batch."""

    fits: ClassVar[frozenset[str]] = frozenset()
    """The kinds of targets it takes, each the `kind` of a task."""
    activation: ClassVar[str] = ""
    """The activation that it applies to the outputs by itself: the model ends without."""

    def __init_subclass__(cls, word: str = "") -> None:
        super().__init_subclass__(word)
        registry[word] = cls

    def emit(self, tape: Tape, x: Value, q: Value) -> Value:
        """The loss of outputs x against targets q of the same shape (N, C, …), a scalar."""
        raise NotImplementedError(self.word)

    def emit_masks(self, tape: Tape, x: Value, masks: Masks) -> Value:
        """The loss of outputs x, n×P×C for P pixels, against masks: a scalar."""
        raise NotImplementedError(self.word)

    def ignored(self) -> int:
        """The class number of masks that counts for nothing, besides VOID."""
        return VOID

    def for_kind(self, kind: str) -> Self:
        """The loss for targets of a kind that it fits."""
        return self

    def fitted(self, counts: Sequence[int], images: int) -> Self:
        """The loss for so many training images, of which `counts` show each class."""
        return self


def mean(tape: Tape, total: Value, count: float) -> Value:
    """The sum of all values over a count."""
    summed = tape.op("ReduceSum", total, tape.ints(range(len(total.shape))), keepdims=0)
    return tape.op("Mul", summed, tape.scalar(1 / count, total.dtype))
