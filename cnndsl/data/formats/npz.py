"""Data of the user: an `.npz` file."""

import sys
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from cnndsl.data.dataset import Images, Parts, Split
from cnndsl.data.formats.base import Format, Request
from cnndsl.source import UserError

_KEYS = ("x", "y", "x_test", "y_test", "classes")
_MOST_CLASSES = 100_000
_LARGE = 256 * 2**20  # bytes up to which a part of an archive may be packed in any way


class Npz(Format):
    """`x` (N×C×H×W or N×H×W×C, uint8), `y`, and perhaps `x_test`, `y_test`, `classes`.

    Pictures that fit the model's size as they are stay so; others are told by their channels.
    """

    def opens(self, path: Path) -> bool:
        """By its ending."""
        return path.suffix == ".npz"

    def load(self, request: Request) -> Parts:
        """All of the arrays."""
        path, size = request.path, request.size
        arrays, others = _arrays(path)
        if not {"x", "y"} <= set(arrays):
            held = ", ".join([*arrays, *others]) or "nothing"
            raise UserError(f"{path}: holds {held}; it needs x and y")
        if others:
            print(f"left out: {', '.join(others)} of {path}", file=sys.stderr)
        train = Split(_images(arrays["x"], path, size), _labels(arrays["y"], path))
        splits = {"train": train} | _test(arrays, path, size)
        names = _classes(arrays, train, path)
        return Parts(path.name, names, {part: partial(_same, s) for part, s in splits.items()})


def _same(split: Split) -> Split:
    return split


def _test(arrays: dict[str, NDArray[Any]], path: Path, size: tuple[int, ...]) -> dict[str, Split]:
    lone = {"x_test", "y_test"} & set(arrays)
    if len(lone) == 1:
        raise UserError(f"{path}: has {lone.pop()} alone; the test needs x_test and y_test")
    if not lone:
        return {}
    images = _images(arrays["x_test"], path, size)
    return {"test": Split(images, _labels(arrays["y_test"], path))}


def _classes(arrays: dict[str, NDArray[Any]], train: Split, path: Path) -> tuple[str, ...]:
    last = int(train.y.max(initial=0))
    if "classes" not in arrays and len(train) and train.y.min() == 1:
        raise UserError(f"{path}: labels count from 0, these from 1: store `y - 1`")
    if last >= _MOST_CLASSES:
        raise UserError(f"{path}: label {last} would mean more than {_MOST_CLASSES:,} classes")
    return _names(arrays.get("classes", np.arange(last + 1)), path)


def _names(names: NDArray[Any], path: Path) -> tuple[str, ...]:
    if names.ndim != 1:
        raise UserError(f"{path}: classes are one name each, not {names.shape}")
    said = [n.decode("utf-8", "replace") if isinstance(n, bytes) else str(n) for n in names]
    twice = next((name for i, name in enumerate(said) if name in said[:i]), None)
    if twice is not None:
        raise UserError(f"{path}: two classes are called `{twice}`")
    return tuple(said)


def _arrays(path: Path) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """What is read of the archive, none of it Python objects, and the names of other arrays."""
    try:
        with path.open("rb") as file:
            _check_bomb(file)
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise ValueError("it holds one array without a name")
            others = [key for key in archive.files if key not in _KEYS]
            return {key: archive[key] for key in archive.files if key in _KEYS}, others
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


def _images(x: NDArray[Any], path: Path, size: tuple[int, ...]) -> Images:
    if x.dtype != np.uint8 or x.ndim not in (3, 4):
        raise UserError(f"{path}: pictures are uint8 N×C×H×W, not {x.dtype} {x.shape}")
    if x.ndim == 3:
        return x[:, None]
    turned = x.transpose(0, 3, 1, 2)
    channels_first = turned.shape[1:] != size and x.shape[1] in (1, 3, 4)
    return x if x.shape[1:] == size or channels_first else np.ascontiguousarray(turned)


def _labels(y: NDArray[np.generic], path: Path) -> NDArray[np.int64]:
    if y.dtype.kind not in "iu" or y.ndim < 1 or y.size != len(y):
        raise UserError(f"{path}: labels are whole numbers, one a picture, not {y.dtype} {y.shape}")
    return y.reshape(-1).astype(np.int64)
