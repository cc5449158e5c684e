"""Locks of files that the system lets go of when their process ends, however it ends."""

import sys
from pathlib import Path
from typing import IO

if sys.platform != "win32":
    import fcntl


class FileLock:
    """A file that one process holds at a time; `shared` is for any number of them at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def acquire(self, *, shared: bool = False, wait: bool = True) -> bool:
        """Hold it; False where another has it and `wait` is not wanted."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("ab")
        try:
            _hold(file, shared, wait)
        except (BlockingIOError, PermissionError):
            file.close()
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Let go."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> "FileLock":
        self.acquire()
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


def _hold(file: IO[bytes], shared: bool, wait: bool) -> None:
    """An OSError where another has it; Windows knows no shared locks of this kind."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
    else:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
