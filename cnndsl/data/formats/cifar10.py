"""CIFAR-10: the binary archive, its unpacked files, or the Python copies of other libraries.

Source: Krizhevsky 2009, Learning multiple layers of features from tiny images.
"""

import tarfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from cnndsl.data.dataset import Parts, Split
from cnndsl.data.formats.base import Format, Request, cache_folder
from cnndsl.data.pickles import read_batch
from cnndsl.source import UserError

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip

_FOLDER = "cifar-10-batches-bin"
_TRAIN = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
_TEST = "test_batch.bin"
_RECORD = 1 + 3 * 32 * 32
_BYTES = 10_000 * _RECORD
_PYTHON = "cifar-10-batches-py"


class Cifar10(Format, name="cifar10"):
    """The data set from a folder, from a copy of Keras or torchvision, or by download.

    The folder may be the batches themselves, or what holds them or their archive.
    """

    def load(self, request: Request) -> Parts:
        """50,000 training and 10,000 test pictures of 3×32×32."""
        folder, cache = request.folder, cache_folder()
        for place in _places(folder, cache):
            found = _from_folder(place)
            if found is not None:
                return found
        if folder is not None:
            raise UserError(
                f"{folder} holds no CIFAR-10: neither {_FOLDER}, nor {_PYTHON}, "
                "nor cifar-10-binary.tar.gz"
            )
        return _from_archive(_downloaded(cache))


def _places(folder: Path | None, cache: Path) -> list[Path]:
    if folder is not None:
        return [folder]
    return [cache, Path.home() / ".keras" / "datasets", Path("data")]


def _from_folder(place: Path) -> Parts | None:
    for batches in (place, place / _FOLDER):
        if (batches / _TEST).is_file():
            return _parts(partial(_read, batches))
    archive = place / "cifar-10-binary.tar.gz"
    if archive.is_file():
        return _from_archive(archive)
    for batches in (place, place / _PYTHON, place / "cifar-10-batches-py-target" / _PYTHON):
        if (batches / "test_batch").is_file():
            return _from_pickles(batches)
    return None


def _read(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None


def _parts(read: Callable[[str], bytes]) -> Parts:
    return _known(lambda name: _split(name, read(name)), _TRAIN, _TEST)


def _known(read: Callable[[str], Split], train: Sequence[str], test: str) -> Parts:
    """The batches by their names, joined for training."""
    whole = partial(_joined, read, train)
    return Parts("cifar10", CLASSES, {"train": whole, "test": partial(read, test)})


def _joined(read: Callable[[str], Split], names: Sequence[str]) -> Split:
    parts = [read(name) for name in names]
    return Split(np.concatenate([p.x for p in parts]), np.concatenate([p.y for p in parts]))


def _split(name: str, data: bytes) -> Split:
    """Records of a label byte and 3,072 colour bytes: red, green, blue planes."""
    if len(data) != _BYTES:
        raise UserError(f"cifar10: {name} has {len(data):,} bytes, not {_BYTES:,}: it is damaged")
    records = np.frombuffer(data, np.uint8).reshape(-1, _RECORD)
    return Split(records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(np.int64))


def _from_archive(archive: Path) -> Parts:
    """The six known members by name; nothing is extracted."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            members = {name: _member(tar, name) for name in (*_TRAIN, _TEST)}
    except (tarfile.TarError, OSError, EOFError, KeyError) as error:
        raise UserError(f"{archive} is not a CIFAR-10 archive: {error}") from None
    return _parts(members.__getitem__)


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    member = tar.getmember(f"{_FOLDER}/{name}")
    file = tar.extractfile(member) if member.isreg() and member.size == _BYTES else None
    if file is None:
        raise UserError(f"cifar10: {name} in the archive is not a plain file of {_BYTES:,} bytes")
    return file.read(_BYTES)


def _from_pickles(folder: Path) -> Parts:
    """The Python version that Keras and torchvision keep, read without running any of it."""
    train = [f"data_batch_{i}" for i in range(1, 6)]
    return _known(lambda name: read_batch(folder / name), train, "test_batch")


def _downloaded(cache: Path) -> Path:
    from cnndsl.data.download import fetch

    return fetch(URL, f"sha256:{SHA256}", cache / "cifar-10-binary.tar.gz")
