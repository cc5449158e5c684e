"""Losses of classes and labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cnndsl.fields import key
from cnndsl.graph.tape import Tape, Value
from cnndsl.losses.base import Loss, mean
from cnndsl.source import UserError


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

    fits = frozenset({"classes"})
    activation = "softmax"

    smooth: float = key("float", default=0.0, low=0, high=0.999, doc="label smoothing")
    weights: str | None = key("text", doc="a number a class, or balanced")

    def emit(self, tape: Tape, x: Value, q: Value) -> Value:
        """−Σ w · q · log softmax(x) / N."""
        log_p = tape.op("LogSoftmax", x, axis=1)
        q = _smoothed(tape, q, self.smooth)
        if self.weights is not None:
            numbers = tape.scalars(self._numbers(int(x.shape[1])), x.dtype)
            q = tape.op("Mul", q, numbers)
        return mean(tape, tape.op("Neg", tape.op("Mul", q, log_p)), int(x.shape[0]))

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

    def fitted(self, counts: Sequence[int], images: int) -> "CrossEntropy":
        """`balanced` replaced by its numbers for a data set with so many images a class."""
        if self.weights != "balanced":
            return self
        filled = sum(1 for n in counts if n)
        numbers = [sum(counts) / (filled * n) if n else 0.0 for n in counts]
        return replace(self, weights=" ".join(f"{w:.6g}" for w in numbers))


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss, word="bce"):
    """Sigmoid and binary cross-entropy, the mean over all outputs; class numbers as one-hot."""

    fits = frozenset({"labels", "classes"})
    activation = "sigmoid"

    smooth: float = key("float", default=0.0, low=0, high=0.999, doc="label smoothing")

    def emit(self, tape: Tape, x: Value, q: Value) -> Value:
        """Σ softplus(x) − q·x over N·C: stable for large outputs."""
        gain = tape.op("Mul", self._targets(tape, q), x)
        return mean(tape, tape.op("Sub", tape.op("Softplus", x), gain), x.size)

    def _targets(self, tape: Tape, q: Value) -> Value:
        return _smoothed(tape, q, self.smooth)
