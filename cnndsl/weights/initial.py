"""Fresh weights, drawn from a seed."""

from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from cnndsl.init import draw
from cnndsl.ir import Model


def initial_weights(model: Model, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Fresh tensors; each has its own random stream, so that a new layer changes no other."""
    return {
        name: draw(p.init, p.shape, p.fans, np.random.default_rng([seed, crc32(name.encode())]))
        for name, p in model.tensors().items()
    }
