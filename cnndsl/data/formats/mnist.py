"""MNIST in its idx files, plain or gzipped. Source: LeCun et al. 1998."""

import gzip
import zlib
from functools import partial
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnndsl.data.dataset import Parts, Split
from cnndsl.data.formats.base import Format, Request, cache_folder
from cnndsl.source import UserError

_MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
CLASSES = tuple(map(str, range(10)))
_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_MD5 = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
_LIMIT = 256 * 2**20


class Mnist(Format, name="mnist"):
    """The data set from a folder (or its MNIST/raw), or by download."""

    def load(self, request: Request) -> Parts:
        """60,000 training and 10,000 test pictures of 1×28×28."""
        folder, cache = request.folder, cache_folder()
        splits = {part: partial(_read, part, folder, cache) for part in ("train", "test")}
        return Parts("mnist", CLASSES, splits)


def _read(part: str, folder: Path | None, cache: Path) -> Split:
    images, labels = (_array(_file(name, folder, cache)) for name in _FILES[part])
    return _split(images, labels)


def _file(name: str, folder: Path | None, cache: Path) -> Path:
    places = [folder, folder / "MNIST" / "raw"] if folder else [cache]
    for place in places:
        for path in (place / name, place / f"{name}.gz"):
            if path.is_file():
                return path
    if folder is not None:
        raise UserError(f"{folder} holds no {name} (or {name}.gz)")
    from cnndsl.data.download import fetch

    return fetch(f"{_MIRROR}{name}.gz", f"md5:{_MD5[name]}", cache / f"{name}.gz")


def _array(path: Path) -> NDArray[np.uint8]:
    """An idx file: two zeros, type 8 (unsigned byte), rank, then big-endian sizes."""
    data = _bytes(path)
    if len(data) < 4 or data[:3] != b"\0\0\x08" or len(data) < 4 + 4 * data[3]:
        raise UserError(f"{path} is not an idx file of bytes")
    sizes = [int(n) for n in np.frombuffer(data, ">u4", data[3], 4)]
    start = 4 + 4 * data[3]
    if prod(sizes) != len(data) - start:
        raise UserError(
            f"{path}: says {'x'.join(map(str, sizes))}, but holds {len(data) - start:,}"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(sizes)


def _bytes(path: Path) -> bytes:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(_LIMIT + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    if len(data) > _LIMIT:
        raise UserError(f"{path} holds more than {_LIMIT // 2**20} MiB")
    return data


def _split(x: NDArray[np.uint8], y: NDArray[np.uint8]) -> Split:
    if x.ndim != 3 or y.ndim != 1:
        raise UserError(f"mnist: pictures of rank {x.ndim} and labels of rank {y.ndim}")
    return Split(x[:, None], y.astype(np.int64))
