"""Writing files so that none is ever half-written."""

import os
import tempfile
from pathlib import Path

from cnndsl.source import UserError


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in one piece: temporary file, fsync, rename, fsync of the folder.

    UserError where the folder cannot be written; the old file, if any, is then untouched.
    """
    try:
        _write(path, data)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from None


def _write(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
