"""From the parts of a format to what is trained and what is measured on."""

import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cnndsl.data.dataset import Dataset, Parts, Split, Targets
from cnndsl.source import UserError, counted

_TEST_SHARE = 0.2


def for_training(parts: Parts, share: float | None = None, seed: int | None = None) -> Dataset:
    """Training and test images; a share of the former, a fifth by default, where there are no
    others.

    UserError for labels outside the classes, no images at all, and a share where there is a test.
    """
    if "train" not in parts.splits:
        raise UserError(f"{parts.name} has only images for the {next(iter(parts.splits))}\n"
                        "  training takes a folder that holds `train`, too")  # fmt: skip
    if parts.flaw:
        raise UserError(parts.flaw)
    if "test" in parts.splits and "val" in parts.splits:
        print(f"left out: {parts.name}/val: test is what is measured on", file=sys.stderr)
    part = _held_part(parts)
    if part and (share, seed) != (None, None):
        raise UserError(f"{parts.name}: `holdout` is for data without a part to measure on\n"
                        f"  leave it out: these have `{part}`")  # fmt: skip
    train = parts.splits["train"]()
    if part:
        test = parts.splits[part]()
    else:
        train, test = held_out(parts.name, train, share or _TEST_SHARE, seed)
    return _whole(parts, train, test, part)


def with_validation(parts: Parts, arranged: Callable[[Parts], Dataset] = for_training) -> Dataset:
    """As `arranged`; where there are both, `val` is kept beside `test`."""
    both = {"val", "test"} <= parts.splits.keys()
    others = {part: read for part, read in parts.splits.items() if part != "val" or not both}
    data = arranged(replace(parts, splits=others))
    if not both:
        return data
    val = parts.splits["val"]()
    _check_split("validation ", val, data)
    return replace(data, val=val)


def for_measuring(parts: Parts) -> Dataset:
    """All images of `test`, or else of `val`, or else all that there are, as both of its splits.

    UserError as `for_training`.
    """
    part = _held_part(parts) or "train"
    split = parts.splits[part]()
    part = part if len(parts.splits) > 1 else ""
    return _whole(parts, split, split, part)


def _whole(parts: Parts, train: Split, test: Split, part: str) -> Dataset:
    return checked(
        Dataset(
            parts.name, train, test, parts.names, parts.task, parts.units, part,
            column=parts.column,
        )
    )  # fmt: skip


def _held_part(parts: Parts) -> str:
    """The part that is measured on, where there is one."""
    return next((part for part in ("test", "val") if part in parts.splits), "")


def checked(data: Dataset) -> Dataset:
    """The data set; UserError for targets that the names do not cover, or no images at all."""
    name, train, test = data.name, data.train, data.test
    if train is test:
        _check_split("", train, data)
        return data
    for what, split in (("training", train), ("test", test)):
        _check_split(f"{what} ", split, data)
    if train.x.shape[1:] != test.x.shape[1:]:
        sizes = ("x".join(map(str, split.x.shape[1:])) for split in (test, train))
        raise UserError(f"{name}: test pictures are {next(sizes)}, training pictures {next(sizes)}")
    if (train.y.dtype, train.y.shape[1:]) != (test.y.dtype, test.y.shape[1:]):
        kinds = (f"{split.y.dtype} {split.y.shape[1:]}" for split in (test, train))
        raise UserError(f"{name}: test targets are {next(kinds)}, training targets {next(kinds)}")
    return data


def _check_split(what: str, split: Split, data: Dataset) -> None:
    if len(split) == 0:
        raise UserError(f"{data.name}: there are no {what}pictures")
    if len(split.x) != len(split.y):
        told = counted(len(split.x), f"{what}picture")
        raise UserError(f"{data.name}: {told}, but {counted(len(split.y), 'label')}")
    _check_targets(f"{data.name}: {what}picture", split.y, len(data.names))


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


def held_out(
    name: str, split: Split, share: float = _TEST_SHARE, seed: int | None = None
) -> tuple[Split, Split]:
    """A share of the images of each class for the test, but at least one of a class that has two.

    They are evenly spaced, every fifth; with a `seed` they are drawn by chance.
    """
    if len(split.x) != len(split.y):
        raise UserError(
            f"{name}: {counted(len(split.x), 'picture')}, but {counted(len(split.y), 'label')}"
        )
    held = np.zeros(len(split), bool)
    rng = None if seed is None else np.random.default_rng(seed)
    for images in _by_class(split.y):
        drawn = _share_of(images if rng is None else rng.permutation(images), share)
        held[drawn if len(drawn) else images[1:][-1:]] = True
    if len(split) and not held.any():
        few = f"too few to hold back {share:.3g} of them for the test"
        raise UserError(f"{name}: {counted(len(split), 'picture')}: {few}")
    train = Split(split.x[~held], split.y[~held], split.changes)
    return train, Split(split.x[held], split.y[held])


def _share_of(images: NDArray[np.intp], share: float) -> NDArray[np.intp]:
    """So many, evenly spaced: of a fifth the fifth, the tenth and so on."""
    ends = np.floor(np.arange(len(images) + 1) * share + 1e-9)
    return images[np.diff(ends) > 0]


def _by_class(y: Targets) -> list[NDArray[np.intp]]:
    """The images of each class; all together where targets are no classes, or no class has two."""
    if y.dtype.kind != "f" and y.ndim == 1:
        classes = [np.flatnonzero(y == label) for label in np.unique(y)]
        if len(classes) < len(y):
            return classes
    return [np.arange(len(y))]
