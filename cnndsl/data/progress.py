"""How far downloads and the reading of images are: a bar on a terminal, lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from cnndsl.source import UserError

T = TypeVar("T")
DISPLAYS = ("auto", "bar", "lines", "none")
_SECONDS = 10  # between two lines


class Bar:
    """What pooch wants of a bar: `total`, `update`, `reset` and `close`, as tqdm has."""

    total = 0

    def __init__(self) -> None:
        self._progress = Progress(BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self._task = self._progress.add_task("download", total=None)

    def update(self, count: int) -> None:
        """So many bytes more."""
        self._progress.start()
        self._progress.update(self._task, total=self.total or None, advance=count)

    def reset(self) -> None:
        """From the start again."""
        self._progress.reset(self._task)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._progress.stop()


def shown(items: Iterable[T], total: int, what: str, display: str = "auto") -> Iterator[T]:
    """The items, while how many there were is told on stderr; `display` is one of a run's."""
    if display == "none":
        return iter(items)
    return (_with_bar if is_bar(display) else _with_lines)(items, total, what)


def check_display(display: str) -> None:
    """UserError for one that there is not."""
    if display not in DISPLAYS:
        raise UserError(f"progress: {display!r} is none of {', '.join(DISPLAYS)}")


def teller(display: str) -> Callable[[str], None]:
    """Prints lines on stderr, or with `none` nothing. UserError for a display that there is not."""
    check_display(display)
    if display == "none":
        return lambda line: None
    return partial(print, file=sys.stderr, flush=True)


def is_bar(display: str) -> bool:
    """Whether a display is a bar: `bar`, or `auto` where stderr is a terminal."""
    return display == "bar" or (display == "auto" and sys.stderr.isatty())


def _with_bar(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        for item in items:
            yield item
            progress.advance(task)


def _with_lines(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    told = time.monotonic()
    for i, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - told > _SECONDS and i < total:
            told = time.monotonic()
            print(f"{what}: {i:,} of {total:,}", file=sys.stderr, flush=True)
