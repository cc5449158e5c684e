"""Metrics: numbers from outputs and targets. No loop, no graph."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def confusion(truth: Counts, predicted: Counts, classes: int) -> Counts:
    """How often each true class (row) is taken for each class (column): classes×classes."""
    counts = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes)


def recalls(counts: Counts) -> Floats:
    """Share of right answers for each class of a confusion matrix; NaN for a class without any."""
    totals = counts.sum(1)
    right = np.diag(counts).astype(np.float64)
    return np.divide(right, totals, out=np.full(len(totals), np.nan), where=totals > 0)
