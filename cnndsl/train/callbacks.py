"""Hooks into a run, for Python users. Override what you need."""

from importlib import import_module
from typing import Any


class Callback:
    """Called by the loop; anything it raises ends the run."""

    def on_start(self, run: Any) -> None:
        """Before the first step; `run` is the Trainer."""

    def on_step(self, run: Any, loss: float) -> None:
        """After each step, with the batch's loss."""

    def on_epoch(self, run: Any, row: dict[str, Any]) -> None:
        """After each epoch, with its row of `results.csv`."""

    def on_end(self, run: Any) -> None:
        """After the last epoch."""


class TensorBoard(Callback):
    """Writes event files beside the results, where tensorboardX is installed."""

    def on_start(self, run: Any) -> None:
        """Open the event file."""
        try:
            writer: Any = import_module("tensorboardX").SummaryWriter
        except ImportError:
            self._writer = None
            return
        self._writer = writer(str(run.folder.path))

    def on_epoch(self, run: Any, row: dict[str, Any]) -> None:
        """Loss, accuracy and learning rate."""
        if self._writer is None:
            return
        for name in ("loss", "accuracy", "val_loss", "val_accuracy", "lr"):
            self._writer.add_scalar(name, row[name], row["epoch"])
        self._writer.flush()

    def on_end(self, run: Any) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()


class Plots(Callback):
    """`results.png` after each epoch and `confusion_matrix.png` at the end, with matplotlib."""

    def on_epoch(self, run: Any, row: dict[str, Any]) -> None:
        """The curves so far."""
        from cnndsl.plot.curves import available, save_curves

        if available():
            save_curves(run.progress.rows, run.folder.path / "results.png")

    def on_end(self, run: Any) -> None:
        """The confusion of the best weights."""
        from cnndsl.plot.curves import available, save_confusion

        if available() and run.scores is not None:
            path = run.folder.path / "confusion_matrix.png"
            save_confusion(run.scores.confusion, run.data.classes, path)
