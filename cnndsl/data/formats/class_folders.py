"""Data of the user: a folder with a folder of images for each class."""

import sys
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from cnndsl.data.dataset import Parts, Split
from cnndsl.data.folders import (
    ENDINGS,
    OTHER_ENDINGS,
    Folder,
    class_name,
    files_below,
    splits_of,
)
from cnndsl.data.formats.base import Format, Request, check_image_size, decoded_images
from cnndsl.files import is_run_folder
from cnndsl.runtime.images import pillow
from cnndsl.source import UserError, counted, listed

Splits = Mapping[str, Folder]


class ClassFolders(Format):
    """`CLASS/…/picture.png`, or `train/CLASS/…` and `test/CLASS/…` (or `val`)."""

    shown = "a folder of classes"
    is_last_resort = True

    def opens(self, path: Path) -> bool:
        """Any folder but that of a run."""
        return path.is_dir() and not is_run_folder(path)

    def load(self, request: Request) -> Parts:
        """The folders that are splits, and the classes of the first."""
        path = request.path
        check_image_size(request)
        pillow()
        splits, others = splits_of(path)
        if others:
            told = "neither train, val nor test" if len(others) == 1 else "none is a split"
            print(f"left out: {listed(others)} of {path}: {told}", file=sys.stderr)
        first = splits.get("train") or next(iter(splits.values()))
        if not first.classes:
            loose = f"\n  sort {counted(first.loose, 'image')} into them, or write a .csv table"
            needs = f"{first.path}: needs a folder of pictures for each class"
            raise UserError(needs + (loose if first.loose else ""))
        read = {part: partial(_read, part, splits, first, request) for part in splits}
        return Parts(path.name, first.classes, read, flaw=_too_few(first), of_files=True)


def _too_few(folder: Folder) -> str:
    """Why there are not two classes, with the way out."""
    if len(folder.classes) > 1:
        return ""
    return (
        f"{folder.path}: needs a folder of pictures for each class, two at least: `"
        f"{listed(folder.classes)}` alone leaves nothing to tell apart\n"
        "  add a folder with pictures of anything else, such as `other`"
    )


def _read(part: str, splits: Splits, first: Folder, request: Request) -> Split:
    top, classes = splits[part], first.classes
    strange = sorted(set(top.classes) - set(classes))
    if strange:
        raise UserError(f"{top.path} has {listed(strange)}, which {first.path} has not")
    split = _split(top, classes, request)
    empty = [name for at, name in enumerate(classes) if not (split.y == at).any()]
    if empty and top is first:
        raise UserError(f"{top.path} holds no pictures of {listed(empty)}; remove an empty folder")
    return split


def _split(top: Folder, classes: tuple[str, ...], request: Request) -> Split:
    places = {name: place for place, name in enumerate(classes)}
    files, labels, others = list[Path](), list[int](), Counter[str]()
    for folder in top.folders:
        for file in files_below(folder.path):
            ending = file.suffix.lower()
            others[ending] += ending in OTHER_ENDINGS
            if ending in ENDINGS:
                files.append(file)
                labels.append(places[class_name(folder.path)])
    _tell_loose(top)
    _tell_others(top.path, +others, request.reading.strict)
    read = decoded_images(files, top.path.name, request)
    if not len(read.kept):
        raise UserError(_none(top, classes))
    x, y = read.pixels, np.array(labels, np.int64)[read.kept]
    order = np.argsort(y, kind="stable")  # of one class in two Unicode forms
    in_order = bool((order[1:] > order[:-1]).all())
    return Split(x if in_order else x[order], y[order], read.changes)


def _none(top: Folder, classes: tuple[str, ...]) -> str:
    kinds = ", ".join(sorted(ENDINGS))
    hint = f"\n  sort them into {listed(classes, 3)}, or move it away" if top.has_images else ""
    return f"{top.path} holds no pictures in folders of classes ({kinds}){hint}"


def _tell_loose(top: Folder) -> None:
    """Images that are in no class."""
    if top.loose:
        beside = f"{counted(top.loose, 'image')} beside the folders of classes"
        print(f"left out: {top.path}: {beside}", file=sys.stderr)


def _tell_others(top: Path, others: Counter[str], strict: bool) -> None:
    """Images, by their endings, that nothing here reads."""
    if others:
        told = ", ".join(f"{count} of {ending}" for ending, count in sorted(others.items()))
        text = f"{top}: {told}: save them as .png"
        if strict:
            raise UserError(text)
        print(f"left out: {text}", file=sys.stderr)
