"""What losses are: rules that write one number to make small."""

from collections.abc import Sequence
from typing import ClassVar, Self

from cnndsl.fields import Word
from cnndsl.graph.tape import Tape, Value

registry: dict[str, type["Loss"]] = {}


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
