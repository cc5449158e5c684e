"""From the parts of a format to what is trained and what is measured on."""

import sys

import numpy as np

from cnndsl.data.dataset import Dataset, Parts, Split
from cnndsl.source import UserError

_TEST_SHARE = 5  # every fifth picture, where there are none for the test


def for_training(parts: Parts) -> Dataset:
    """Training and test pictures; a fifth of the former where there are no others.

    UserError for labels outside the classes, or no pictures at all.
    """
    if "test" in parts.splits and "val" in parts.splits:
        print(f"left out: {parts.name}/val: test is what is measured on", file=sys.stderr)
    train = parts.splits["train"]()
    held = parts.splits.get("test") or parts.splits.get("val")
    train, test = (train, held()) if held else held_out(parts.name, train)
    return checked(parts.name, train, test, parts.classes)


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
