"""Binary classification: one of two classes an image, by one output."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from cnndsl.graph.tape import Tape, Value
from cnndsl.results import Answer, Scores
from cnndsl.tasks.base import Shape, mean_per_image, vector_problem
from cnndsl.tasks.classification import Classification, ClassificationScores, class_answer
from cnndsl.tasks.meter import Meter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnndsl.metrics import Floats

    Array = NDArray[Any]

_MIDDLE = 0.5


@dataclass(frozen=True)
class Binary(Classification, word="binary"):
    """One of two classes an image, by a single output: `task binary`.

    Its targets are class numbers 0 and 1. The model gives one logit: its sigmoid is the probability
    of the second class, which is taken where that reaches a threshold: the one with the highest
    accuracy on validation, which the best weights carry with them. Its metric is the accuracy.
    """

    kind = "labels"
    default_loss = "bce"
    usual = False

    threshold: float | None = None
    """The probability from which on an image is of the second class; None before it is chosen."""

    def problem(self, shape: Shape) -> str | None:
        """It needs one number."""
        if shape[0] == 1 and vector_problem(shape) is None:
            return None
        return f"a binary classification needs one output, but the model gives {shape}"

    def outputs(self, names: Sequence[str]) -> int:
        """One for both classes."""
        return 1 if len(names) == 2 else len(names)

    def targets(self, tape: Tape, batch: int, shape: Shape, soft: bool, dtype: str) -> Value:
        """Class numbers (N,) as N×1 of 0 and 1; blended ones come as N×1."""
        if soft:
            return tape.input("y", (batch, 1), dtype)
        y = tape.input("y", (batch,), "int64")
        return tape.reshape(tape.op("Cast", y, to=dtype), batch, 1)

    def count(self, tape: Tape, x: Value, q: Value) -> Value:
        """How many are told rightly at ½."""
        taken = tape.op("GreaterOrEqual", x, tape.scalar(0.0, x.dtype))
        true = tape.op("Greater", q, tape.scalar(0.5, q.dtype))
        return mean_per_image(tape, tape.op("Cast", tape.op("Equal", taken, true), to="float32"))

    def explained(self, tape: Tape, x: Value) -> Value:
        """How far the output is on the side of its answer."""
        return tape.op("Abs", x)

    def chances(self, tape: Tape, x: Value) -> Value:
        """That of the second class."""
        return tape.op("Sigmoid", x)

    def refusal(self, y: "Array", names: Sequence[str]) -> str | None:
        """It needs two classes."""
        if y.ndim == 1 and y.dtype.kind != "f" and len(names) <= 2:
            return None
        return "a binary classification needs one class number an image, of two classes"

    def is_sure(self, y: "Array") -> bool:
        """Two outputs can tell two classes apart, too."""
        return False

    def soft(self, y: "Array", shape: Shape) -> "NDArray[np.float32]":
        """The same as probabilities N×1."""
        return y.astype("float32").reshape(-1, 1)

    def weighed(self, counts: Sequence[int]) -> list[int]:
        """The output's class is the second."""
        return list(counts[1:])

    def width(self) -> int | None:
        """One output."""
        return 1

    def meter(self, shape: Shape, names: tuple[str, ...]) -> Meter:
        """Keeps the probabilities, for the threshold."""
        return _Meter(names, self.threshold)

    def tuned(self, scores: Scores) -> Self:
        """With the threshold of the scores."""
        assert isinstance(scores, BinaryScores)
        return replace(self, threshold=scores.threshold)

    def answers(self, outputs: "Array", names: tuple[str, ...], k: int) -> list[Answer]:
        """Both classes with their probabilities, the one that is taken first."""
        from cnndsl.metrics import sigmoid

        least = _MIDDLE if self.threshold is None else self.threshold
        return [_answer(float(p), least, names, k) for p in sigmoid(outputs.reshape(-1))]


@dataclass
class _Meter:
    """Probabilities and classes of the images so far."""

    names: tuple[str, ...]
    threshold: float | None
    chances: "list[Floats]" = field(default_factory=list["Floats"])
    truth: "list[Array]" = field(default_factory=list["Array"])

    def add(self, outputs: "Array", targets: "Array") -> None:
        """Keep a batch."""
        from cnndsl.metrics import sigmoid

        self.chances.append(sigmoid(outputs.reshape(-1)))
        self.truth.append(targets)

    def scores(self, loss: float) -> "BinaryScores":
        """Accuracy and confusion, at a threshold that is given or chosen here."""
        import numpy as np

        from cnndsl.metrics import accuracy, confusion, most_accurate_threshold

        truth, chances = np.concatenate(self.truth), np.concatenate(self.chances)
        least = self.threshold
        if least is None:
            least = most_accurate_threshold(truth == 1, chances)
        counts = confusion(truth, (chances >= least).astype(np.int64), 2)
        return BinaryScores(loss, accuracy(counts), counts, self.names, least)


@dataclass(frozen=True, eq=False, repr=False)
class BinaryScores(ClassificationScores):
    """Those of two classes at a threshold."""

    threshold: float = _MIDDLE

    def as_dict(self) -> dict[str, Any]:
        """Also the threshold."""
        return super().as_dict() | {"threshold": self.threshold}

    def over(self) -> str:
        """Also the threshold."""
        return f" at a threshold of {self.threshold:.3f}{super().over()}"


def _answer(p: float, least: float, names: tuple[str, ...], k: int) -> Answer:
    """Of one image."""
    taken, chances = int(p >= least), (1 - p, p)
    best = [(i, chances[i]) for i in (taken, 1 - taken)][:k]
    return class_answer(best, names, threshold=least)
