"""`shapes_regression`: a count and a position, for regression."""

from functools import partial

import numpy as np

from cnndsl.data.dataset import Parts, Split
from cnndsl.data.formats.base import Format, Request
from cnndsl.data.formats.shapes import Grid

NAMES, UNITS = ("dots", "x", "y"), ("", "px", "px")
_SIDE, _GRID, _MOST = 32, 4, 6
_COUNTS = {"train": (5_000, 5), "test": (1_000, 6)}  # images and random stream


class ShapesRegression(Format, name="shapes_regression"):
    """5,000 training and 1,000 test images of 3×32×32, the same on every machine.

    An image shows up to six bright dots and a dark disc. The numbers are how many dots there are,
    and where the middle of the disc is, in pixels from the left and from the top.
    """

    def load(self, request: Request) -> Parts:
        """Drawn on demand; nothing is read."""
        splits = {part: partial(_split, *how) for part, how in _COUNTS.items()}
        return Parts(self.name, NAMES, splits, "regression", UNITS)


def _split(count: int, stream: int) -> Split:
    rng = np.random.Generator(np.random.Philox(key=stream))
    down, right = np.mgrid[:_SIDE, :_SIDE] + 0.5
    image: Grid = np.ones((count, 3, _SIDE, _SIDE)) * rng.uniform(90, 150, (count, 3, 1, 1))
    middle = rng.uniform(6, _SIDE - 6, (2, count, 1, 1))
    disc = np.hypot(right - middle[0], down - middle[1]) < rng.uniform(4, 5.5, (count, 1, 1))
    image = np.where(disc[:, None], rng.uniform(0, 50, (count, 3, 1, 1)), image)
    dots = rng.integers(0, _MOST + 1, count)
    cells = rng.permuted(np.tile(np.arange(_GRID**2), (count, 1)), axis=1)
    for i in range(_MOST):
        place = _within(cells[:, i], rng)
        dot = np.hypot(right - place[0], down - place[1]) < 1.6
        dot &= (i < dots)[:, None, None]
        image = np.where(dot[:, None], rng.uniform(215, 255, (count, 3, 1, 1)), image)
    noise = rng.normal(0, 10, image.shape)
    x = np.clip(image + noise, 0, 255).astype(np.uint8)
    y = np.stack([dots, middle[0].ravel(), middle[1].ravel()], axis=1)
    return Split(x, y.astype(np.float32))


def _within(cell: Grid, rng: np.random.Generator) -> Grid:
    """A place in a cell of a grid, 2 pixels from its border: x and y."""
    side = _SIDE / _GRID
    corner = np.stack([cell % _GRID, cell // _GRID]) * side
    return (corner + rng.uniform(2, side - 2, corner.shape))[..., None, None]
