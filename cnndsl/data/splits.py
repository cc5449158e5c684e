"""From the parts of a format to what is trained and what is measured on."""

import sys

import numpy as np
from numpy.typing import NDArray

from cnndsl.data.dataset import Dataset, Parts, Split, Targets
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
    return checked(Dataset(parts.name, train, test, parts.names, parts.task, parts.units))


def checked(data: Dataset) -> Dataset:
    """The data set; UserError for targets that the names do not cover, or no images at all."""
    name, train, test = data.name, data.train, data.test
    for what, split in (("training", train), ("test", test)):
        if len(split) == 0:
            raise UserError(f"{name}: there are no {what} pictures")
        if len(split.x) != len(split.y):
            raise UserError(f"{name}: {len(split.x)} {what} pictures, but {len(split.y)} labels")
        _check_targets(f"{name}: {what} picture", split.y, len(data.names))
    if train.x.shape[1:] != test.x.shape[1:]:
        sizes = ("x".join(map(str, split.x.shape[1:])) for split in (test, train))
        raise UserError(f"{name}: test pictures are {next(sizes)}, training pictures {next(sizes)}")
    if (train.y.dtype, train.y.shape[1:]) != (test.y.dtype, test.y.shape[1:]):
        kinds = (f"{split.y.dtype} {split.y.shape[1:]}" for split in (test, train))
        raise UserError(f"{name}: test targets are {next(kinds)}, training targets {next(kinds)}")
    return data


def _check_targets(image: str, y: Targets, names: int) -> None:
    """UserError, by `image` and its number, for numbers that are none and classes without name."""
    if y.dtype.kind == "f":
        wrong = np.flatnonzero(~np.isfinite(y.reshape(len(y), -1)).all(1))
        if len(wrong):
            raise UserError(f"{image} {wrong[0]} has a target that is not a finite number")
    elif y.ndim == 1:
        wrong = np.flatnonzero((y < 0) | (y >= names))
        if len(wrong):
            at = int(wrong[0])
            raise UserError(f"{image} {at} has label {y[at]}, outside of 0…{names - 1}")
    if y.ndim == 2 and y.shape[1] != names:
        raise UserError(f"{image}s have {y.shape[1]} targets each, but {names} names")


def held_out(name: str, split: Split) -> tuple[Split, Split]:
    """Every fifth image of each class for the test; of them all, where classes have fewer."""
    if len(split.x) != len(split.y):
        raise UserError(f"{name}: {len(split.x)} pictures, but {len(split.y)} labels")
    place = _place_in_class(split.y)
    if place.max(initial=0) < _TEST_SHARE - 1:
        place = np.arange(len(split))
    held = place % _TEST_SHARE == _TEST_SHARE - 1
    if len(split) and not held.any():
        few = f"{len(split)} pictures are too few to hold back every fifth for the test"
        raise UserError(f"{name}: {few}")
    return Split(split.x[~held], split.y[~held]), Split(split.x[held], split.y[held])


def _place_in_class(y: Targets) -> NDArray[np.int64]:
    """The place of each image among those of its class; among all where targets are no classes."""
    place = np.arange(len(y))
    if y.dtype.kind != "f" and y.ndim == 1:
        for label in np.unique(y):
            mine = np.flatnonzero(y == label)
            place[mine] = np.arange(len(mine))
    return place
