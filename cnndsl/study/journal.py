"""The journal of a study: Optuna's, under a lock that ends with its process, and without waiting
for the disk at each of the dozen lines of a candidate that is rejected in milliseconds.

What a killed process has written is in the file. A machine that breaks down may lose the last
lines; half a line that it leaves is cut off before the next one is written.
"""

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend

from cnndsl.source import UserError
from cnndsl.study.locks import FileLock


class Journal(JournalFileBackend):
    """A file with a line of JSON for each thing that happened."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path, self._held = path, FileLock(path.with_suffix(".lock"))

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any]]:
        """The lines from a number on; UserError where one within is damaged."""
        try:
            yield from super().read_logs(log_number_from)
        except ValueError:
            raise damaged(self._path) from None

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write lines, all of them or none."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with self._held, self._path.open("rb+") as file:
            file.seek(_whole_lines(self._path))
            file.truncate()
            file.write(lines.encode())


def damaged(path: Path) -> UserError:
    """What is said of a journal with a line that is no JSON, or nothing that Optuna writes."""
    return UserError(
        f"{path} is damaged: a line of it cannot be read\n"
        "  put back a copy of it, or begin a new study; its runs lie in trials/"
    )


def _whole_lines(path: Path) -> int:
    """The length of a file without half a line at its end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(-1 if size else 0, os.SEEK_END)
        if file.read(1) in (b"", b"\n"):
            return size
    return path.read_bytes().rfind(b"\n") + 1
