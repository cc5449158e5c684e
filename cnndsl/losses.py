"""Losses: what training makes small."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cnndsl.fields import Word, key
from cnndsl.graph.tape import Tape, Value
from cnndsl.source import UserError

registry: dict[str, type["Loss"]] = {}


class Loss(Word):
    """Model outputs and targets to one number, the mean over the batch."""

    def __init_subclass__(cls, word: str = "") -> None:
        super().__init_subclass__(word)
        registry[word] = cls

    def emit(self, tape: Tape, x: Value, q: Value) -> Value:
        """The loss of outputs x (N, C) against targets q (N, C), a scalar."""
        raise NotImplementedError(self.word)

    def fitted(self, counts: Sequence[int]) -> "Loss":
        """The loss for a data set with so many training pictures of each class."""
        return self


def _mean(tape: Tape, total: Value, count: float) -> Value:
    """The sum of all values over a count."""
    summed = tape.op("ReduceSum", total, tape.ints(range(len(total.shape))), keepdims=0)
    return tape.op("Mul", summed, tape.scalar(1 / count, total.dtype))


def _smoothed(tape: Tape, q: Value, smooth: float) -> Value:
    """(1 − smooth) · q + smooth / C."""
    if not smooth:
        return q
    kept = tape.op("Mul", q, tape.scalar(1 - smooth, q.dtype))
    return tape.op("Add", kept, tape.scalar(smooth / int(q.shape[1]), q.dtype))


@dataclass(frozen=True)
class CrossEntropy(Loss, word="cross_entropy"):
    """Softmax and negative log-likelihood on class numbers.

    loss = mean_n −Σ_c w[c] · q[n,c] · log softmax(x)[n,c];  q = one-hot, mixed with `smooth`/C of
    all; w = 1, or `weights="1 1 2.5"`, a number a class, or `weights=balanced`: N / (C · N[c]) from
    the training labels. As in Keras, the mean is over the pictures, not over their weights.

    Source: label smoothing, Szegedy et al. 2016, arXiv:1512.00567.
    """

    smooth: float = key("float", default=0.0, low=0, high=0.999, doc="label smoothing")
    weights: str | None = key("text", doc="a number a class, or balanced")

    def emit(self, tape: Tape, x: Value, q: Value) -> Value:
        """−Σ w · q · log softmax(x) / N."""
        log_p = tape.op("LogSoftmax", x, axis=1)
        q = _smoothed(tape, q, self.smooth)
        if self.weights is not None:
            numbers = tape.scalars(self._numbers(int(x.shape[1])), x.dtype)
            q = tape.op("Mul", q, numbers)
        return _mean(tape, tape.op("Neg", tape.op("Mul", q, log_p)), int(x.shape[0]))

    def _numbers(self, classes: int) -> list[float]:
        text = self.weights or ""
        try:
            numbers = [float(part) for part in text.replace(",", " ").split()]
        except ValueError:
            numbers = []
        if len(numbers) == classes and min(numbers) >= 0:
            return numbers
        known = "; `balanced` is counted by `cnndsl train`" if text == "balanced" else ""
        raise UserError(
            f'cross_entropy weights="{text}": write {classes} numbers, none below 0{known}'
        )

    def fitted(self, counts: Sequence[int]) -> "CrossEntropy":
        """`balanced` replaced by its numbers for a data set with so many pictures a class."""
        if self.weights != "balanced":
            return self
        filled = sum(1 for n in counts if n)
        numbers = [sum(counts) / (filled * n) if n else 0.0 for n in counts]
        return replace(self, weights=" ".join(f"{w:.6g}" for w in numbers))


@dataclass(frozen=True)
class MeanSquaredError(Loss, word="mse"):
    """Mean of the squared differences; class numbers are taken as one-hot."""

    def emit(self, tape: Tape, x: Value, q: Value) -> Value:
        """Σ (x − q)² / (N·C)."""
        difference = tape.op("Sub", x, q)
        return _mean(tape, tape.op("Mul", difference, difference), x.size)


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss, word="bce"):
    """Sigmoid and binary cross-entropy, the mean over all outputs; class numbers as one-hot."""

    smooth: float = key("float", default=0.0, low=0, high=0.999, doc="label smoothing")

    def emit(self, tape: Tape, x: Value, q: Value) -> Value:
        """Σ softplus(x) − q·x over N·C: stable for large outputs."""
        gain = tape.op("Mul", self._targets(tape, q), x)
        return _mean(tape, tape.op("Sub", tape.op("Softplus", x), gain), x.size)

    def _targets(self, tape: Tape, q: Value) -> Value:
        return _smoothed(tape, q, self.smooth)
