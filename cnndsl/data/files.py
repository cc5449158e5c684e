"""Data of the user: a folder of class folders, or an `.npz` file."""

import sys
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from cnndsl.data.dataset import Dataset, Images, Split, checked
from cnndsl.runtime.pictures import read_picture
from cnndsl.source import UserError

_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}
_MOST_CLASSES = 100_000
_LARGE = 256 * 2**20  # bytes up to which a part of an archive may be packed in any way
_TEST_SHARE = 5  # every fifth picture, where there is no test folder


def load_npz(path: Path, size: tuple[int, ...]) -> Dataset:
    """`x` (N×C×H×W or N×H×W×C, uint8), `y`, and perhaps `x_test`, `y_test`, `classes`.

    Pictures that fit the model's `size` as they are stay so; others are told by their channels.
    """
    arrays = _arrays(path)
    if not {"x", "y"} <= set(arrays):
        raise UserError(f"{path}: holds {', '.join(arrays)}; it needs x and y")
    train = Split(_images(arrays["x"], path, size), _labels(arrays["y"], path))
    last = int(train.y.max(initial=0))
    if "classes" not in arrays and len(train) and train.y.min() == 1:
        raise UserError(f"{path}: labels count from 0, these from 1: store `y - 1`, or `classes`")
    if "x_test" in arrays and "y_test" in arrays:
        test = Split(_images(arrays["x_test"], path, size), _labels(arrays["y_test"], path))
    else:
        train, test = _held_out(path.name, train)
    if last >= _MOST_CLASSES:
        raise UserError(f"{path}: label {last} would mean more than {_MOST_CLASSES:,} classes")
    names = arrays.get("classes", np.arange(last + 1))
    if names.ndim != 1:
        raise UserError(f"{path}: classes are one name each, not {names.shape}")
    return checked(path.name, train, test, tuple(str(n) for n in names))


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of the archive, none of them of Python objects."""
    try:
        with path.open("rb") as file:
            _check_bomb(file)
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise ValueError("it holds one array without a name")
            return {key: archive[key] for key in archive.files}
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


def _held_out(name: str, split: Split) -> tuple[Split, Split]:
    """Every fifth picture of each class for the test; of them all, where classes have fewer."""
    if len(split.x) != len(split.y):
        raise UserError(f"{name}: {len(split.x)} pictures, but {len(split.y)} labels")
    place = np.zeros(len(split), np.int64)  # among the pictures of the class
    for label in np.unique(split.y):
        mine = np.flatnonzero(split.y == label)
        place[mine] = np.arange(len(mine))
    if place.max(initial=0) < _TEST_SHARE - 1:
        place = np.arange(len(split))
    held = place % _TEST_SHARE == _TEST_SHARE - 1
    return Split(split.x[~held], split.y[~held]), Split(split.x[held], split.y[held])


def load_folder(path: Path, size: tuple[int, ...], strict: bool = False) -> Dataset:
    """`CLASS/picture.png`, or `train/CLASS/…` and `test/CLASS/…` (also `val`), at the model's size.

    A picture that cannot be read is left out with a warning; with `strict` it is an error.
    """
    if len(size) != 3 or size[0] not in (1, 3):
        takes = f"{size[0]} {'features' if len(size) == 1 else 'channels'}"
        raise UserError(f"{path}: pictures have 1 or 3 channels, but the model takes {takes}")
    parts = [path / name for name in ("train", "test", "val")]
    divided = parts[0].is_dir() and (parts[1].is_dir() or parts[2].is_dir())
    top = parts[0] if divided else path
    classes = tuple(sorted(p.name for p in _folders(top)))
    if len(classes) < 2:
        raise UserError(f"{path}: needs a folder of pictures for each class")
    train = _folder_split(top, classes, size, strict)
    empty = [name for at, name in enumerate(classes) if not (train.y == at).any()]
    if empty:
        raise UserError(f"{top}: holds no pictures of {', '.join(empty)}; remove an empty folder")
    if divided:
        other = parts[1] if parts[1].is_dir() else parts[2]
        strange = sorted({p.name for p in _folders(other)} - set(classes))
        if strange:
            raise UserError(f"{other}: has {', '.join(strange)}, which {top} has not")
        return checked(path.name, train, _folder_split(other, classes, size, strict), classes)
    return checked(path.name, *_held_out(path.name, train), classes)


def _folders(path: Path) -> list[Path]:
    return [p for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")]


def _folder_split(
    top: Path, classes: tuple[str, ...], size: tuple[int, ...], strict: bool
) -> Split:
    channels, height, width = size
    images, labels = list[Images](), list[int]()
    for label, name in enumerate(classes):
        for file in sorted((top / name).rglob("*")):
            hidden = any(part.startswith(".") for part in file.relative_to(top).parts)
            if hidden or file.suffix.lower() not in _ENDINGS or file.is_dir():
                continue
            try:
                images.append(read_picture(file, height, width, channels).transpose(2, 0, 1))
                labels.append(label)
            except UserError as error:
                if strict:
                    raise
                print(f"left out: {error}", file=sys.stderr)
    if not images:
        raise UserError(f"{top}: holds no pictures ({', '.join(sorted(_ENDINGS))})")
    return Split(np.stack(images), np.array(labels, np.int64))
