"""`shapes_multilabel`: several drawn shapes an image, for multi-label classification."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from cnndsl.data.dataset import Parts, Split
from cnndsl.data.formats.base import Format, Request
from cnndsl.data.formats.shapes import Grid, ink, placed

NAMES = ("disc", "ring", "square", "frame", "triangle", "cross")
_SIDE, _CELLS = 24, 2
_COUNTS = {"train": (4_000, 3), "test": (1_000, 4)}  # images and random stream
_EMPTY = 0.4  # share of the cells without a shape


class ShapesMultilabel(Format, name="shapes_multilabel"):
    """4,000 training and 1,000 test images of 3×48×48, the same on every machine.

    Each quarter of an image holds one of six shapes, or none; the labels say which are there.
    """

    def load(self, request: Request) -> Parts:
        """Drawn on demand; nothing is read."""
        splits = {part: partial(_split, *how) for part, how in _COUNTS.items()}
        return Parts(self.name, NAMES, splits, "multilabel")


def _split(count: int, stream: int) -> Split:
    rng = np.random.Generator(np.random.Philox(key=stream))
    paper: Grid = rng.uniform(0, 255, (count, 3, 1, 1))
    y = np.zeros((count, len(NAMES)), np.uint8)
    rows = list[Grid]()
    for _ in range(_CELLS):
        row = list[Grid]()
        for _ in range(_CELLS):
            label = rng.integers(0, len(NAMES), count)
            label[rng.random(count) < _EMPTY] = -1
            y[np.flatnonzero(label >= 0), label[label >= 0]] = 1
            row.append(_cell(label, paper, rng))
        rows.append(np.concatenate(row, 3))
    noise = rng.normal(0, 20, (count, 3, _CELLS * _SIDE, _CELLS * _SIDE))
    image = np.clip(np.concatenate(rows, 2) + noise, 0, 255)
    return Split(image.astype(np.uint8), y)


def _cell(label: NDArray[np.int64], paper: Grid, rng: np.random.Generator) -> Grid:
    """A quarter of each image, with the shape of its label; of none where it is −1."""
    inside = placed(label, NAMES, _SIDE, (10, 14), (6, 9), rng)
    colour: Grid = rng.uniform(0, 255, (len(label), 3, 1, 1))
    return np.where(inside[:, None], ink(colour, paper), paper)
