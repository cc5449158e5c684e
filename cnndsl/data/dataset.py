"""What a data set is."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """Pictures N×C×H×W, uint8, and their class numbers."""

    x: Images
    y: Labels

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, eq=False)
class Parts:
    """Data as a format finds them: `train`, and perhaps `val` and `test`, each read on demand."""

    name: str
    classes: tuple[str, ...]
    splits: Mapping[str, Callable[[], Split]]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test pictures, and the names of the classes."""

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]

    def counts(self) -> list[int]:
        """Training pictures of each class."""
        return np.bincount(self.train.y, minlength=len(self.classes)).tolist()

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

    def renumbered(self, classes: tuple[str, ...]) -> "Dataset":
        """The same with its classes in another order."""
        numbers = np.array([classes.index(name) for name in self.classes])
        train, test = (Split(split.x, numbers[split.y]) for split in (self.train, self.test))
        return Dataset(self.name, train, test, classes)

    def fingerprint(self) -> str:
        """What the data are: counts, and the start of a hash of all pictures, labels and names."""
        found = hashlib.sha256("\n".join(self.classes).encode())
        for split in (self.train, self.test):
            found.update(np.ascontiguousarray(split.x).data)
            found.update(np.ascontiguousarray(split.y).data)
        return (
            f"{len(self.train):,} + {len(self.test):,} pictures, "
            f"{len(self.classes)} classes, sha256 {found.hexdigest()[:16]}"
        )
