"""`shapes`: ten classes of drawn pictures, so that training runs with no network at all.

Synthetic and easy; its accuracies say nothing about photographs.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cnndsl.data.dataset import Dataset, Images, Parts, Split
from cnndsl.data.formats.base import Format, Request
from cnndsl.data.splits import for_training

CLASSES = (
    "disc", "ring", "square", "frame", "triangle", "cross", "plus", "stripes", "dots", "diamond",
)  # fmt: skip
_SIDE = 32
_COUNTS = {"train": (5_000, 1), "test": (1_000, 2)}  # pictures and random stream
Grid = NDArray[np.float64]


class Shapes(Format, name="shapes"):
    """5,000 training and 1,000 test pictures of 3×32×32, the same on every machine."""

    def load(self, request: Request) -> Parts:
        """Drawn on demand; nothing is read."""
        return _parts()


def load() -> Dataset:
    """The data set, whatever a model takes."""
    return for_training(_parts())


def _parts() -> Parts:
    splits = {part: partial(_split, *how) for part, how in _COUNTS.items()}
    return Parts("shapes", CLASSES, splits)


def _split(count: int, stream: int) -> Split:
    rng = np.random.Generator(np.random.Philox(key=stream))
    y = np.arange(count) % len(CLASSES)
    rng.shuffle(y)
    return Split(_draw(y, rng), y.astype(np.int64))


def _draw(y: NDArray[np.int64], rng: np.random.Generator) -> Images:
    """Each shape at its own place, size, angle and colour, on a noisy background."""
    n = len(y)
    inside = placed(y, CLASSES, _SIDE, (12, 20), (6, 11), rng)
    paper, colour = rng.uniform(0, 255, (2, n, 3, 1, 1))
    noise = rng.normal(0, 20, (n, 3, _SIDE, _SIDE))
    image = np.where(inside[:, None], ink(colour, paper), paper) + noise
    return np.clip(image, 0, 255).astype(np.uint8)


def placed(
    label: NDArray[np.int64], names: Sequence[str], side: int,
    middles: tuple[float, float], radii: tuple[float, float], rng: np.random.Generator,
) -> NDArray[np.bool_]:  # fmt: skip
    """The pixels of one shape an image, each at its own place, size and angle: N×side×side.

    A label is the place of the shape among the names; where it is −1 there is none.
    """
    n = len(label)
    down, right = np.mgrid[:side, :side] + 0.5
    centre = rng.uniform(*middles, (2, n, 1, 1))
    radius, angle = rng.uniform(*radii, (n, 1, 1)), rng.uniform(-0.35, 0.35, (n, 1, 1))
    u, v = (right - centre[0]) / radius, (down - centre[1]) / radius
    x, z = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
    drawn: dict[str, NDArray[np.bool_]] = dict(zip(CLASSES, _masks(x, z), strict=True))
    inside = np.zeros((n, side, side), bool)
    for i, name in enumerate(names):
        inside[label == i] = drawn[name][label == i]
    return inside


def ink(colour: Grid, paper: Grid) -> Grid:
    """The colour, or where it is hardly seen on the paper another one."""
    return np.where(np.abs(colour - paper) < 64, (paper + 128) % 256, colour)


def _masks(x: Grid, z: Grid) -> list[NDArray[np.bool_]]:
    """What is inside of each class's shape, in the order of CLASSES; the shape spans −1…1."""
    r, box, tilt = np.hypot(x, z), np.maximum(abs(x), abs(z)), abs(x) + abs(z)
    wide = np.minimum(abs(x), abs(z)) < 0.25
    return [
        r < 0.9,
        (r < 1) & (r > 0.6),
        box < 0.8,
        (box < 0.9) & (box > 0.55),
        (z > -0.8) & (z < 0.8) & (abs(x) < (z + 0.8) / 1.7),
        (np.minimum(abs(x - z), abs(x + z)) < 0.35) & (box < 0.9),
        wide & (box < 0.95),
        (box < 0.9) & (np.floor(z * 3) % 2 == 0),
        (box < 0.95) & (np.hypot((x * 2) % 1 - 0.5, (z * 2) % 1 - 0.5) < 0.32),
        tilt < 1,
    ]
