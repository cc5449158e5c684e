"""Random numbers for some images of a batch: those that they have in the whole of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Size = int | tuple[int, ...]


@dataclass(frozen=True)
class OwnRows:
    """Draws for `count` images and gives the `rows` of some, as a generator of numpy would.

    A size is that of the own rows, images first. So what an image gets does not depend on which
    process changes it.
    """

    rng: np.random.Generator
    count: int
    rows: NDArray[np.intp]

    def random(self, size: Size) -> NDArray[np.float64]:
        """Uniform in 0…1."""
        return self.rng.random(self._whole(size))[self.rows]

    def uniform(self, low: float, high: float, size: Size) -> NDArray[np.float64]:
        """Uniform between two numbers."""
        return self.rng.uniform(low, high, self._whole(size))[self.rows]

    def integers(self, low: int, high: int, size: Size, dtype: Any = np.int64) -> NDArray[Any]:
        """Whole numbers from `low`, below `high`."""
        return self.rng.integers(low, high, self._whole(size), dtype)[self.rows]

    def _whole(self, size: Size) -> tuple[int, ...]:
        return (self.count, *(size[1:] if isinstance(size, tuple) else ()))


Rng = np.random.Generator | OwnRows
