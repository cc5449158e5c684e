"""A rich bar behind the interface that pooch wants of its progress."""

from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn


class Bar:
    """Has `total`, `update`, `reset` and `close`, as tqdm has."""

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
