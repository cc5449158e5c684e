"""What a run shows while it goes: a bar on a terminal, a line an epoch elsewhere."""

import sys
from collections.abc import Iterable
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cnndsl.data.progress import is_bar
from cnndsl.results import number

Row = dict[str, Any]
_OF_THE_RUN = ("epoch", "lr", "seconds", "images_per_s")


class Display(Protocol):
    """Told of steps and epochs."""

    def say(self, text: str) -> None:
        """A line of its own."""
        ...

    def step(self, epoch: int, step: int, means: Row, rate: float) -> None:
        """After a step: means of the epoch so far by column, images a second."""
        ...

    def epoch(self, row: Row) -> None:
        """After an epoch."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


def epoch_line(row: Row, epochs: int) -> str:
    """`epoch  3/10  loss 1.0214  accuracy 0.641  val_loss 1.0050  val_accuracy 0.650`."""
    width = len(str(epochs))
    return (
        f"epoch {row['epoch']:>{width}}/{epochs}  {measured(row)}  {row['seconds']:.1f} s  "
        f"{row['images_per_s']:,.0f} images/s"
    )


class EpochTable:
    """Rows of what was measured, a line an epoch, under heads that are said once."""

    def __init__(self, epochs: int) -> None:
        self._epochs, self._has_heads = epochs, False

    def lines(self, row: Row) -> list[str]:
        """The epoch's line, below the heads if it is the first one."""
        count = str(self._epochs)
        cells = {"epoch": f"{row['epoch']:>{len(count)}}/{count}"}
        cells |= {name: number(v, 4) for name, v in row.items() if name not in _OF_THE_RUN}
        cells["time"] = f"{row['seconds']:.1f} s"
        heads = [] if self._has_heads else [_table_line(cells, cells)]
        self._has_heads = True
        return [*heads, _table_line(cells, cells.values())]


def _table_line(columns: Row, cells: Iterable[str]) -> str:
    parts = (cell.rjust(max(len(name), 6)) for name, cell in zip(columns, cells, strict=True))
    return "  ".join(parts)


def measured(row: Row) -> str:
    """Losses and metrics of a row: `loss 1.0214  accuracy 0.641`."""
    return "  ".join(f"{name} {number(v, 4)}" for name, v in row.items() if name not in _OF_THE_RUN)


class Lines:
    """A line an epoch, to stderr; nothing between."""

    def __init__(self, epochs: int, quiet: bool = False) -> None:
        self._table, self._quiet = EpochTable(epochs), quiet

    def say(self, text: str) -> None:
        """A line."""
        if not self._quiet:
            print(text, file=sys.stderr, flush=True)

    def step(self, epoch: int, step: int, means: Row, rate: float) -> None:
        """Nothing."""

    def epoch(self, row: Row) -> None:
        """The epoch's line."""
        for line in self._table.lines(row):
            self.say(line)

    def close(self) -> None:
        """Nothing."""


class Bars:
    """A bar for the epoch at hand, and the lines of those before it."""

    def __init__(self, epochs: int, steps: int) -> None:
        self._epochs, self._table = epochs, EpochTable(epochs)
        self._progress = Progress(
            TextColumn("{task.fields[epoch]}"), BarColumn(12), MofNCompleteColumn(),
            TextColumn("{task.fields[means]}  {task.fields[rate]:,.0f}/s"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True), refresh_per_second=4, transient=True,
        )  # fmt: skip
        self._task = self._progress.add_task(
            "", total=steps, epoch=f"1/{epochs}", means="loss -", rate=0.0
        )
        self._progress.start()

    def say(self, text: str) -> None:
        """A line above the bar."""
        self._progress.console.print(text, highlight=False, markup=False)

    def step(self, epoch: int, step: int, means: Row, rate: float) -> None:
        """Move the bar."""
        shown = f"{epoch + 1}/{self._epochs}"
        self._progress.update(
            self._task, completed=step, epoch=shown, means=measured(means), rate=rate
        )

    def epoch(self, row: Row) -> None:
        """The epoch's line above the bar."""
        for line in self._table.lines(row):
            self.say(line)

    def close(self) -> None:
        """Remove the bar."""
        self._progress.stop()


def display(kind: str, epochs: int, steps: int) -> Display:
    """`bar`, `lines`, `none`, or by what stderr is."""
    if is_bar(kind):
        return Bars(epochs, steps)
    return Lines(epochs, quiet=kind == "none")
