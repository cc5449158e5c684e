"""Binary classification: one of two classes an image, by one output."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnndsl.graph.tape import Tape, Value
from cnndsl.results import Answer
from cnndsl.source import printable
from cnndsl.tasks.base import Meter, Shape, Task, as_vector, mean_per_image, vector_problem
from cnndsl.tasks.classification import ClassMeter, class_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]


@dataclass(frozen=True)
class Binary(Task, word="binary"):
    """One of two classes an image, by a single output: `task binary`.

    Its targets are class numbers 0 and 1. The model gives one logit: its sigmoid is the probability
    of the second class, which is taken where that reaches `threshold`. Its metric is the accuracy.
    """

    kind = "labels"
    default_loss = "bce"
    tally = "correct"
    running = "accuracy"
    rising = ("accuracy",)
    best = "val_accuracy"
    nouns = "classes"
    partial = True
    least = 2
    files = ("confusion_matrix.png",)

    threshold: float = 0.5
    """The probability from which on an image is of the second class."""

    def problem(self, shape: Shape) -> str | None:
        """It needs one number."""
        if shape[0] == 1 and vector_problem(shape) is None:
            return None
        return f"a binary classification needs one output, but the model gives {shape}"

    def outputs(self, names: Sequence[str]) -> int:
        """One for both classes."""
        return 1 if len(names) == 2 else len(names)

    def output(self, tape: Tape, x: Value) -> Value:
        """N×1."""
        return as_vector(tape, x)

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

    def refusal(self, y: "Array", names: Sequence[str]) -> str | None:
        """It needs two classes."""
        if y.ndim == 1 and y.dtype.kind != "f" and len(names) <= 2:
            return None
        return "a binary classification needs one class number an image, of two classes"

    def is_sure(self, y: "Array") -> bool:
        """Two outputs can tell two classes apart, too."""
        return False

    def converted(self, y: "Array", names: Sequence[str]) -> "Array":
        """Class numbers (N,) int64."""
        return y.astype("int64", copy=False)

    def soft(self, y: "Array", shape: Shape) -> "NDArray[np.float32]":
        """The same as probabilities N×1."""
        return y.astype("float32").reshape(-1, 1)

    def counts(self, y: "Array", names: Sequence[str]) -> list[int]:
        """Images of each class."""
        import numpy as np

        return np.bincount(y, minlength=len(names)).tolist()

    def weighed(self, counts: Sequence[int]) -> list[int]:
        """The output's class is the second."""
        return list(counts[1:])

    def truths(self, y: "Array", names: tuple[str, ...]) -> list[str]:
        """The names of the classes."""
        return [class_name(int(i), names) for i in y]

    def reordered(self, y: "Array", places: Sequence[int]) -> "Array":
        """The new numbers of the classes."""
        import numpy as np

        return np.asarray(places)[y]

    def width(self) -> int | None:
        """One output."""
        return 1

    def meter(self, shape: Shape, names: tuple[str, ...]) -> Meter:
        """Counts a confusion matrix of two classes."""
        return _Meter(ClassMeter.empty(2, names), self.threshold)

    def answers(self, outputs: "Array", names: tuple[str, ...], k: int) -> list[Answer]:
        """Both classes with their probabilities, the one that is taken first."""
        from cnndsl.metrics import sigmoid

        return [self._answer(float(p), names, k) for p in sigmoid(outputs.reshape(-1))]

    def _answer(self, p: float, names: tuple[str, ...], k: int) -> Answer:
        taken = int(p >= self.threshold)
        chances = (1 - p, p)
        named = [(class_name(i, names), chances[i]) for i in (taken, 1 - taken)][:k]
        rows = [
            {"class": i, "name": name, "probability": chance}
            for i, (name, chance) in zip((taken, 1 - taken), named, strict=False)
        ]
        text = "  ".join(f"{printable(name)} {chance:.1%}" for name, chance in named)
        return Answer(named, text, {"top": rows, "threshold": self.threshold})


@dataclass
class _Meter:
    """The confusion of two classes at a threshold."""

    classes: ClassMeter
    threshold: float

    def add(self, outputs: "Array", targets: "Array") -> None:
        """Count a batch."""
        from cnndsl.metrics import sigmoid

        self.classes.count(
            targets, (sigmoid(outputs.reshape(-1)) >= self.threshold).astype("int64")
        )

    def scores(self, loss: float) -> Any:
        """Accuracy and confusion."""
        return self.classes.scores(loss)
