"""Classification: one class number an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnndsl.graph.tape import Tape, Value
from cnndsl.results import Answer, Drawing, Matrix, Scores, Table
from cnndsl.source import counted, printable
from cnndsl.tasks.base import Shape, Task, as_vector, vector_problem
from cnndsl.tasks.meter import Meter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]


@dataclass(frozen=True)
class Classification(Task, word="classification"):
    """One class an image: `task classification`. Its targets are class numbers.

    The model gives one vector of logits, a logit a class. Its metric is the accuracy: the share of
    images whose largest logit is that of their class.
    """

    kind = "classes"
    default_loss = "cross_entropy"
    usual = True
    tally = "correct"
    running = "accuracy"
    rising = ("accuracy",)
    best = "val_accuracy"
    nouns = "classes"
    partial = True
    least = 2
    files = ("confusion_matrix.png",)

    def problem(self, shape: Shape) -> str | None:
        """It needs one vector."""
        return vector_problem(shape)

    def output(self, tape: Tape, x: Value) -> Value:
        """N×C."""
        return as_vector(tape, x)

    def targets(self, tape: Tape, batch: int, shape: Shape, soft: bool, dtype: str) -> Value:
        """Class numbers (N,) as one-hot N×C; blended ones come as N×C."""
        classes = shape[0]
        if soft:
            return tape.input("y", (batch, classes), dtype)
        y = tape.input("y", (batch,), "int64")
        ends = tape.scalars([0, 1], dtype)
        return tape.op("OneHot", y, tape.scalar(classes, "int64"), ends, axis=1)

    def count(self, tape: Tape, x: Value, q: Value) -> Value:
        """How many of the largest outputs are at the largest target."""
        same = tape.op(
            "Equal",
            tape.op("ArgMax", x, axis=1, keepdims=0),
            tape.op("ArgMax", q, axis=1, keepdims=0),
        )
        return tape.op("ReduceSum", tape.op("Cast", same, to="float32"), tape.ints([0]), keepdims=0)

    def chances(self, tape: Tape, x: Value) -> Value:
        """They sum to one."""
        return tape.op("Softmax", x, axis=1)

    def refusal(self, y: "Array", names: Sequence[str]) -> str | None:
        """It needs a whole number an image, from 0."""
        flat = y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1 and y.dtype.kind == "f")
        is_whole = y.dtype.kind != "f" or bool(((y >= 0) & (y == y.round())).all())
        if (flat and is_whole) or is_one_hot(y):
            return None
        return "a classification needs one class number an image"

    def is_sure(self, y: "Array") -> bool:
        """Whole numbers that are stored with a fraction may be amounts."""
        return y.dtype.kind != "f" and y.ndim == 1

    def flaw(self, y: "Array", names: Sequence[str]) -> str | None:
        """An image of no class, or of two."""
        if y.ndim == 1 or y.shape[1] == 1 or is_one_hot(y):
            return None
        wrong = int((y.sum(1) != 1).argmax())
        return f"picture {wrong} is of {int(y[wrong].sum())} classes; a classification needs one"

    def converted(self, y: "Array", names: Sequence[str]) -> "Array":
        """Class numbers (N,) int64, also of one-hot rows."""
        return y.argmax(1) if is_one_hot(y) else y.reshape(-1).astype("int64", copy=False)

    def names(self, y: "Array", names: tuple[str, ...], column: str = "number") -> tuple[str, ...]:
        """Those of the classes; of numbers, the numbers themselves."""
        if y.dtype.kind != "f" or is_one_hot(y):
            return names
        return tuple(map(str, range(int(y.max()) + 1)))

    def soft(self, y: "Array", shape: Shape) -> "NDArray[np.float32]":
        """One-hot."""
        import numpy as np

        return np.eye(shape[0], dtype=np.float32)[y]

    def counts(self, y: "Array", names: Sequence[str]) -> list[int]:
        """Images of each class."""
        import numpy as np

        return np.bincount(y, minlength=len(names)).tolist()

    def truths(self, y: "Array", names: tuple[str, ...]) -> list[str]:
        """The names of the classes."""
        return [class_name(int(i), names) for i in y]

    def reordered(self, y: "Array", places: Sequence[int]) -> "Array":
        """The new numbers of the classes."""
        import numpy as np

        return np.asarray(places)[y]

    def meter(self, shape: Shape, names: tuple[str, ...]) -> Meter:
        """Counts a confusion matrix."""
        import numpy as np

        return ClassMeter(np.zeros((shape[0], shape[0]), np.int64), names)

    def answers(self, outputs: "Array", names: tuple[str, ...], k: int) -> list[Answer]:
        """The k likeliest classes with their softmax probabilities."""
        return [class_answer(top(logits, k), names) for logits in outputs.reshape(len(outputs), -1)]

    def is_right(self, answer: Answer, truth: str) -> bool:
        """Whether the likeliest class is the true one."""
        return answer.value[0][0] == truth


@dataclass
class ClassMeter:
    """Scores as they grow."""

    confusion: "NDArray[np.int64]"
    names: tuple[str, ...]

    def add(self, outputs: "Array", targets: "Array") -> None:
        """Count what each class is taken for."""
        from cnndsl.metrics import confusion

        predicted = outputs.reshape(len(targets), -1).argmax(1)
        self.confusion += confusion(targets, predicted, len(self.confusion))

    def scores(self, loss: float) -> "ClassificationScores":
        """Accuracy and confusion."""
        from cnndsl.metrics import accuracy

        return ClassificationScores(loss, accuracy(self.confusion), self.confusion, self.names)


@dataclass(frozen=True, eq=False, repr=False)
class ClassificationScores(Scores):
    """`confusion[i, j]` counts images of class i taken for j."""

    accuracy: float
    confusion: "NDArray[np.int64]"
    classes: tuple[str, ...] = ()

    @property
    def per_class(self) -> "NDArray[np.float64]":
        """Share of right answers for each class; NaN for a class without images."""
        from cnndsl.metrics import recalls

        return recalls(self.confusion)

    def columns(self) -> dict[str, float]:
        """Loss and accuracy."""
        return {"loss": self.loss, "accuracy": self.accuracy}

    def as_dict(self) -> dict[str, Any]:
        """Also the accuracy of each class, and the confusion matrix."""
        return {
            **super().as_dict(),
            "per_class": dict(zip(self.classes, self.per_class.tolist(), strict=True)),
            "confusion": self.confusion.tolist(),
        }

    def table(self) -> Table:
        """A row a class that has images: how many, its accuracy, and what it is mistaken for."""
        title = f"loss {self.loss:.4f}, accuracy {self.accuracy:.4f}{self.over()}"
        heads = ("class", "pictures", "accuracy", "taken most often for")
        present = self.confusion.sum(1).nonzero()[0].tolist()
        if len(present) < len(self.classes):
            title += f" of {len(present)} of {counted(len(self.classes), 'class')}"
        return Table(title, heads, tuple(self._row(i) for i in present))

    def _row(self, i: int) -> tuple[str, ...]:
        row = self.confusion[i].copy()
        total, row[i] = row.sum(), -1
        worst = int(row.argmax())
        other = f"{printable(self.classes[worst])} {row[worst]}" if row[worst] > 0 else "-"
        return printable(self.classes[i]), f"{total:,}", f"{self.per_class[i]:.3f}", other

    def drawings(self) -> tuple[Drawing, ...]:
        """The confusion matrix."""
        return (Matrix("confusion_matrix.png", self.confusion, self.classes),)


def is_one_hot(y: "Array") -> bool:
    """Whether targets are N×C with a single 1 in each row, and 0 elsewhere."""
    if y.ndim != 2 or y.shape[1] < 2:
        return False
    return bool(((y == 0) | (y == 1)).all() and (y.sum(1) == 1).all())


def top(logits: "Array", k: int) -> list[tuple[int, float]]:
    """The k likeliest classes with their softmax probabilities."""
    import numpy as np

    exps = np.exp(logits - logits.max())
    probabilities = exps / exps.sum()
    best = np.argsort(-probabilities, kind="stable")[:k]
    return [(int(i), float(probabilities[i])) for i in best]


def class_answer(best: list[tuple[int, float]], names: tuple[str, ...], **told: float) -> Answer:
    """Classes with their probabilities, as they come; `told` stands in the record, too."""
    named = [(class_name(i, names), p) for i, p in best]
    rows = [
        {"class": i, "name": name, "probability": p}
        for (i, _), (name, p) in zip(best, named, strict=True)
    ]
    return Answer(named, "  ".join(f"{name} {p:.1%}" for name, p in named), {"top": rows} | told)


def class_name(i: int, names: tuple[str, ...]) -> str:
    """What a class is called."""
    return printable(names[i]) if i < len(names) else f"class {i}"
