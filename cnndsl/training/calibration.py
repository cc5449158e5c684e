"""Which way to compute a step is fastest on this machine: found by trials at the start of a run."""

import gc
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from time import perf_counter

import numpy as np

from cnndsl.backend.step import StepOptions, sees_whole_batch
from cnndsl.ir import Model
from cnndsl.recipe import Recipe
from cnndsl.runtime.ranks import Ranks
from cnndsl.source import UserError
from cnndsl.training.compiled import Compiled, compile_step, on_cpu, sample_feed
from cnndsl.training.memory import TooLarge
from cnndsl.training.settings import Settings
from cnndsl.weights.base import Weights

_TRIALS = 4
_SLOW = 0.3  # seconds a step from which only one way is tried
_SHORT = 0.005  # seconds a step below which replicas are not
_MOST_WEIGHTS = 2_000_000  # each replica has a copy, and updates it
_LONG, _MOST = 0.15, 12  # seconds and steps: fast steps are timed more often
_SMALLEST, _USUAL = 16, 32  # images of a micro-batch
_STEADY = 1.1  # how much slower replicas may be and are taken yet


def compile_shared(
    model: Model, recipe: Recipe, options: StepOptions, calibrates: bool, weights: Weights,
    settings: Settings, ranks: Ranks, log: Callable[[str], None],
) -> Compiled:  # fmt: skip
    """The step by these options, or with the blocking that the first rank finds by trials."""
    if calibrates and ranks.rank == 0:
        best, trials = calibrate(model, recipe, options, weights, settings, ranks.size > 1)
        for i, trial in enumerate(trials):
            log(f"calibration: {trial}{' (chosen)' if i == 0 else ''}")
        if ranks.size == 1:
            return best
        options = best.options
    return compile_step(model, recipe, ranks.share(options), weights, settings, ranks)


@dataclass(frozen=True)
class Trial:
    """One candidate of the calibration and its median time, in milliseconds a step."""

    options: StepOptions
    ms: float

    @property
    def cost(self) -> float:
        """What trials are compared by: their times, with something in favour of replicas.

        A machine moves threads between cores that are near and far; replicas are as fast on both.
        """
        return self.ms / (_STEADY if self.options.replicas > 1 else 1)

    def __str__(self) -> str:
        return f"{self.options.told()}: {self.ms:.1f} ms"


def calibrate(
    model: Model, recipe: Recipe, options: StepOptions, weights: Weights, settings: Settings,
    shared: bool = False,
) -> tuple[Compiled, list[Trial]]:  # fmt: skip
    """A few steps of each way: the one that costs least, ready to start, and all times.

    A step that is `shared` by processes has no replicas within one of them.
    """
    trials = list[Trial]()
    best: Compiled | None = None
    refused: TooLarge | None = None
    for candidate in _candidates(model, recipe, options, settings, shared):
        if trials and _suffices(trials[0].ms / 1e3, candidate):
            break
        try:
            compiled = compile_step(model, recipe, candidate, weights, settings)
        except TooLarge as error:
            refused = error
            continue
        trials.append(Trial(candidate, _time(compiled)))
        if best is None or trials[-1].cost < min(t.cost for t in trials[:-1]):
            best = compiled
        del compiled
        gc.collect()  # the loser's threads go with it
    if best is None:
        raise refused or UserError("there is no way to compute this step")
    best.stepper.load(best.step.initial_state(weights))
    return best, sorted(trials, key=lambda t: t.cost)


def _candidates(
    model: Model, recipe: Recipe, options: StepOptions, settings: Settings, shared: bool
) -> list[StepOptions]:
    """One graph of the batch, whole and in micro-batches, then replicas."""
    if not on_cpu(settings):
        return [options]
    whole = [replace(options, micro_batches=n) for n in _counts(options.batch)]
    if shared or not _can_win(model, recipe, options):
        return whole
    return whole + _replicas(options, settings.thread_count)


def _can_win(model: Model, recipe: Recipe, options: StepOptions) -> bool:
    """Whether replicas may: `bn` would exchange its means, and ranges of int8 would be of parts."""
    count = sum(prod(p.shape) for p in model.tensors().values())
    parts = recipe.accumulate > 1 or recipe.quantize or recipe.precision
    return not parts and count < _MOST_WEIGHTS and not sees_whole_batch(model, options.frozen)


def _suffices(seconds: float, candidate: StepOptions) -> bool:
    """Whether another trial costs more than it may win, that of a slow step in memory too."""
    return seconds > _SLOW or (candidate.replicas > 1 and seconds < _SHORT)


def _replicas(options: StepOptions, threads: int) -> list[StepOptions]:
    """Two replicas, and one a thread, where threads and images can be divided so."""
    batch = options.batch
    sizes = {
        n for n in (2, threads)
        if n > 1 and threads % n == 0 and batch % n == 0 and batch // n >= _SMALLEST
    }  # fmt: skip
    return [
        replace(options, replicas=n, micro_batches=_counts(batch // n)[0]) for n in sorted(sizes)
    ]


def _counts(batch: int) -> list[int]:
    """In how many micro-batches, first what is usually fast and takes less memory."""
    counts = [n for n in (1, 2, 4, 8) if batch % n == 0 and batch // n >= _SMALLEST]
    return sorted(counts, key=lambda n: abs(batch // n - _USUAL)) or [1]


def _time(compiled: Compiled) -> float:
    feed = sample_feed(compiled)
    times = list[float]()
    while len(times) < _TRIALS or (sum(times) < _LONG and len(times) < _MOST):
        start = perf_counter()
        compiled.stepper.step(feed)
        times.append(perf_counter() - start)
        if times[0] > _SLOW:
            break
    return float(np.median(times[1:] or times)) * 1e3
