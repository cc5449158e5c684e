"""Metrics: numbers from outputs and targets. No loop, no graph."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def confusion(truth: Counts, predicted: Counts, classes: int) -> Counts:
    """How often each true class (row) is taken for each class (column): classes×classes."""
    counts = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes)


def accuracy(counts: Counts) -> float:
    """Share of right answers of a confusion matrix; 0 where there are none at all."""
    return int(np.diag(counts).sum()) / max(int(counts.sum()), 1)


def recalls(counts: Counts) -> Floats:
    """Share of right answers for each class of a confusion matrix; NaN for a class without any."""
    return ratio(np.diag(counts), counts.sum(1))


def average_precision(truth: NDArray[np.bool_], scores: Floats) -> float:
    """Mean of the precision over the recall, Σ (R[n] − R[n−1]) · P[n]; NaN where nothing is true.

    Equal scores are one step. As scikit-learn's `average_precision_score`.
    """
    hits, taken, _ = _steps(truth, scores)
    if not truth.any():
        return float("nan")
    gained = np.diff(hits, prepend=0) / hits[-1]
    return float((gained * hits / taken).sum())


def best_threshold(truth: NDArray[np.bool_], scores: Floats) -> float:
    """The score from which on taking all for true gives the highest F1; ½ where nothing is true.

    It lies in the middle between the last that is taken and the first that is not.
    """
    if not truth.any():
        return 0.5
    hits, taken, values = _steps(truth, scores)
    at = int((2 * hits / (taken + hits[-1])).argmax())
    below = values[at + 1] if at + 1 < len(values) else 0.0
    return float((values[at] + below) / 2)


def most_accurate_threshold(truth: NDArray[np.bool_], scores: Floats) -> float:
    """The probability from which on taking all for true is right most often.

    Of thresholds that are equally good the nearest to ½; ½ where all are true, or none.
    """
    if truth.all() or not truth.any():
        return 0.5
    values = np.unique([0.0, *scores, 1.0])
    cuts = np.array([0.5, 0.0, *((values[1:] + values[:-1]) / 2)])
    kept = np.searchsorted(np.sort(scores[~truth]), cuts)
    lost = np.searchsorted(np.sort(scores[truth]), cuts)
    best = cuts[kept - lost == (kept - lost).max()]
    return float(best[np.abs(best - 0.5).argmin()])


def _steps(truth: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats, Floats]:
    """For each score, from the highest on: true ones so far, all so far, and the score."""
    order = np.argsort(-scores, kind="stable")
    values = scores[order]
    last = np.append(values[1:] != values[:-1], True)
    hits = np.cumsum(truth[order])[last].astype(np.float64)
    return hits, (np.flatnonzero(last) + 1).astype(np.float64), values[last]


@dataclass(frozen=True, eq=False)
class Hits:
    """Right, surplus and missed answers for each label."""

    right: Counts
    surplus: Counts
    missed: Counts

    @staticmethod
    def of(truth: NDArray[np.bool_], taken: NDArray[np.bool_]) -> "Hits":
        """Counted over the images of N×C arrays."""
        both = (truth & taken).sum(0)
        return Hits(both, taken.sum(0) - both, truth.sum(0) - both)

    @staticmethod
    def of_confusion(counts: Counts) -> "Hits":
        """Those of each class of a confusion matrix."""
        right = np.diag(counts)
        return Hits(right, counts.sum(0) - right, counts.sum(1) - right)

    def precision(self) -> Floats:
        """Share of what is taken that is right; NaN where nothing is taken."""
        return ratio(self.right, self.right + self.surplus)

    def recall(self) -> Floats:
        """Share of what is true that is taken; NaN where nothing is true."""
        return ratio(self.right, self.right + self.missed)

    def f1(self) -> Floats:
        """Harmonic mean of precision and recall; NaN where nothing is true or taken."""
        return ratio(2 * self.right, 2 * self.right + self.surplus + self.missed)

    def iou(self) -> Floats:
        """Intersection over union of both; NaN where nothing is true or taken."""
        return ratio(self.right, self.right + self.surplus + self.missed)

    def whole(self) -> "Hits":
        """All labels as one, for micro averages."""
        return Hits(*(each.sum(keepdims=True) for each in (self.right, self.surplus, self.missed)))


def ratio(part: Counts | Floats, whole: Counts | Floats) -> Floats:
    """part / whole; NaN where whole is 0."""
    out = np.full(np.shape(whole), np.nan)
    return np.divide(part, whole, out=out, where=np.asarray(whole) > 0)


def mean_of_known(values: Floats) -> float:
    """Mean without the NaNs; NaN where all are."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def sigmoid(x: NDArray[np.floating]) -> Floats:
    """1 / (1 + e^−x), also of large numbers."""
    half = np.tanh(np.asarray(x, np.float64) / 2)
    return (1 + half) / 2


def r_squared(truth: Floats, predicted: Floats) -> Floats:
    """1 − Σ (t − p)² / Σ (t − mean t)² for each column; NaN where all true ones are equal."""
    around = np.square(truth - truth.mean(0)).sum(0)
    return 1 - ratio(np.square(truth - predicted).sum(0), around)
