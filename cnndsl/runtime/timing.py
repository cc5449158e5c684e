"""Milliseconds of a compiled model's runs."""

from time import perf_counter

import numpy as np

from cnndsl.runtime.predict import Predictor

_WARM = 3  # runs that are not timed


def run_times(predictor: Predictor, batch: int, steps: int) -> list[float]:
    """Milliseconds of each of `steps` runs on a batch of random images, after a warm-up."""
    shape = (batch, *predictor.shape)
    x = predictor.stored(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    times = list[float]()
    for _ in range(_WARM + steps):
        start = perf_counter()
        predictor.run(x)
        times.append((perf_counter() - start) * 1e3)
    return times[_WARM:]
