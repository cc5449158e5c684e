"""Heat maps of any classifier: how much its answer loses where a part of the image is covered.

Source: Zeiler and Fergus, arXiv:1311.2901.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnndsl.runtime.outputs import Scale
from cnndsl.runtime.predict import Predictor

_PARTS = 8  # patches along a side, which overlap by half
_BATCH = 16  # covered images at once
_TINY = 1e-12

Patch = tuple[slice, slice]


@dataclass(frozen=True)
class Occlusion:
    """Covers patch by patch with the image's mean colour."""

    predictor: Predictor

    def heat(self, batch: NDArray[np.generic]) -> NDArray[np.float32]:
        """N×H×W in 0…1, for a batch of the model's input."""
        return np.stack([self._one(image) for image in batch])

    def _one(self, image: NDArray[np.generic]) -> NDArray[np.float32]:
        last = self.predictor.channels_last
        height, width = image.shape[:2] if last else image.shape[1:]
        patches = list(_patches(height, width))
        (whole,) = self._chances(image[None])
        answer = int(whole.argmax())
        lost, counts = np.zeros((2, height, width))
        for start in range(0, len(patches), _BATCH):
            part = patches[start : start + _BATCH]
            chances = self._chances(np.stack([_covered(image, patch, last) for patch in part]))
            for patch, chance in zip(part, chances[:, answer], strict=True):
                lost[patch] += max(0.0, float(whole[answer] - chance))
                counts[patch] += 1
        mean = lost / counts
        return (mean / max(mean.max(), _TINY)).astype(np.float32)

    def _chances(self, batch: NDArray[np.generic]) -> NDArray[np.float32]:
        """Probabilities N×C; of one output that is none, the number itself."""
        outputs = self.predictor.main(self.predictor.run(batch))
        rows = outputs.reshape(len(outputs), -1)
        if self.predictor.output.scale is not Scale.LOGITS or rows.shape[1] == 1:
            return rows
        exps = np.exp(rows - rows.max(1, keepdims=True))
        return exps / exps.sum(1, keepdims=True)


def _patches(height: int, width: int) -> Iterator[Patch]:
    """Squares that overlap by half and cover all."""
    side = max(2, round(max(height, width) / _PARTS))
    for top in range(0, height, side // 2):
        for left in range(0, width, side // 2):
            yield slice(top, min(top + side, height)), slice(left, min(left + side, width))


def _covered(image: NDArray[np.generic], patch: Patch, last: bool) -> NDArray[np.generic]:
    covered = image.copy()
    mean = image.mean((0, 1) if last else (1, 2)).astype(image.dtype)
    if last:
        covered[patch] = mean
    else:
        covered[(slice(None), *patch)] = mean[:, None, None]
    return covered
