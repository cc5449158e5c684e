"""Multi-label classification: any number of labels an image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from cnndsl.graph.tape import Tape, Value
from cnndsl.results import Answer, Scores, Table, number
from cnndsl.source import listed, printable
from cnndsl.tasks.base import Shape, Task, as_vector, mean_per_image, vector_problem
from cnndsl.tasks.classification import is_one_hot
from cnndsl.tasks.meter import Meter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnndsl.metrics import Floats, Hits

    Array = NDArray[Any]

_MIDDLE = 0.5
_TOLD = 12  # labels that no image has


@dataclass(frozen=True)
class Multilabel(Task, word="multilabel"):
    """Any number of labels an image, each there or not: `task multilabel`.

    Its targets are N×C of 0 and 1. The model gives one vector of logits, a logit a label. Metrics
    are mAP, the mean of the average precisions of the labels, and F1 over all answers (micro) and
    as a mean over the labels (macro). A label is taken where its probability reaches a threshold:
    the one with the highest F1 on validation, which the best weights carry with them. Labels that
    no image has count for no mean.
    """

    kind = "labels"
    default_loss = "bce"
    tally = "right_labels"
    running = "binary_accuracy"
    rising = ("map", "f1_micro", "f1_macro")
    best = "val_map"
    nouns = "labels"

    thresholds: tuple[float, ...] = ()
    """A probability a label; empty before they are chosen."""

    def problem(self, shape: Shape) -> str | None:
        """It needs one vector."""
        return vector_problem(shape)

    def output(self, tape: Tape, x: Value) -> Value:
        """N×C."""
        return as_vector(tape, x)

    def targets(self, tape: Tape, batch: int, shape: Shape, soft: bool, dtype: str) -> Value:
        """N×C of 0 and 1, uint8; blended ones as they are."""
        size = (batch, shape[0])
        return (
            tape.input("y", size, dtype)
            if soft
            else tape.op("Cast", tape.input("y", size, "uint8"), to=dtype)
        )

    def count(self, tape: Tape, x: Value, q: Value) -> Value:
        """Shares of the labels that are told rightly at ½, summed over the images."""
        taken = tape.op("Greater", x, tape.scalar(0.0, x.dtype))
        true = tape.op("Greater", q, tape.scalar(_MIDDLE, q.dtype))
        right = tape.op("Cast", tape.op("Equal", taken, true), to="float32")
        return mean_per_image(tape, right)

    def chances(self, tape: Tape, x: Value) -> Value:
        """One a label."""
        return tape.op("Sigmoid", x)

    def refusal(self, y: "Array", names: Sequence[str]) -> str | None:
        """It needs a 0 or 1 for each label."""
        if y.ndim == 2 and bool(((y == 0) | (y == 1)).all()):
            return None
        return "multi-label classification needs a 0 or 1 for each label of an image"

    def is_sure(self, y: "Array") -> bool:
        """A single column of 0 and 1 with a fraction may be classes or amounts; a single 1 in each
        row a class.
        """
        return (y.dtype.kind != "f" or y.shape[1] > 1) and not is_one_hot(y)

    def lack(self, y: "Array", names: Sequence[str]) -> str | None:
        """A label that an image has."""
        return None if y.any() else "no training image has a label: there is nothing to learn"

    def remarks(self, y: "Array", names: Sequence[str]) -> Iterator[str]:
        """Labels that nothing shows."""
        missing = [printable(name) for name, n in zip(names, self.counts(y, names), strict=True)
                   if not n]  # fmt: skip
        if 0 < len(missing) < len(names):
            yield f"no training image has {listed(missing, _TOLD)}"

    def converted(self, y: "Array", names: Sequence[str]) -> "Array":
        """N×C uint8."""
        return y.astype("uint8", copy=False)

    def soft(self, y: "Array", shape: Shape) -> "NDArray[np.float32]":
        """The same as probabilities."""
        return y.astype("float32")

    def counts(self, y: "Array", names: Sequence[str]) -> list[int]:
        """Images with each label."""
        return y.sum(0, dtype="int64").tolist()

    def truths(self, y: "Array", names: tuple[str, ...]) -> list[str]:
        """The labels."""
        rows = [[n for n, has in zip(names, row, strict=True) if has] for row in y]
        return [printable(" ".join(row)) or "-" for row in rows]

    def reordered(self, y: "Array", places: Sequence[int]) -> "Array":
        """Columns moved."""
        out = y.copy()
        out[:, list(places)] = y
        return out

    def width(self) -> int | None:
        """As many as there are thresholds."""
        return len(self.thresholds) or None

    def meter(self, shape: Shape, names: tuple[str, ...]) -> Meter:
        """Keeps the probabilities: average precision needs all of them."""
        return _Meter(names, self.thresholds)

    def tuned(self, scores: Scores) -> Self:
        """With the thresholds of the scores."""
        assert isinstance(scores, MultilabelScores)
        return replace(self, thresholds=scores.thresholds)

    def answers(self, outputs: "Array", names: tuple[str, ...], k: int) -> list[Answer]:
        """All labels at or above their thresholds, the likeliest first."""
        from cnndsl.metrics import sigmoid

        chances = sigmoid(outputs.reshape(len(outputs), -1))
        thresholds = self.thresholds or (_MIDDLE,) * chances.shape[1]
        named = [*names, *(f"label {i}" for i in range(len(names), chances.shape[1]))]
        return [_answer(row.tolist(), thresholds, named) for row in chances]

    def is_right(self, answer: Answer, truth: str) -> bool:
        """Whether the labels are the true ones, all of them and no other."""
        told = printable(" ".join(name for name, _ in answer.value)) or "-"
        return sorted(told.split()) == sorted(truth.split())


@dataclass
class _Meter:
    """Probabilities and labels of the images so far."""

    names: tuple[str, ...]
    thresholds: tuple[float, ...]
    chances: "list[Floats]" = field(default_factory=list["Floats"])
    truth: "list[Array]" = field(default_factory=list["Array"])

    def add(self, outputs: "Array", targets: "Array") -> None:
        """Keep a batch."""
        from cnndsl.metrics import sigmoid

        self.chances.append(sigmoid(outputs.reshape(len(targets), -1)))
        self.truth.append(targets > 0)

    def scores(self, loss: float) -> "MultilabelScores":
        """All metrics, at thresholds that are given or chosen here."""
        import numpy as np

        from cnndsl import metrics

        truth, chances = np.concatenate(self.truth), np.concatenate(self.chances)
        pairs = list(zip(truth.T, chances.T, strict=True))
        thresholds = self.thresholds or tuple(metrics.best_threshold(*pair) for pair in pairs)
        return MultilabelScores(
            loss, self.names, thresholds, truth.sum(0),
            np.array([metrics.average_precision(*pair) for pair in pairs]),
            metrics.Hits.of(truth, chances >= np.asarray(thresholds)),
        )  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class MultilabelScores(Scores):
    """What is told of each label; arrays are by label. `images` counts those that have it."""

    names: tuple[str, ...]
    thresholds: tuple[float, ...]
    images: "NDArray[np.int64]"
    average_precision: "NDArray[np.float64]"
    hits: "Hits"

    @property
    def map(self) -> float:
        """Mean of the average precisions of the labels that occur."""
        from cnndsl.metrics import mean_of_known

        return mean_of_known(self.average_precision)

    @property
    def f1_micro(self) -> float:
        """F1 of all answers together."""
        return float(self.hits.whole().f1()[0])

    @property
    def f1_macro(self) -> float:
        """Mean of the labels' F1, without labels that are neither true nor taken."""
        from cnndsl.metrics import mean_of_known

        return mean_of_known(self.hits.f1())

    def columns(self) -> dict[str, float]:
        """Loss, mAP and both means of F1."""
        return {
            "loss": self.loss,
            "map": self.map,
            "f1_micro": self.f1_micro,
            "f1_macro": self.f1_macro,
        }

    def _by_label(self) -> dict[str, list[float]]:
        return {
            "average_precision": self.average_precision.tolist(),
            "precision": self.hits.precision().tolist(),
            "recall": self.hits.recall().tolist(),
            "f1": self.hits.f1().tolist(),
            "threshold": list(self.thresholds),
        }

    def as_dict(self) -> dict[str, Any]:
        """Also the metrics of each label."""
        columns = self._by_label()
        rows = {
            name: {"images": int(n)} | {key: values[i] for key, values in columns.items()}
            for i, (name, n) in enumerate(zip(self.names, self.images, strict=True))
        }
        return {**super().as_dict(), "per_label": rows}

    def table(self) -> Table:
        """A row a label."""
        columns = self._by_label()
        heads = ("label", "pictures", "AP", "precision", "recall", "F1", "threshold")
        rows = tuple(
            (printable(name), f"{n:,}", *(number(values[i]) for values in columns.values()))
            for i, (name, n) in enumerate(zip(self.names, self.images, strict=True))
        )
        means = f"F1 {number(self.f1_micro, 4)} micro, {number(self.f1_macro, 4)} macro"
        title = f"loss {self.loss:.4f}, mAP {number(self.map, 4)}, {means}{self.over()}"
        return Table(title, heads, rows)


def _answer(chances: list[float], thresholds: Sequence[float], names: Sequence[str]) -> Answer:
    """Of one image."""
    found: list[dict[str, Any]] = [
        {"label": i, "name": printable(names[i]), "probability": p, "threshold": least}
        for p, i, least in sorted(
            zip(chances, range(len(chances)), thresholds, strict=True), reverse=True
        )
        if p >= least
    ]
    value = [(row["name"], row["probability"]) for row in found]
    text = "  ".join(f"{name} {p:.1%}" for name, p in value)
    return Answer(value, text or "no label reaches its threshold", {"labels": found})
