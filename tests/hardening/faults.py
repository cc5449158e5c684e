"""Faults of the system at a chosen operation on files: an error, or the end of the process.

Operations are counted in the process: open, write, fsync (of a file or a folder), chmod, rename,
unlink, mkdir. Those on files that are only read, and outside of the watched folder, do not count.
"""

import builtins
import errno
import os
import signal
from pathlib import Path
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Faults:
    """The operation number `at` fails as `how` says, and with `lasting` all behind it."""

    def __init__(self, folder: Path, at: int, how: str, lasting: bool) -> None:
        self.folder = str(folder)
        self.at = at
        self.how = how
        self.lasting = lasting
        self.count = 0

    def due(self) -> bool:
        """Count an operation; whether it is the one."""
        self.count += 1
        return self.count == self.at or (self.lasting and self.count > self.at > 0)

    def strike(self, path: object) -> None:
        """Be the fault."""
        if self.how == "KILL":
            os.kill(os.getpid(), signal.SIGKILL)
        number = getattr(errno, self.how)
        raise OSError(number, os.strerror(number), str(path))

    def meets(self, path: object) -> bool:
        """Whether a path or descriptor belongs to the watched folder."""
        try:
            name = (
                os.readlink(f"/proc/self/fd/{path}") if isinstance(path, int) else os.fspath(path)
            )
        except OSError:
            return False
        return str(name).startswith(self.folder)

    def install(self) -> None:
        """Put the faults between this process and the system."""
        for name in ("fsync", "chmod", "replace", "unlink", "mkdir"):
            setattr(os, name, self._guarded(getattr(os, name)))
        real_open, real_fdopen, plain_open = os.open, os.fdopen, builtins.open
        faults = self

        def guarded_open(path: Any, flags: int, *rest: Any, **more: Any) -> int:
            if (flags & WRITES or flags & os.O_DIRECTORY) and faults.meets(path) and faults.due():
                faults.strike(path)
            return real_open(path, flags, *rest, **more)

        def guarded_fdopen(handle: int, mode: str = "r", *rest: Any, **more: Any) -> Any:
            file = real_fdopen(handle, mode, *rest, **more)
            return _Written(file, faults) if "w" in mode and faults.meets(handle) else file

        def guarded_plain(path: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
            file = plain_open(path, mode, *rest, **more)
            watched = mode[0] in "wa" and isinstance(path, str | Path) and faults.meets(path)
            return _Written(file, faults) if watched and ".lock" not in str(path) else file

        os.open, os.fdopen, builtins.open = guarded_open, guarded_fdopen, guarded_plain
        import io

        io.open = guarded_plain  # pathlib's

    def _guarded(self, real: Any) -> Any:
        def guarded(path: Any, *rest: Any, **more: Any) -> Any:
            if self.meets(path) and self.due():
                self.strike(path)
            return real(path, *rest, **more)

        return guarded


class _Written:
    """A file whose writes count; the one that fails has written a half before."""

    def __init__(self, file: Any, faults: Faults) -> None:
        self._file, self._faults = file, faults

    def write(self, data: Any) -> int:
        """All of it, or half and the fault."""
        if self._faults.due():
            self._file.write(data[: len(data) // 2])
            self._file.flush()
            self._faults.strike(self._file.name)
        return self._file.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "_Written":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
