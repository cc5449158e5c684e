"""What a data set is."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.runtime.pixel_modes import Change
from cnndsl.weights.model_info import ModelInfo

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]
Targets = NDArray[Any]
"""What is to be learned of N images, by shape and type:

class numbers (N,) int64 · several labels at once, 0 or 1, (N, C) uint8 · numbers (N,) or (N, K)
float32 · masks of class numbers (N, H, W) uint8, or int64 where there are more classes.
"""


@dataclass(frozen=True, eq=False)
class Split:
    """Images N×C×H×W, uint8, their targets, and how many were changed as they were read.

    In the place of images features of them, N×…, float32, may be learned from.
    """

    x: NDArray[Any]
    y: Targets
    changes: Mapping[Change, int] = field(default_factory=Counter[Change])

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, eq=False)
class Parts:
    """Data as a format finds them: `train`, and perhaps `val` and `test`, each read on demand.

    `names`, `task`, `units` and `column` are those of `Dataset`. `flaw` says why they can be
    measured on, but not be trained on. Images `of_files` are scaled and cut as they are read.
    """

    name: str
    names: tuple[str, ...]
    splits: Mapping[str, Callable[[], Split]]
    task: str | None = None
    units: tuple[str, ...] = ()
    flaw: str = ""
    column: str = "number"
    of_files: bool = False


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test images with their targets.

    `names` are those of the classes, of the labels or of the numbers, one each. `task` is the word
    of the task that the data are for, where their format tells it; `units` those of the numbers.
    `part` is the part of the data that `test` is, where they have parts; `val` is what may be used
    to choose by besides, where it is asked for. `column` is what class numbers are called where
    they are amounts. `info` says how image files were scaled and cut, and what is behind their
    transparent pixels; arrays of pixels are as they are.
    """

    name: str
    train: Split
    test: Split
    names: tuple[str, ...]
    task: str | None = None
    units: tuple[str, ...] = ()
    part: str = ""
    val: Split | None = None
    column: str = "number"
    info: ModelInfo = field(default_factory=ModelInfo)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names, of targets that are classes or labels."""
        return self.names

    def moments(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel of the training pictures, in 0…1."""
        x = self.train.x.reshape(len(self.train), self.train.x.shape[1], -1)
        total = np.zeros((2, x.shape[1]), np.uint64)  # of values and of their squares: exact
        for part in (x[at : at + 1000] for at in range(0, len(x), 1000)):
            square = np.square(part, dtype=np.uint16)
            total += [each.sum((0, 2), dtype=np.uint64) for each in (part, square)]
        mean, square = total / (x.size // x.shape[1]) / [[255], [255**2]]
        std = np.sqrt(np.maximum(square - mean**2, 1e-6))
        return tuple(mean.tolist()), tuple(std.tolist())

    def with_targets(
        self, convert: Callable[[Targets], Targets], names: tuple[str, ...]
    ) -> "Dataset":
        """The same images with other targets."""
        train, test = (replace(split, y=convert(split.y)) for split in (self.train, self.test))
        val = self.val and replace(self.val, y=convert(self.val.y))
        return replace(self, train=train, test=test, val=val, names=names)

    def fingerprint(self) -> str:
        """What the data are: counts, and the start of a hash of all images, targets and names."""
        found = hashlib.sha256("\n".join(self.names).encode())
        for split in (self.train, self.test):
            found.update(np.ascontiguousarray(split.x).data)
            found.update(np.ascontiguousarray(split.y).data)
        return (
            f"{len(self.train):,} + {len(self.test):,} pictures, "
            f"{len(self.names)} classes, sha256 {found.hexdigest()[:16]}"
        )


def repeated(names: Iterable[str]) -> str | None:
    """The first name that has been there before; None where each is another."""
    seen = set[str]()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
