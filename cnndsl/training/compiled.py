"""A model ready to train: its step graph and its stepper."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from cnndsl.runtime.ranks import Alone, Ranks
from cnndsl.runtime.session import CPU, providers
from cnndsl.runtime.steppers.base import Arrays, Stepper
from cnndsl.runtime.steppers.fused import FusedStepper
from cnndsl.runtime.steppers.replicas import ReplicaStepper
from cnndsl.runtime.steppers.segments import SegmentGraph
from cnndsl.runtime.steppers.split import SplitStepper
from cnndsl.runtime.team import team
from cnndsl.source import UserError, option
from cnndsl.training.batches import part_size
from cnndsl.training.memory import check_activations, check_step
from cnndsl.training.settings import Settings
from cnndsl.weights.base import Weights


@dataclass
class Compiled:
    """A step graph and what runs it."""

    step: Step
    stepper: Stepper
    options: StepOptions

    def kept(self) -> dict[str, Any]:
        """What a checkpoint keeps of the options."""
        o = self.options
        cut = {"micro_batches": o.micro_batches, "replicas": o.replicas, "conv": o.plan.conv}
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
        return f"convolutions: {algorithms}; {self.options.told()}"

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

    With `accumulate` or several `ranks` the batch of the `options` is a part of the recipe's, and
    there are no replicas.
    """
    cpu = on_cpu(settings)
    if settings.cuda_graph and cpu:
        raise UserError(
            f"{option('cuda-graph', True)} is for CUDA, and this run is on the CPU: leave it out"
        )
    if cpu:
        check_activations(model, options)
    else:
        options = replace(options, replicas=1, plan=replace(options.plan, device="cuda"))
    shared = recipe.accumulate > 1 or (ranks is not None and ranks.size > 1)
    if not shared and 1 < options.replicas <= settings.thread_count:
        return _replicated(model, recipe, options, weights, settings)
    options = replace(options, replicas=1)
    if shared:
        return _split(model, recipe, options, weights, settings, ranks or Alone())
    step = training_step(model, recipe, options)
    if cpu:
        check_step(model, step, options, weights)
    graph = _serialised(step.tape, model)
    state = step.initial_state(weights)
    device, threads = settings.device, settings.threads
    return Compiled(step, FusedStepper(graph, state, device, threads, settings.cuda_graph), options)


def _split(
    model: Model, recipe: Recipe, options: StepOptions, weights: Weights, settings: Settings,
    ranks: Ranks,
) -> Compiled:  # fmt: skip
    if providers(settings.device) != [CPU]:
        raise UserError("a batch in parts is computed on the CPU: give --device cpu")
    if settings.sync_bn:
        options = replace(options, plan=replace(options.plan, ranks=ranks.size))
    parts, threads = recipe.accumulate, settings.threads
    step, (stepper,) = _steppers(model, recipe, options, weights, [ranks], parts, threads)
    return Compiled(step, stepper, options)


def _replicated(
    model: Model, recipe: Recipe, options: StepOptions, weights: Weights, settings: Settings
) -> Compiled:
    """Replicas that share the threads; `bn` sees the images of all."""
    size = options.replicas
    share, plan = options.batch // size, replace(options.plan, ranks=size)
    part = replace(options, batch=share, replicas=1, plan=plan)
    ranks, threads = team(size), settings.thread_count // size
    step, replicas = _steppers(model, recipe, part, weights, ranks, 1, threads)
    return Compiled(step, ReplicaStepper(replicas, ranks), options)


def _steppers(
    model: Model, recipe: Recipe, options: StepOptions, weights: Weights, ranks: Sequence[Ranks],
    parts: int, threads: int | None,
) -> tuple[Step, list[SplitStepper]]:  # fmt: skip
    """The step of a part of a batch, and its sessions for each of these ranks."""
    step, apply = split_step(model, recipe, options)
    check_step(model, step, options, weights)
    gradient = [SegmentGraph(_serialised(s.tape, model), s.means) for s in cut(step.tape)]
    state, update = step.initial_state(weights), _serialised(apply, model)
    return step, [SplitStepper(gradient, update, state, parts, threads, rank) for rank in ranks]


def _serialised(tape: Tape, model: Model) -> bytes:
    return export(tape, model.name, OPSET).SerializeToString()


def on_cpu(settings: Settings) -> bool:
    """Whether a step of theirs is computed on the CPU."""
    return providers(settings.device) == [CPU]


def sample_feed(compiled: Compiled) -> dict[str, NDArray[Any]]:
    """Random inputs of the step's shapes, for timing."""
    rng = np.random.default_rng(0)
    feed: dict[str, NDArray[Any]] = {"lr": np.array(1e-4, np.float32)}
    by_image = {"x", "y", *(value.name for value in compiled.step.randoms)}
    for value in compiled.step.tape.inputs:
        if value.name not in by_image:
            continue
        shape = (compiled.options.batch, *(int(d) for d in value.shape[1:]))
        if value.name == "y":
            share = 1 / shape[-1] if value.dtype == "float32" else 0
            feed["y"] = np.full(shape, share, value.dtype)
        elif value.dtype == "uint8":
            feed["x"] = rng.integers(0, 256, shape, np.uint8)
        else:
            feed[value.name] = rng.random(shape, np.float32)
    return feed
