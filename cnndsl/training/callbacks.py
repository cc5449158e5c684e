"""Hooks into a run, for Python users. Override what you need."""

import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib import import_module
from math import isfinite
from pathlib import Path
from time import time
from typing import Any

from cnndsl.files import writing


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

    def close(self) -> None:
        """At the end of the run, however it ended."""


class TensorBoard(Callback):
    """Writes event files beside the results, where tensorboardX is installed.

    By its plain writer: that of `SummaryWriter` is a thread, and where the disk is full it dies and
    the run waits for it without end.
    """

    suffix = ""
    """Of the file's name."""
    _writer: Any = None

    @property
    def is_open(self) -> bool:
        """Whether there is a file to write to."""
        return self._writer is not None

    def on_start(self, run: Any) -> None:
        """Open the event file."""
        self._path: Path = run.folder.path
        try:
            with _without("torch"):
                writer: Any = import_module("tensorboardX.event_file_writer").EventsWriter
        except ImportError:
            return
        with writing(self._path):
            self._writer = writer(str(self._path / "events"), self.suffix)

    def on_epoch(self, run: Any, row: dict[str, Any]) -> None:
        """Losses, metrics and learning rate; a metric that is not defined here has no point."""
        if self._writer is None:
            return
        scalar: Any = import_module("tensorboardX.summary").scalar
        for name in (n for n in row if n not in ("epoch", "seconds", "images_per_s")):
            if isfinite(row[name]):
                self.write(scalar(name, row[name]), row["epoch"])

    def write(self, summary: Any, step: int = 0) -> None:
        """Add what tensorboardX has made to the file."""
        event: Any = import_module("tensorboardX.proto.event_pb2").Event
        with writing(self._path):
            self._writer.write_event(event(wall_time=time(), step=step, summary=summary))
            self._writer.flush()

    def close(self) -> None:
        """Close the event file; each epoch is in it already."""
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()


@contextmanager
def _without(name: str) -> Generator[None]:
    """As if a module were not installed: tensorboardX imports PyTorch, 1.4 s, which we need not."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # pyright: ignore[reportArgumentType]  (the documented way to bar it)
    try:
        yield
    finally:
        del sys.modules[name]


class Plots(Callback):
    """`results.png` after each epoch, and at the end what the task draws, with matplotlib."""

    def on_epoch(self, run: Any, row: dict[str, Any]) -> None:
        """The curves so far."""
        from cnndsl.plot.curves import available, save_curves

        if available():
            save_curves(run.progress.rows, run.folder.path / "results.png")

    def on_end(self, run: Any) -> None:
        """What the best weights do: a confusion matrix, for instance."""
        from cnndsl.plot.curves import available
        from cnndsl.plot.scores import save_drawing

        if available() and run.scores is not None:
            for drawing in run.scores.drawings():
                save_drawing(drawing, run.folder.path)
