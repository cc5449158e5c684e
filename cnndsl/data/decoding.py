"""Files to arrays: in parallel, with progress, each decoded once and kept for the next time."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cnndsl.data.image_cache import ImageCache
from cnndsl.data.progress import shown
from cnndsl.runtime.images import Decoded, bombs_refused, decode
from cnndsl.runtime.pixel_modes import Change
from cnndsl.runtime.ranks import Alone, Ranks, share_of
from cnndsl.source import UserError
from cnndsl.weights.model_info import ModelInfo

Pixels = NDArray[np.uint8]
_CHUNK = 256  # files that are under way at once


@dataclass(frozen=True)
class Reading:
    """How data are read: with `strict` a file that cannot be is an error instead of a warning.

    `display` is that of a run: auto, bar, lines or none. `arrays` are the data themselves, of
    Python, by the names of `parts_of`. Of files that several `ranks` read each decodes its share.
    `info` says how image files are scaled and cut, and what is behind transparent pixels.
    """

    strict: bool = False
    display: str = "auto"
    arrays: "Mapping[str, NDArray[Any]] | None" = None
    ranks: Ranks = field(default_factory=Alone)
    info: ModelInfo = field(default_factory=ModelInfo)


USUAL = Reading()


class Decoder(Protocol):
    """A file to uint8 numbers of one shape."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an array."""
        ...

    @property
    def key(self) -> str:
        """What is done with a file."""
        ...

    def __call__(self, path: Path) -> Decoded:
        """The array; UserError where the file cannot be read. Runs in threads."""
        ...


@dataclass(frozen=True)
class ImageDecoder:
    """Images C×H×W."""

    shape: tuple[int, ...]
    info: ModelInfo

    @property
    def key(self) -> str:
        """What it does."""
        return f"image on {self.info.ground} {framed(self.shape, self.info)}"

    def __call__(self, path: Path) -> Decoded:
        """See `read_picture`."""
        channels, height, width = self.shape
        pixels, change = decode(path, height, width, channels, self.info)
        return Decoded(pixels.transpose(2, 0, 1), change)


def framed(shape: tuple[int, ...], info: ModelInfo) -> str:
    """How files are scaled and cut to a shape, for the key of a decoder."""
    cropped = f" {info.resample} {info.crop}" if info.crop else ""
    return f"{'x'.join(map(str, shape))}{cropped}"


@dataclass(frozen=True, eq=False)
class Files:
    """The arrays of files, N×…, the places of those that could be read, and how many changed.

    `refused` says why others could not.
    """

    pixels: Pixels
    kept: NDArray[np.intp]
    changes: Counter[Change] = field(default_factory=Counter[Change])
    refused: tuple[str, ...] = ()


def decoded(files: Sequence[Path], decoder: Decoder, what: str, reading: Reading) -> Files:
    """All files that can be read.

    What cannot be read is named on stderr and left out; UserError with `strict`. Of several ranks
    the others `help_decoding` meanwhile.
    """
    work = Decoding(files, decoder, what, reading.strict)
    whole = reading.ranks.share(work).by(reading.ranks, reading.display)
    for refused in whole.refused:
        print(f"left out: {refused}", file=sys.stderr)
    return whole


def help_decoding(ranks: Ranks) -> None:
    """Decode a share of what rank 0 decodes, until it says None; or raise its error."""
    while (work := ranks.share(None)) is not None:
        if isinstance(work, Exception):
            raise work
        work.by(ranks, "none")


@dataclass(frozen=True)
class Decoding:
    """Files that all ranks decode, each a share."""

    files: Sequence[Path]
    decoder: Decoder
    what: str
    strict: bool

    def by(self, ranks: Ranks, display: str) -> Files:
        """All of them on rank 0; on others without pixels."""
        own = share_of(ranks, len(self.files))
        part = self._own(self.files[own], display)
        heads = ranks.gather((own.start, replace(part, pixels=part.pixels[:0])))
        pixels = ranks.stack(part.pixels)
        return _joined(heads, part.pixels[:0] if pixels is None else pixels)

    def _own(self, files: Sequence[Path], display: str) -> Files:
        """The files of this process."""
        arrays = _allocated(len(files), self.decoder.shape, self.what)
        good, changes, refused = np.zeros(len(files), bool), Counter[Change](), list[str]()
        with bombs_refused(), ImageCache(self.decoder.key, self.decoder.shape) as cache:
            results = _results(files, self.decoder, cache)
            for i, result in enumerate(shown(results, len(files), f"reading {self.what}", display)):
                if isinstance(result, UserError):
                    if self.strict:
                        raise result
                    refused.append(str(result))
                else:
                    arrays[i], good[i] = result.pixels, True
                    changes.update(result.change)
        kept = np.flatnonzero(good)
        pixels = arrays if len(kept) == len(files) else arrays[kept]
        return Files(pixels, kept, changes, tuple(refused))


def _joined(parts: Sequence[tuple[int, Files]], pixels: Pixels) -> Files:
    """The files of all ranks, in their order."""
    return Files(
        pixels,
        np.concatenate([first + part.kept for first, part in parts]),
        sum((part.changes for _, part in parts), Counter[Change]()),
        tuple(text for _, part in parts for text in part.refused),
    )


def _allocated(count: int, shape: tuple[int, ...], what: str) -> Pixels:
    """UserError where there is no memory for so many."""
    try:
        return np.empty((count, *shape), np.uint8)
    except MemoryError:
        size = count * prod(shape) / 2**30
        raise UserError(f"{what}: {count:,} images take {size:,.0f} GiB, more than there is\n"
                        "  take a smaller `input`, or fewer images") from None  # fmt: skip


def _results(
    files: Sequence[Path], decoder: Decoder, cache: ImageCache
) -> Iterator[Decoded | UserError]:
    """Each file's array in their order, from the cache where it is there."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(files), _CHUNK):
            chunk = files[start : start + _CHUNK]
            known: dict[Path, Decoded | UserError] = {**cache.found(chunk)}
            missing = [file for file in chunk if file not in known]
            for file, result in zip(missing, pool.map(_caught(decoder), missing), strict=True):
                known[file] = result
            cache.keep({f: x for f in missing if not isinstance(x := known[f], UserError)})
            yield from (known[file] for file in chunk)


def _caught(decoder: Decoder) -> Callable[[Path], Decoded | UserError]:
    def attempt(file: Path) -> Decoded | UserError:
        try:
            return decoder(file)
        except UserError as error:
            return error

    return attempt
