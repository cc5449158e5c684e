"""NumPy's archives: arrays by name, checked before they are unpacked; no pickles."""

from math import prod
from pathlib import Path
from typing import Any, cast
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from cnndsl.source import UserError
from cnndsl.weights.archive import checked_archive, names_of
from cnndsl.weights.base import RawWeights, WeightsFormat, one_line

_MOST_DIMENSIONS = 32


class Npz(WeightsFormat):
    """https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, several in a zip."""

    extensions = (".npz",)

    def recognises(self, path: Path) -> bool:
        """A zip of `.npy` members alone."""
        names = names_of(path)
        return bool(names) and all(name.endswith(".npy") for name in names)

    def read(self, path: Path) -> RawWeights:
        """The arrays in the order of the archive; UserError for what is damaged or an object."""
        try:
            with checked_archive(path) as archive:
                arrays = {name: _array(archive, name) for name in archive.namelist()}
        except Exception as error:  # what is damaged raises a dozen unrelated types
            raise UserError(
                f"{path}: cannot be read as arrays of NumPy: {one_line(error)}\n"
                "  store them by numpy.savez(FILE, **tensors)"
            ) from None
        return RawWeights({name.removesuffix(".npy"): array for name, array in arrays.items()})


def _array(archive: ZipFile, name: str) -> NDArray[Any]:
    """One member, whose header must ask for as many bytes as there are."""
    with archive.open(name) as member:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else (
            np.lib.format.read_array_header_2_0
        )  # fmt: skip
        shape, by_columns, dtype = cast(Any, read)(member)
        if dtype.hasobject or dtype.kind not in "fiub" or len(shape) > _MOST_DIMENSIONS:
            raise ValueError(f"{name[:80]} holds no numbers, but {dtype}")
        data = member.read()
    if min(shape, default=0) < 0 or prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{name[:80]} says {shape} of {len(data):,} bytes")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if by_columns else "C")
