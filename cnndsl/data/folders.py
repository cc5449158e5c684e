"""Folders of the user: which of them are splits, which are classes."""

import os
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from unicodedata import normalize

from cnndsl.source import UserError, listed

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".webp"})
OTHER_ENDINGS = frozenset(
    {".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".ppm", ".pgm", ".npy"}
)
"""Endings of images that are not read."""

_OF_SYSTEMS = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information"})
_WORDS = {
    "train": "train|training|trn|trainval",
    "val": "val|valid|validation|dev|development|holdout",
    "test": "test|testing|tst|eval|evaluation",
}
_KINDS = "(set|data|images?|imgs?|split|folder|dir|files)?"
_NAMED = {
    part: re.compile(rf"(.*[^a-z])?({words}){_KINDS}([^a-z].*)?") for part, words in _WORDS.items()
}
_EXACT = frozenset("|".join(_WORDS.values()).split("|"))


@dataclass(frozen=True)
class Folder:
    """A folder with what stands in it, hidden ones left out."""

    path: Path

    @cached_property
    def folders(self) -> tuple["Folder", ...]:
        """Those below, by name."""
        return tuple(Folder(each) for each in sorted(self._entries) if each.is_dir())

    @cached_property
    def has_images(self) -> bool:
        """Whether image files stand in it itself."""
        return any(
            each.suffix.lower() in ENDINGS | OTHER_ENDINGS and each.is_file()
            for each in self._entries
        )

    @property
    def loose(self) -> int:
        """How many images stand in it itself."""
        return sum(each.suffix.lower() in ENDINGS and each.is_file() for each in self._entries)

    @cached_property
    def _entries(self) -> list[Path]:
        try:
            return [each for each in self.path.iterdir() if not is_hidden(each.name)]
        except OSError as error:
            raise UserError(f"{self.path}: cannot be read: {error.strerror}") from None

    @property
    def inner(self) -> "Folder":
        """The folder itself, or the only folder in it, where that alone holds folders."""
        if self.has_images or len(self.folders) != 1 or not self.folders[0].holds_classes:
            return self
        return self.folders[0].inner

    def beside(self, first: "Folder") -> "Folder":
        """The folder that holds the classes, of a split beside the first."""
        return self if set(self.classes) <= set(first.classes) else self.inner

    @property
    def holds_classes(self) -> bool:
        """Whether it may be a split: it holds folders, and no images beside them."""
        return bool(self.folders) and not self.has_images

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the folders in it, each once in whatever Unicode form: see `class_name`."""
        return tuple(sorted({class_name(each.path) for each in self.folders}))

    @property
    def part(self) -> str:
        """The part of the data that its name tells of, or nothing."""
        name = self.path.name
        is_split = name.casefold() in _EXACT or self.inner.holds_classes
        return part_of(name) if is_split else ""


def is_hidden(name: str) -> bool:
    """Whether a system, and nobody else, has made a file or folder of this name."""
    return name.startswith(".") or name in _OF_SYSTEMS


def part_of(name: str) -> str:
    """`train`, `val` or `test`, of which a name such as `val2017` tells; or nothing."""
    name = name.casefold()
    parts = {part for part, named in _NAMED.items() if named.fullmatch(name)}
    return "train" if parts == {"train", "val"} else parts.pop() if len(parts) == 1 else ""


def class_name(folder: Path) -> str:
    """The name of a folder in Unicode's form NFC; UserError for one that is not a text.

    macOS writes `é` as two characters, other systems as one.
    """
    name = folder.name
    if name != name.encode("utf-8", "replace").decode():
        raise UserError(
            f"{folder.parent}: a class is called {name!a}, which is not UTF-8; rename it"
        )
    return normalize("NFC", name)


def splits_of(path: Path) -> tuple[dict[str, Folder], list[str]]:
    """`train`, `val` and `test` by their folders, and the names of folders that are none of them.

    They are known by their names, such as `train`, `training_set`, `seg_train`, `val2017`. A folder
    without splits is `train` as a whole. UserError where folders hold the same classes, so that
    they are splits, under names that do not tell which.
    """
    top = _top(Folder(path))
    found = dict[str, Folder]()
    for folder in top.folders:
        part = folder.part
        if part in found:
            raise _two_folders(part, found[part], folder)
        if part:
            found[part] = folder
    others = [each for each in top.folders if not each.part]
    lone = next(iter(found.values())) if len(found) == 1 else None
    if lone and others and not _is_split(lone, others):
        found, others = {}, list(top.folders)
    if not found:
        _refuse_same_classes(others)
        return {"train": top}, []
    if lone:
        _refuse_same_classes([lone, *others])
    first = (found.get("train") or next(iter(found.values()))).inner
    splits = {part: each.beside(first) for part, each in found.items()}
    return splits, [each.path.name for each in others]


def _top(folder: Folder) -> Folder:
    """The only folder below, and so on, where it is not a split by its name."""
    while not folder.has_images and len(folder.folders) == 1:
        below = folder.folders[0]
        if below.part or not below.holds_classes:
            break
        folder = below
    return folder


def _is_split(folder: Folder, others: list[Folder]) -> bool:
    """Whether the one folder that is named like a split is one, and no class like the others."""
    if not folder.inner.holds_classes or len(folder.inner.folders) < 2:
        return False
    beside = next((each for each in others if _holds_any(each)), None)
    if beside is None or _share([folder, *others]):
        return True
    raise UserError(
        f"{folder.path}: is this a split or a class? Beside it is `{beside.path.name}`\n"
        f"  move `{beside.path.name}` away, or put all classes into a folder `train`"
    )


def _holds_any(folder: Folder) -> bool:
    return folder.has_images or any(_holds_any(each) for each in folder.folders)


def _share(folders: list[Folder]) -> list[str]:
    """Names of the folders that hold the same classes as another of them."""
    inner = {each.path.name: each.inner for each in folders}
    held = {name: set(each.classes) for name, each in inner.items() if each.holds_classes}
    counts = Counter(name for names in held.values() for name in names)
    same = [name for name, names in held.items() if any(counts[each] > 1 for each in names)]
    return same if max((len(held[name]) for name in same), default=0) > 1 else []


def _refuse_same_classes(folders: list[Folder]) -> None:
    same = _share(folders)
    if same:
        top = folders[0].path.parent
        first = next(each for each in folders if each.path.name == same[0]).inner
        raise UserError(
            f"{top}: {listed(same, 4)} hold the same folders, {listed(first.classes, 4)}: "
            "these are splits, but which?\n"
            "  rename them to `train` and `test`; where they are classes, put them into a folder "
            "`train`"
        )


def _two_folders(part: str, one: Folder, other: Folder) -> UserError:
    names = f"`{one.path.name}` and `{other.path.name}`"
    return UserError(f"{one.path.parent}: {names} are both for `{part}`\n"
                     "  put their images into one, or move one away")  # fmt: skip


def files_below(top: Path) -> list[Path]:
    """All files, links followed, each folder once; hidden ones are left out."""
    around = map(str, Path(os.path.realpath(top)).parents)
    found, seen = list[Path](), set(around)  # a link that leads up would bring in other classes
    for folder, below, files in os.walk(top, onerror=_refuse, followlinks=True):
        real = os.path.realpath(folder)
        below.sort()
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        below[:] = [name for name in below if not is_hidden(name)]
        found += [Path(folder, name) for name in files if not is_hidden(name)]
    return sorted(found)


def _refuse(error: OSError) -> None:
    raise UserError(f"{error.filename}: cannot be read: {error.strerror}")
