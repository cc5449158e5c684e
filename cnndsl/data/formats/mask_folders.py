"""Data of the user: `images/` with `masks/` of the same names, for segmentation."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from cnndsl.data.arrays import numbered
from cnndsl.data.dataset import Parts, Split
from cnndsl.data.decoding import Pixels, decoded, framed
from cnndsl.data.folders import ENDINGS, Folder, files_below
from cnndsl.data.formats.base import Format, Request, check_image_size, decoded_images
from cnndsl.losses import VOID
from cnndsl.runtime.images import Decoded, bombs_refused, decode_mask, upright_size
from cnndsl.source import UserError, listed
from cnndsl.weights.model_info import ModelInfo

_IMAGES = ("images", "image", "imgs")
_MASKS = ("masks", "mask", "labels", "annotations")
_NAMES = "classes.txt"
_LOSSY = (".jpg", ".jpeg", ".jfif")
_TOLD = 5

Pairs = tuple[list[Path], list[Path]]


@dataclass(frozen=True)
class MaskDecoder:
    """Masks H×W of class numbers, cut and scaled as their images are, each pixel from one pixel."""

    shape: tuple[int, ...]
    info: ModelInfo

    @property
    def key(self) -> str:
        """What it does."""
        return f"mask {framed(self.shape, self.info)}"

    def __call__(self, path: Path) -> Decoded:
        """See `decode_mask`."""
        height, width = self.shape
        return Decoded(decode_mask(path, height, width, self.info))


class MaskFolders(Format):
    """`images/1.jpg` and `masks/1.png`, or both in `train/` and `test/` (or `val/`).

    A mask is a PNG of class numbers, with a palette or gray; 255 is not a class. A file
    `classes.txt` names the classes, one a line.
    """

    shown = "a folder of images and masks"

    def opens(self, path: Path) -> bool:
        """A folder with both, or with splits that have both."""
        return bool(path.is_dir() and _splits(path))

    def load(self, request: Request) -> Parts:
        """All masks are read, since their values tell the classes; images on demand."""
        check_image_size(request)
        path = request.path
        pairs = {part: _pairs(folder) for part, folder in _splits(path).items()}
        masks = {part: _masks(part, each, request) for part, each in pairs.items()}
        names = _names(path / _NAMES) or numbered([y for y, _ in masks.values()])
        for part, (pixels, places) in masks.items():
            _tell_strange([pairs[part][1][place] for place in places], pixels, len(names))
        read = {part: partial(_read, part, pairs[part], *masks[part], request) for part in pairs}
        return Parts(path.name, names, read, "segmentation", of_files=True)


def _splits(path: Path) -> Mapping[str, Folder]:
    """The folders that hold `images` and `masks`, by part; the whole is `train`."""
    top = Folder(path)
    if _of(top, _IMAGES) and _of(top, _MASKS):
        return {"train": top}
    found = {each.part: each for each in top.folders if each.part}
    return {p: each for p, each in found.items() if _of(each, _IMAGES) and _of(each, _MASKS)}


def _of(folder: Folder, words: tuple[str, ...]) -> Path | None:
    named = {each.path.name.lower(): each.path for each in folder.folders}
    return next((named[word] for word in words if word in named), None)


def _pairs(folder: Folder) -> Pairs:
    """Images and their masks, found by their stems; UserError names those without the other."""
    images, masks = (_by_stem(_of(folder, words)) for words in (_IMAGES, _MASKS))
    for have, lack, what in ((images, masks, "mask"), (masks, images, "image")):
        lone = [str(file) for stem, file in have.items() if stem not in lack]
        if lone:
            told = f"{folder.path}: without {what}: {listed(lone, _TOLD)}"
            raise UserError(f"{told}\n  image and mask have the same name, but for the ending")
    if not images:
        raise UserError(f"{folder.path} holds no images with masks ({', '.join(sorted(ENDINGS))})")
    _refuse_lossy(masks.values())
    _check_sizes(folder.path, images, masks)
    return [*images.values()], [masks[stem] for stem in images]


def _refuse_lossy(masks: Iterable[Path]) -> None:
    """UserError for masks in a format that does not keep class numbers as they are."""
    lossy = [str(file) for file in masks if file.suffix.lower() in _LOSSY]
    if lossy:
        told = f"JPEG changes values, so masks must be PNG: {listed(lossy, _TOLD)}"
        raise UserError(f"{told}\n  export them anew as PNG; one made of a JPEG stays wrong")


def _check_sizes(top: Path, images: Mapping[str, Path], masks: Mapping[str, Path]) -> None:
    """UserError that names masks of another size than their images."""
    with bombs_refused():
        sizes = [(masks[s], upright_size(masks[s]), upright_size(images[s])) for s in images]
    wrong = [
        f"{mask} is {_size(own)}, its image {_size(image)}"
        for mask, own, image in sizes
        if own and image and own != image
    ]
    if wrong:
        told = "".join(f"\n  {each}" for each in [*wrong[:_TOLD], *_more(wrong)])
        have = "has" if len(wrong) == 1 else "have"
        raise UserError(f"{top}: {len(wrong):,} of {len(sizes):,} masks {have} another size{told}")


def _more(wrong: list[str]) -> list[str]:
    return [f"and {len(wrong) - _TOLD:,} more"] if len(wrong) > _TOLD else []


def _size(sides: tuple[int, int]) -> str:
    return "x".join(map(str, sides))


def _by_stem(top: Path | None) -> dict[str, Path]:
    assert top is not None
    found = dict[str, Path]()
    for file in files_below(top):
        stem = str(file.relative_to(top).with_suffix(""))
        if file.suffix.lower() in ENDINGS:
            if stem in found:
                raise UserError(f"{found[stem]} and {file.name}: two files of one name")
            found[stem] = file
    return found


def _masks(part: str, pairs: Pairs, request: Request) -> "tuple[Pixels, list[int]]":
    """The masks that can be read, and their places."""
    decoder = MaskDecoder(request.size[1:], request.reading.info)
    masks = decoded(pairs[1], decoder, f"masks of {part}", request.reading)
    return masks.pixels, masks.kept.tolist()


def _tell_strange(files: list[Path], masks: Pixels, classes: int) -> None:
    """Name files with values beyond the classes: a loss may ignore them, or they are an error."""
    for file, mask in zip(files, masks, strict=True):
        strange = np.unique(mask[(mask >= classes) & (mask != VOID)]).tolist()
        if strange:
            values = listed(list(map(str, strange)), _TOLD)
            print(f"{file} has {values}; classes are 0…{classes - 1}", file=sys.stderr)


def _read(part: str, pairs: Pairs, masks: Pixels, places: list[int], request: Request) -> Split:
    files = [pairs[0][place] for place in places]
    read = decoded_images(files, part, request)
    return Split(read.pixels, np.ascontiguousarray(masks[read.kept]), read.changes)


def _names(path: Path) -> tuple[str, ...]:
    """One a line; nothing where there is no such file."""
    if not path.is_file():
        return ()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    return tuple(line.strip() for line in lines if line.strip())
