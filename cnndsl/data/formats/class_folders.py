"""Data of the user: a folder with a folder of pictures for each class."""

import os
import sys
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from cnndsl.data.dataset import Images, Parts, Split
from cnndsl.data.formats.base import Format, Request
from cnndsl.runtime.images import pillow, read_picture
from cnndsl.source import UserError

_ENDINGS = {".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".webp"}
_OTHERS = {".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".ppm", ".pgm", ".npy"}
_TRAIN = ("train", "training")
_TEST = ("test", "testing")
_VALID = ("val", "valid", "validation")


class ClassFolders(Format):
    """`CLASS/…/picture.png`, or `train/CLASS/…` and `test/CLASS/…` (or `val`)."""

    is_last_resort = True

    def opens(self, path: Path) -> bool:
        """Any folder."""
        return path.is_dir()

    def load(self, request: Request) -> Parts:
        """The folders that are splits, and the classes of the first."""
        path, size = request.path, request.size
        if len(size) != 3 or size[0] not in (1, 3):
            takes = f"{size[0]} {'features' if len(size) == 1 else 'channels'}"
            raise UserError(f"{path}: pictures have 1 or 3 channels, but the model takes {takes}")
        pillow()
        splits = _splits(path)
        classes = _classes(splits["train"])
        if len(classes) < 2:
            raise UserError(f"{path}: needs a folder of pictures for each class")
        read = {part: partial(_read, part, splits, classes, request) for part in splits}
        return Parts(path.name, classes, read)


def _read(
    part: str, splits: Mapping[str, Path], classes: tuple[str, ...], request: Request
) -> Split:
    top = splits[part]
    strange = sorted(set(_classes(top)) - set(classes))
    if strange:
        raise UserError(f"{top}: has {', '.join(strange)}, which {splits['train']} has not")
    split = _split(top, classes, request.size, request.strict)
    empty = [name for at, name in enumerate(classes) if not (split.y == at).any()]
    if empty and part == "train":
        raise UserError(f"{top}: holds no pictures of {', '.join(empty)}; remove an empty folder")
    return split


def _splits(path: Path) -> dict[str, Path]:
    """The folders to train and to measure on, by their names; all of it is the first."""
    named = {folder.name.lower(): folder for folder in _folders(path)}
    found = {
        part: next((named[word] for word in words if word in named), None)
        for part, words in (("train", _TRAIN), ("val", _VALID), ("test", _TEST))
    }
    splits = {part: folder for part, folder in found.items() if folder}
    if "train" not in splits or (len(named) > 1 and len(splits) == 1):
        return {"train": path}
    return splits


def _folders(path: Path) -> list[Path]:
    return [p for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")]


def _classes(path: Path) -> tuple[str, ...]:
    names = sorted(folder.name for folder in _folders(path))
    for name in names:
        if name != name.encode("utf-8", "replace").decode():
            raise UserError(f"{path}: a class is called {name!a}, which is no UTF-8; rename it")
    return tuple(names)


def _split(top: Path, classes: tuple[str, ...], size: tuple[int, ...], strict: bool) -> Split:
    channels, height, width = size
    images, labels, others = list[Images](), list[int](), Counter[str]()
    for label, name in enumerate(classes):
        for file in _files(top / name):
            ending = file.suffix.lower()
            if ending not in _ENDINGS:
                others[ending] += ending in _OTHERS
                continue
            try:
                images.append(read_picture(file, height, width, channels).transpose(2, 0, 1))
                labels.append(label)
            except UserError as error:
                if strict:
                    raise
                print(f"left out: {error}", file=sys.stderr)
    _tell_others(top, +others, strict)
    if not images:
        kinds = ", ".join(sorted(_ENDINGS))
        lone = any(p.suffix.lower() in _ENDINGS for p in top.iterdir())
        hint = f"\n  sort them into {', '.join(classes[:3])} …, or move it away" if lone else ""
        raise UserError(f"{top}: holds no pictures in folders of classes ({kinds}){hint}")
    return Split(np.stack(images), np.array(labels, np.int64))


def _files(top: Path) -> list[Path]:
    """All files below, links followed, each folder once; hidden ones are left out."""
    if not top.is_dir():
        return []
    found, seen = list[Path](), set[str]()
    for folder, below, files in os.walk(top, onerror=_refuse, followlinks=True):
        real = os.path.realpath(folder)
        below.sort()
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        below[:] = [name for name in below if not name.startswith(".")]
        found += [Path(folder, name) for name in files if not name.startswith(".")]
    return sorted(found)


def _refuse(error: OSError) -> None:
    raise UserError(f"{error.filename}: cannot be read: {error.strerror}")


def _tell_others(top: Path, others: Counter[str], strict: bool) -> None:
    """Pictures, by their endings, that nothing here reads."""
    if others:
        told = ", ".join(f"{count} of {ending}" for ending, count in sorted(others.items()))
        text = f"{top}: {told}: save them as .png"
        if strict:
            raise UserError(text)
        print(f"left out: {text}", file=sys.stderr)
