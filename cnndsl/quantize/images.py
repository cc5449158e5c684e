"""The images that an int8 model is made of and judged by."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnndsl.data.dataset import Dataset, Split
from cnndsl.data.splits import held_out
from cnndsl.source import UserError, counted
from cnndsl.tasks import Task

COUNT = 512
"""Images to calibrate by, where nothing else is said."""
FEWEST = 16
"""Images of which ranges of activations can be told."""
_VALIDATION = 512


@dataclass(frozen=True, eq=False)
class Images:
    """Three parts that share no image: ranges come from `calibration`, N×C×H×W uint8, the choice
    between methods from `validation`, and the proof from `test`.
    """

    name: str
    calibration: NDArray[np.uint8]
    validation: Split
    test: Split
    task: Task
    names: tuple[str, ...]


def images_of(data: Dataset, task: Task, count: int) -> Images:
    """At most `count` training images to calibrate by, and some to choose by, spread over all.

    These are of `val` where the data have it, else every fifth of the training images. UserError
    where there are too few.
    """
    train, val = data.train, data.val
    if val is None and len(train) > 1:
        train, val = held_out(data.name, train)
    calibration = train.x[spread(len(train), count)]
    if val is None or len(calibration) < FEWEST:
        raise _too_few(data.name, len(data.train))
    chosen = spread(len(val), _VALIDATION)
    validation = Split(val.x[chosen], val.y[chosen])
    return Images(data.name, calibration, validation, data.test, task, data.names)


def _too_few(name: str, count: int) -> UserError:
    return UserError(
        f"{name}: {counted(count, 'training image')} {'is' if count == 1 else 'are'} too few "
        f"to calibrate int8 by\n"
        f"  at least {FEWEST * 5 // 4 + 1} are needed, some hundred are usual"
    )


def spread(count: int, most: int) -> NDArray[np.int64]:
    """Indices of at most so many images, evenly over all."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
