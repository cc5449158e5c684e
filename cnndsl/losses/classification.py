"""Losses of classes and labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cnndsl.fields import key
from cnndsl.graph.tape import Tape, Value
from cnndsl.losses.base import VOID, Loss, Masks, mean
from cnndsl.source import UserError, counted

_FAINT = 1e-9


@dataclass(frozen=True)
class CrossEntropy(Loss, word="cross_entropy"):
    """Softmax and negative log-likelihood on class numbers, of images or of the pixels of masks.

    loss = mean_n −Σ_c w[c] · q[n,c] · log softmax(x)[n,c];  q = one-hot, mixed with `smooth`/C of
    all; w = 1, or `weights="1 1 2.5"`, a number a class, or `weights=balanced`: N / (C · N[c]) from
    the training labels. As in Keras, the mean is over the pictures, not over their weights. That of
    masks is over the weights of the pixels, as in PyTorch; those of `ignore` and 255 have none.

    Source: label smoothing, Szegedy et al. 2016, arXiv:1512.00567.
    """

    fits = frozenset({"classes", "masks"})
    activation = "softmax"

    smooth: float = key("float", default=0.0, low=0, high=0.999, doc="label smoothing")
    weights: str | None = key("text", doc="a number a class, or balanced")
    ignore: int = key("int", default=VOID, low=0, high=VOID, doc="class of masks left out")

    def emit(self, tape: Tape, x: Value, q: Value) -> Value:
        """−Σ w · q · log softmax(x) / N."""
        log_p = tape.op("LogSoftmax", x, axis=1)
        classes = int(q.shape[1])
        q = smoothed(tape, q, self.smooth, self.smooth / classes)
        if self.weights is not None:
            weights = numbers(self.weights, classes, "cross_entropy weights")
            q = tape.op("Mul", q, tape.scalars(weights, x.dtype))
        return mean(tape, tape.op("Neg", tape.op("Mul", q, log_p)), int(x.shape[0]))

    def emit_masks(self, tape: Tape, x: Value, masks: Masks) -> Value:
        """−Σ q'[y] · log softmax(x) / Σ w[y], where row y of q' is w · q of a pixel of class y."""
        import numpy as np

        classes = int(x.shape[2])
        weights = np.ones(classes)
        if self.weights is not None:
            weights = np.array(numbers(self.weights, classes, f"{self.word} weights"))
        table = (np.eye(classes) * (1 - self.smooth) + self.smooth / classes) * weights
        log_p = tape.op("LogSoftmax", x, axis=2)
        gain = tape.op("Mul", masks.rows(tape, table, x.dtype), log_p)
        total = tape.op("ReduceSum", gain, tape.ints([0, 1, 2]), keepdims=0)
        return tape.op("Neg", tape.op("Div", total, masks.total(tape, weights, x.dtype)))

    def ignored(self) -> int:
        """`ignore`."""
        return self.ignore

    def for_kind(self, kind: str) -> "CrossEntropy":
        """Only masks have pixels to ignore."""
        if kind != "masks" and self.ignore != VOID:
            raise UserError(f"`{self.word} ignore={self.ignore}` leaves out pixels of masks; "
                            "no image of a classification is left out")  # fmt: skip
        return self

    def fitted(self, counts: Sequence[int], images: int) -> "CrossEntropy":
        """`balanced` replaced by its numbers for data with so many images, or pixels, a class."""
        if self.weights != "balanced":
            return self
        filled = sum(1 for n in counts if n)
        weights = [sum(counts) / (filled * n) if n else 0.0 for n in counts]
        return replace(self, weights=" ".join(f"{w:.6g}" for w in weights))


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss, word="bce"):
    """Sigmoid and binary cross-entropy, the mean over all outputs; class numbers as one-hot.

    loss = mean −(w[c] · q · log σ(x) + (1 − q) · log(1 − σ(x))). `positive="3 1 2"` gives w, a
    number a label, for labels that few images have; `positive=balanced` is (N − N[c]) / N[c] from
    the training labels, as PyTorch's `pos_weight`. `smooth` draws labels towards ½, as in Keras,
    and class numbers towards 1/C.
    """

    fits = frozenset({"labels", "classes"})
    activation = "sigmoid"

    smooth: float = key("float", default=0.0, low=0, high=0.999, doc="label smoothing")
    positive: str | None = key("text", doc="a weight a label, or balanced")
    independent: bool = False
    """Whether the targets are labels, each by itself, and no one-hot classes."""

    def emit(self, tape: Tape, x: Value, q: Value) -> Value:
        """Σ softplus(x) · (1 + (w − 1) · q) − w · q · x over N·C: stable for large outputs."""
        spread = self.smooth / (2 if self.independent else int(q.shape[1]))
        q = smoothed(tape, q, self.smooth, spread)
        if self.positive is None:
            gain = tape.op("Mul", q, x)
            return mean(tape, tape.op("Sub", tape.op("Softplus", x), gain), x.size)
        weights = numbers(self.positive, int(x.shape[1]), "bce positive")
        rare = tape.op("Mul", q, tape.scalars([w - 1 for w in weights], x.dtype))
        gain = tape.op("Mul", tape.op("Mul", q, tape.scalars(weights, x.dtype)), x)
        cost = tape.op("Softplus", x)
        cost = tape.op("Add", cost, tape.op("Mul", cost, rare))
        return mean(tape, tape.op("Sub", cost, gain), x.size)

    def for_kind(self, kind: str) -> "BinaryCrossEntropy":
        """Labels are smoothed otherwise than classes."""
        return replace(self, independent=kind == "labels")

    def fitted(self, counts: Sequence[int], images: int) -> "BinaryCrossEntropy":
        """`balanced` replaced by its numbers for so many images with each label."""
        if self.positive != "balanced":
            return self
        ratios = [(images - n) / n if n else 1.0 for n in counts]
        return replace(self, positive=" ".join(f"{w:.6g}" for w in ratios))


@dataclass(frozen=True)
class Focal(Loss, word="focal"):
    """Sigmoid and focal loss: binary cross-entropy that easy outputs hardly add to.

    loss = mean α' · (1 − p')^gamma · −log p', where p' is the probability given to what is true
    and α' is `alpha` for labels that an image has, 1 − `alpha` for others. The mean is over all
    outputs; class numbers are taken as one-hot.

    Source: Lin et al. 2017, arXiv:1708.02002.
    """

    fits = frozenset({"labels", "classes"})
    activation = "sigmoid"

    gamma: float = key("float", default=2.0, low=0, doc="how little easy outputs count")
    alpha: float = key("float", default=0.25, low=0, high=1, doc="share of the labels that are 1")

    def emit(self, tape: Tape, x: Value, q: Value) -> Value:
        """Σ α' · (p + q − 2pq)^gamma · (softplus(x) − q·x) over N·C."""
        loss = tape.op("Sub", tape.op("Softplus", x), tape.op("Mul", q, x))
        if self.gamma:
            missed = self._missed(tape, x, q)
            loss = tape.op("Mul", loss, missed)
        shares = tape.op("Mul", q, tape.scalar(2 * self.alpha - 1, x.dtype))
        shares = tape.op("Add", shares, tape.scalar(1 - self.alpha, x.dtype))
        return mean(tape, tape.op("Mul", loss, shares), x.size)

    def _missed(self, tape: Tape, x: Value, q: Value) -> Value:
        """(1 − p')^gamma. Below 1 its slope at 0 is infinite, so it starts a little above."""
        signs = tape.op(
            "Add", tape.op("Mul", q, tape.scalar(-2.0, x.dtype)), tape.scalar(1.0, x.dtype)
        )
        missed = tape.op("Add", tape.op("Mul", tape.op("Sigmoid", x), signs), q)
        if self.gamma == 2:
            return tape.op("Mul", missed, missed)
        if self.gamma < 1:
            missed = tape.op("Add", missed, tape.scalar(_FAINT, x.dtype))
        return tape.op("Pow", missed, tape.scalar(self.gamma, x.dtype))


def smoothed(tape: Tape, q: Value, smooth: float, spread: float) -> Value:
    """(1 − smooth) · q + spread."""
    if not smooth:
        return q
    kept = tape.op("Mul", q, tape.scalar(1 - smooth, q.dtype))
    return tape.op("Add", kept, tape.scalar(spread, q.dtype))


def numbers(text: str, count: int, where: str) -> list[float]:
    """Numbers that stand in one text; UserError where they are not one an output, 0 or more."""
    try:
        found = [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        found = []
    if len(found) == count and min(found) >= 0:
        return found
    known = "; `balanced` is counted by `cnndsl train`" if text == "balanced" else ""
    raise UserError(f'{where}="{text}": write {counted(count, "number")}, none below 0{known}')
