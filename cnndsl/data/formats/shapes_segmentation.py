"""`shapes_segmentation`: drawn shapes with their masks, for segmentation."""

from functools import partial

import numpy as np

from cnndsl.data.dataset import Parts, Split
from cnndsl.data.formats.base import Format, Request
from cnndsl.data.formats.shapes import Grid, ink, placed

NAMES = ("background", "disc", "square", "triangle", "cross")
_SIDE, _MOST = 64, 3
_COUNTS = {"train": (1_000, 7), "test": (200, 8)}  # images and random stream


class ShapesSegmentation(Format, name="shapes_segmentation"):
    """1,000 training and 200 test images of 3×64×64, the same on every machine.

    An image shows one to three shapes of four kinds, none before another; its mask says of each
    pixel which kind is there, or the background.
    """

    def load(self, request: Request) -> Parts:
        """Drawn on demand; nothing is read."""
        splits = {part: partial(_split, *how) for part, how in _COUNTS.items()}
        return Parts(self.name, NAMES, splits, "segmentation")


def _split(count: int, stream: int) -> Split:
    rng = np.random.Generator(np.random.Philox(key=stream))
    paper: Grid = rng.uniform(0, 255, (count, 3, 1, 1))
    image, mask = np.tile(paper, (1, 1, _SIDE, _SIDE)), np.zeros((count, _SIDE, _SIDE), np.uint8)
    for i in range(_MOST):
        label = rng.integers(1, len(NAMES), count)
        inside = placed(label - 1, NAMES[1:], _SIDE, (12, _SIDE - 12), (9, 15), rng)
        is_free = ~(inside & (mask > 0)).any((1, 2))
        inside &= (is_free & (rng.random(count) < 1 / (1 + i / 2)))[:, None, None]
        colour: Grid = rng.uniform(0, 255, (count, 3, 1, 1))
        image = np.where(inside[:, None], ink(colour, paper), image)
        mask = np.where(inside, label[:, None, None].astype(np.uint8), mask)
    image += rng.normal(0, 20, image.shape)
    return Split(np.clip(image, 0, 255).astype(np.uint8), mask)
