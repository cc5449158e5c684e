"""What a data set is, and the checks that every one goes through."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnndsl.source import UserError

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]
_TEST_SHARE = 5  # every fifth picture, where there are none for the test


@dataclass(frozen=True, eq=False)
class Split:
    """Pictures N×C×H×W, uint8, and their class numbers."""

    x: Images
    y: Labels

    def __len__(self) -> int:
        return len(self.y)


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


def checked(name: str, train: Split, test: Split, classes: tuple[str, ...]) -> Dataset:
    """The data set; UserError for labels outside the classes, or no pictures at all."""
    for what, split in (("training", train), ("test", test)):
        if len(split) == 0:
            raise UserError(f"{name}: there are no {what} pictures")
        if len(split.x) != len(split.y):
            raise UserError(f"{name}: {len(split.x)} {what} pictures, but {len(split.y)} labels")
        wrong = np.flatnonzero((split.y < 0) | (split.y >= len(classes)))
        if len(wrong):
            at = int(wrong[0])
            label, last = split.y[at], len(classes) - 1
            raise UserError(f"{name}: {what} picture {at} has label {label}, outside of 0…{last}")
    if train.x.shape[1:] != test.x.shape[1:]:
        sizes = ("x".join(map(str, split.x.shape[1:])) for split in (test, train))
        raise UserError(f"{name}: test pictures are {next(sizes)}, training pictures {next(sizes)}")
    return Dataset(name, train, test, classes)


def held_out(name: str, split: Split) -> tuple[Split, Split]:
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
    if len(split) and not held.any():
        few = f"{len(split)} pictures are too few to hold back every fifth for the test"
        raise UserError(f"{name}: {few}")
    return Split(split.x[~held], split.y[~held]), Split(split.x[held], split.y[held])
