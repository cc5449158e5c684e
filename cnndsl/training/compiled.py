"""A model ready to train: its step graph, its stepper, and the graph that validates it."""

import gc
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.backend.pipelines import split_step, training_step
from cnndsl.backend.step import OPSET, Step, StepOptions
from cnndsl.graph.cut import cut
from cnndsl.graph.export import export
from cnndsl.graph.tape import Tape
from cnndsl.ir import Model
from cnndsl.recipe import Recipe
from cnndsl.runtime.ranks import Ranks
from cnndsl.runtime.session import CPU, providers
from cnndsl.runtime.steppers.base import Arrays, Stepper
from cnndsl.runtime.steppers.fused import FusedStepper
from cnndsl.runtime.steppers.segments import SegmentGraph
from cnndsl.runtime.steppers.split import SplitStepper
from cnndsl.source import UserError, option
from cnndsl.training.batches import part_size
from cnndsl.training.memory import TooLarge, check_activations, check_step
from cnndsl.training.settings import Settings
from cnndsl.weights.base import Weights

_TRIALS = 4
_SLOW = 0.3  # seconds a step from which only one way is tried
_LONG, _MOST = 0.15, 12  # seconds and steps: fast steps are timed more often
_SMALLEST, _USUAL = 16, 32  # images of a micro-batch


@dataclass
class Compiled:
    """A step graph and what runs it."""

    step: Step
    stepper: Stepper
    options: StepOptions

    def kept(self) -> dict[str, Any]:
        """What a checkpoint keeps of the options."""
        o = self.options
        cut = {"micro_batches": o.micro_batches, "conv": o.plan.conv}
        return {**cut, "mean": o.mean, "std": o.std}

    def state(self) -> dict[str, NDArray[Any]]:
        """The whole state in ONNX's layout."""
        return self.step.from_packed(self.stepper.state())

    def go_on(self, weights: Weights, state: Arrays) -> None:
        """From a state in ONNX's layout; what it has not is as at the start, such as that of an
        optimizer that is new.
        """
        start = self.step.from_packed(self.step.initial_state(weights))
        found = {name: state.get(name, array) for name, array in start.items()}
        self.stepper.load(self.step.to_packed(found))

    def told(self) -> str:
        """How the step is computed, for the log."""
        algorithms = ", ".join(sorted(set(self.step.algorithms.values()))) or "none"
        each = self.options.batch // self.options.micro_batches
        return f"convolutions: {algorithms}; micro-batches of {each}"

    def random_shapes(self, batch: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """The step's random inputs for a whole batch, of which it may be a part."""
        shapes = ((v.name, tuple(int(d) for d in v.shape[1:])) for v in self.step.randoms)
        return tuple((name, (batch, *shape)) for name, shape in shapes)


def usual_options(
    recipe: Recipe, settings: Settings, mean: tuple[float, ...], std: tuple[float, ...], ranks: int
) -> StepOptions:
    """How a step of the recipe is computed where nothing is calibrated."""
    count, soft = settings.micro_batches or 1, bool(recipe.augment.mixup)
    return StepOptions(part_size(recipe, ranks), count, settings.plan, soft, mean, std)


def compile_step(
    model: Model, recipe: Recipe, options: StepOptions, weights: Weights, settings: Settings,
    ranks: Ranks | None = None,
) -> Compiled:  # fmt: skip
    """Build the step and open a session with its initial state; TooLarge where it will not fit.

    With `accumulate` or several `ranks` the batch of the `options` is a part of the recipe's.
    """
    on_cpu = _on_cpu(settings)
    if settings.cuda_graph and on_cpu:
        raise UserError(
            f"{option('cuda-graph', True)} is for CUDA, and this run is on the CPU: leave it out"
        )
    if not on_cpu:
        options = _with(options, plan=replace(options.plan, device="cuda"))
    if on_cpu:
        check_activations(model, options)
    if recipe.accumulate > 1 or (ranks is not None and ranks.size > 1):
        return _split(model, recipe, options, weights, settings, ranks)
    step = training_step(model, recipe, options)
    if on_cpu:
        check_step(model, step, options, weights)
    graph = _serialised(step.tape, model)
    state = step.initial_state(weights)
    device, threads = settings.device, settings.threads
    return Compiled(step, FusedStepper(graph, state, device, threads, settings.cuda_graph), options)


def compile_shared(
    model: Model, recipe: Recipe, options: StepOptions, calibrates: bool, weights: Weights,
    settings: Settings, ranks: Ranks, log: Callable[[str], None],
) -> Compiled:  # fmt: skip
    """The step by these options, or with the blocking that the first rank finds by trials."""
    if calibrates and ranks.rank == 0:
        best, trials = calibrate(model, recipe, options, weights, settings)
        for i, trial in enumerate(trials):
            log(f"calibration: {trial}{' (chosen)' if i == 0 else ''}")
        if ranks.size == 1:
            return best
        options = best.options
    return compile_step(model, recipe, ranks.share(options), weights, settings, ranks)


def _split(
    model: Model, recipe: Recipe, options: StepOptions, weights: Weights, settings: Settings,
    ranks: Ranks | None,
) -> Compiled:  # fmt: skip
    if providers(settings.device) != [CPU]:
        raise UserError("a batch in parts is computed on the CPU: give --device cpu")
    if settings.sync_bn and ranks is not None:
        options = _with(options, plan=replace(options.plan, ranks=ranks.size))
    step, apply = split_step(model, recipe, options)
    check_step(model, step, options, weights)
    gradient = [SegmentGraph(_serialised(s.tape, model), s.means) for s in cut(step.tape)]
    state, parts = step.initial_state(weights), recipe.accumulate
    update = _serialised(apply, model)
    stepper = SplitStepper(gradient, update, state, parts, settings.threads, ranks)
    return Compiled(step, stepper, options)


def _serialised(tape: Tape, model: Model) -> bytes:
    return export(tape, model.name, OPSET).SerializeToString()


def _on_cpu(settings: Settings) -> bool:
    return providers(settings.device) == [CPU]


@dataclass(frozen=True)
class Trial:
    """One candidate of the calibration and its median time, in milliseconds a step."""

    options: StepOptions
    ms: float

    def __str__(self) -> str:
        size = self.options.batch // self.options.micro_batches
        return f"micro-batches of {size}: {self.ms:.1f} ms"


def calibrate(
    model: Model, recipe: Recipe, options: StepOptions, weights: Weights, settings: Settings
) -> tuple[Compiled, list[Trial]]:
    """A few steps of each way to block for the cache: the fastest, ready to start, and all times.

    Slow steps are not tried twice: a second session costs more, in memory too, than it may win.
    """
    trials = list[Trial]()
    best: Compiled | None = None
    refused: TooLarge | None = None
    for candidate in _candidates(options) if _on_cpu(settings) else [options]:
        try:
            compiled = compile_step(model, recipe, candidate, weights, settings)
        except TooLarge as error:
            refused = error
            continue
        trials.append(Trial(candidate, _time(compiled)))
        if best is None or trials[-1].ms < min(t.ms for t in trials[:-1]):
            best = compiled
        del compiled
        gc.collect()  # the loser's threads go with it
        if trials[0].ms > 1e3 * _SLOW:
            break
    if best is None:
        raise refused or UserError("there is no way to compute this step")
    best.stepper.load(best.step.initial_state(weights))
    return best, sorted(trials, key=lambda t: t.ms)


def _candidates(options: StepOptions) -> list[StepOptions]:
    """The batch whole and in micro-batches, first what is usually fast and takes less memory."""
    batch = options.batch
    counts = [n for n in (1, 2, 4, 8) if batch % n == 0 and batch // n >= _SMALLEST]
    counts.sort(key=lambda n: abs(batch // n - _USUAL))
    return [_with(options, micro_batches=n) for n in counts or [1]]


def _with(options: StepOptions, **changes: Any) -> StepOptions:
    return StepOptions(**{**vars(options), **changes})


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


def sample_feed(compiled: Compiled) -> dict[str, NDArray[Any]]:
    """Random inputs of the step's shapes, for timing."""
    rng = np.random.default_rng(0)
    feed: dict[str, NDArray[Any]] = {"lr": np.array(1e-4, np.float32)}
    for value in compiled.step.tape.inputs:
        shape = tuple(int(d) for d in value.shape)
        if value.name == "y":
            share = 1 / shape[-1] if value.dtype == "float32" else 0
            feed["y"] = np.full(shape, share, value.dtype)
        elif value.name == "x" and value.dtype == "uint8":
            feed["x"] = rng.integers(0, 256, shape, np.uint8)
        elif value.name == "x" or value in compiled.step.randoms:
            feed[value.name] = rng.random(shape, np.float32)
    return feed
