"""Files to arrays: in parallel, with progress, each decoded once and kept for the next time."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cnndsl.data.image_cache import ImageCache
from cnndsl.data.progress import shown
from cnndsl.runtime.images import bombs_refused, decode
from cnndsl.source import UserError

Pixels = NDArray[np.uint8]
_CHUNK = 256  # files that are under way at once


@dataclass(frozen=True)
class Reading:
    """How data are read: with `strict` a file that cannot be is an error instead of a warning.

    `display` is that of a run: auto, bar, lines or none. `arrays` are the data themselves, of
    Python, by the names of `parts_of`.
    """

    strict: bool = False
    display: str = "auto"
    arrays: "Mapping[str, NDArray[Any]] | None" = None


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

    def __call__(self, path: Path) -> Pixels:
        """The array; UserError where the file cannot be read. Runs in threads."""
        ...


@dataclass(frozen=True)
class ImageDecoder:
    """Images C×H×W."""

    shape: tuple[int, ...]

    @property
    def key(self) -> str:
        """What it does."""
        return "image on white " + "x".join(map(str, self.shape))

    def __call__(self, path: Path) -> Pixels:
        """Covered and cut in the middle, see `read_picture`."""
        channels, height, width = self.shape
        return decode(path, height, width, channels).transpose(2, 0, 1)


def decoded(
    files: Sequence[Path], decoder: Decoder, what: str, reading: Reading
) -> tuple[Pixels, NDArray[np.intp]]:
    """The arrays of files, N×…, and the places of those that could be read.

    What cannot be read is named on stderr and left out; UserError with `strict`.
    """
    arrays = _allocated(len(files), decoder.shape, what)
    good = np.zeros(len(files), bool)
    with bombs_refused(), ImageCache(decoder.key, decoder.shape) as cache:
        results = shown(_results(files, decoder, cache), len(files), f"reading {what}",
                        reading.display)  # fmt: skip
        for i, result in enumerate(results):
            if isinstance(result, UserError):
                _leave_out(result, reading)
            else:
                arrays[i], good[i] = result, True
    kept = np.flatnonzero(good)
    return arrays if len(kept) == len(files) else arrays[kept], kept


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
) -> Iterator[Pixels | UserError]:
    """Each file's array in their order, from the cache where it is there."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(files), _CHUNK):
            chunk = files[start : start + _CHUNK]
            known: dict[Path, Pixels | UserError] = {**cache.found(chunk)}
            missing = [file for file in chunk if file not in known]
            for file, result in zip(missing, pool.map(_caught(decoder), missing), strict=True):
                known[file] = result
            cache.keep({f: x for f in missing if not isinstance(x := known[f], UserError)})
            yield from (known[file] for file in chunk)


def _caught(decoder: Decoder) -> Callable[[Path], Pixels | UserError]:
    def attempt(file: Path) -> Pixels | UserError:
        try:
            return decoder(file)
        except UserError as error:
            return error

    return attempt


def _leave_out(error: UserError, reading: Reading) -> None:
    if reading.strict:
        raise error
    print(f"left out: {error}", file=sys.stderr)
