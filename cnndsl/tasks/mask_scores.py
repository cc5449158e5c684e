"""Metrics of masks: what the pixels of each class are taken for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnndsl.losses import VOID
from cnndsl.results import Drawing, Matrix, Scores, Table, number
from cnndsl.source import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnndsl.metrics import Hits

    Array = NDArray[Any]
    Counts = NDArray[np.int64]

_TITLES = {
    "loss": "loss", "miou": "mIoU", "dice": "Dice", "pixel_accuracy": "pixel accuracy",
}  # fmt: skip


@dataclass
class MaskMeter:
    """Scores as they grow."""

    confusion: "Counts"
    names: tuple[str, ...]

    def add(self, outputs: "Array", targets: "Array") -> None:
        """Count what the pixels of each class are taken for, image by image."""
        import numpy as np

        from cnndsl.metrics import confusion

        for logits, mask in zip(outputs, targets, strict=True):
            known = mask != VOID
            truth = mask[known].astype(np.int64)
            self.confusion += confusion(truth, logits.argmax(0)[known], len(self.confusion))

    def scores(self, loss: float) -> "SegmentationScores":
        """All metrics."""
        return SegmentationScores(loss, self.confusion, self.names)


@dataclass(frozen=True, eq=False, repr=False)
class SegmentationScores(Scores):
    """`confusion[i, j]` counts pixels of class i taken for j; arrays are by class."""

    confusion: "Counts"
    classes: tuple[str, ...] = ()

    @property
    def hits(self) -> "Hits":
        """Pixels of each class that are found, missed or taken for it."""
        from cnndsl.metrics import Hits

        return Hits.of_confusion(self.confusion)

    @property
    def iou(self) -> "NDArray[np.float64]":
        """Intersection over union; NaN for a class that is neither there nor found."""
        return self.hits.iou()

    @property
    def dice(self) -> "NDArray[np.float64]":
        """Dice coefficient, the same as F1; NaN for a class that is neither there nor found."""
        return self.hits.f1()

    def columns(self) -> dict[str, float]:
        """Loss, means over the classes of IoU and Dice, share of right pixels."""
        from cnndsl.metrics import accuracy, mean_of_known

        return {
            "loss": self.loss,
            "miou": mean_of_known(self.iou),
            "dice": mean_of_known(self.dice),
            "pixel_accuracy": accuracy(self.confusion),
        }

    def _by_class(self) -> dict[str, list[float]]:
        columns = {"iou": self.iou, "dice": self.dice, "precision": self.hits.precision(),
                   "recall": self.hits.recall()}  # fmt: skip
        return {name: values.tolist() for name, values in columns.items()}

    def _rows(self) -> "list[tuple[str, int, dict[str, float]]]":
        columns, pixels = self._by_class(), self.confusion.sum(1).tolist()
        return [
            (name, pixels[i], {key: values[i] for key, values in columns.items()})
            for i, name in enumerate(self.classes)
        ]

    def as_dict(self) -> dict[str, Any]:
        """Also the metrics of each class, and the confusion matrix."""
        per_class = {name: {"pixels": pixels, **found} for name, pixels, found in self._rows()}
        return {
            **super().as_dict(), "per_class": per_class, "confusion": self.confusion.tolist(),
        }  # fmt: skip

    def table(self) -> Table:
        """A row a class."""
        found = self.columns()
        told = ", ".join(f"{_TITLES[name]} {number(value, 4)}" for name, value in found.items())
        heads = ("class", "pixels", "IoU", "Dice", "precision", "recall")
        rows = tuple(
            (printable(name), f"{pixels:,}", *(f"{v:.3f}" for v in metrics.values()))
            for name, pixels, metrics in self._rows()
        )
        return Table(told + self.over(), heads, rows)

    def drawings(self) -> tuple[Drawing, ...]:
        """The confusion matrix."""
        return (Matrix("confusion_matrix.png", self.confusion, self.classes),)
