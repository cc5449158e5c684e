"""Data of the user: an `.npz` file."""

import sys
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from cnndsl.data.arrays import is_read, parts_of
from cnndsl.data.dataset import Parts
from cnndsl.data.formats.base import Format, Request
from cnndsl.source import UserError, listed

_LARGE = 256 * 2**20  # bytes up to which a part of an archive may be packed in any way


class Npz(Format):
    """`x` and `y`, or the arrays of Keras or MedMNIST by their names: see `parts_of`."""

    shown = "an .npz file"

    def opens(self, path: Path) -> bool:
        """By its ending."""
        return path.suffix == ".npz"

    def load(self, request: Request) -> Parts:
        """All of the arrays."""
        path = request.path
        arrays, others = _arrays(path)
        parts = parts_of(arrays, path.name, str(path), request.size, others)
        if others:
            print(f"left out: {listed(others)} of {path}", file=sys.stderr)
        return parts


def _arrays(path: Path) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """What is read of the archive, none of it Python objects, and the names of other arrays."""
    try:
        with path.open("rb") as file:
            _check_bomb(file)
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise ValueError("it holds one array without a name")
            others = [key for key in archive.files if not is_read(key)]
            return {key: archive[key] for key in archive.files if is_read(key)}, others
    except Exception as error:  # numpy and zipfile raise a dozen unrelated types
        raise UserError(f"{path}: cannot be read: {error}") from None


def _check_bomb(file: BinaryIO) -> None:
    """Pictures of the world pack to a half, not to a hundredth."""
    if file.read(2) == b"PK":
        with ZipFile(file) as archive:
            for part in archive.infolist():
                if part.file_size > max(_LARGE, 100 * part.compress_size):
                    raise ValueError(f"{part.filename} unpacks to {part.file_size:,} bytes")
    file.seek(0)
