"""Times of a model on this machine."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from cnndsl.backend.artifact import inference_model
from cnndsl.backend.inference import Options
from cnndsl.backend.step import StepOptions, freezing
from cnndsl.ir import Model
from cnndsl.lower.driver import Plan
from cnndsl.recipe import Recipe
from cnndsl.runtime.ranks import Ranks
from cnndsl.runtime.session import open_session
from cnndsl.runtime.steppers.split import SplitStepper
from cnndsl.training.batches import part_size
from cnndsl.training.calibration import calibrate, compile_shared
from cnndsl.training.compiled import sample_feed
from cnndsl.training.distributed import threads_of
from cnndsl.training.settings import Settings
from cnndsl.weights.base import Weights
from cnndsl.weights.fit import weights_named
from cnndsl.weights.initial import initial_weights


def bench(
    model: Model,
    recipe: Recipe,
    batch: int,
    device: str,
    threads: int | None,
    conv: str,
    steps: int,
) -> dict[str, Any]:
    """Milliseconds and pictures a second of training step and inference, medians of steps."""
    recipe = replace(recipe, accumulate=1)
    weights = _weights(model, recipe)
    settings = Settings(Path(), device, threads)
    options = StepOptions(batch, plan=Plan(conv), soft=bool(recipe.augment.mixup))
    options = freezing(options, model, recipe, weights)
    compiled, _ = calibrate(model, recipe, options, weights, settings)
    best = compiled.options
    feed = sample_feed(compiled)
    train = _median(lambda: compiled.stepper.step(feed), steps)
    graph = inference_model(model, weights, Options()).SerializeToString()
    session = open_session(graph, device, threads)
    x = {"input": np.random.default_rng(0).random((batch, *model.input), np.float32)}
    inference = _median(lambda: session.run(None, x), steps)
    return {
        "train": {
            "ms_per_step": train,
            "images_per_s": batch / train * 1e3,
            "micro_batch": best.micro_batch,
            "replicas": best.replicas,
            "algorithms": compiled.step.algorithms,
        },
        "inference": {"ms_per_batch": inference, "images_per_s": batch / inference * 1e3},
    }


def bench_shared(
    model: Model, recipe: Recipe, batch: int, threads: int | None, conv: str, steps: int,
    ranks: Ranks,
) -> dict[str, Any]:  # fmt: skip
    """The training step of a batch that all `ranks` share, and the exchange within it alone."""
    recipe = replace(recipe, accumulate=1, batch=batch)
    weights = _weights(model, recipe)
    settings = Settings(Path(), "cpu", threads or threads_of(ranks))
    part = part_size(recipe, ranks.size)
    options = StepOptions(part, plan=Plan(conv), soft=bool(recipe.augment.mixup))
    options = freezing(options, model, recipe, weights)
    compiled = compile_shared(
        model, recipe, options, True, weights, settings, ranks, lambda line: None
    )
    assert isinstance(compiled.stepper, SplitStepper)
    feed, message = sample_feed(compiled), compiled.stepper.message
    step = _median(lambda: compiled.stepper.step(feed), steps)
    exchange = _median(lambda: ranks.add(message), steps)
    return {
        "train": {
            "processes": ranks.size,
            "threads": settings.threads,
            "ms_per_step": step,
            "images_per_s": batch / step * 1e3,
            "ms_of_exchange": exchange,
            "bytes": message.nbytes,
            "micro_batch": compiled.options.micro_batch,
            "algorithms": compiled.step.algorithms,
        }
    }


def _weights(model: Model, recipe: Recipe) -> Weights:
    """Those that the recipe names, or fresh ones."""
    named = weights_named(model, recipe.weights, 0).tensors if recipe.weights else None
    return named or initial_weights(model)


def _median(run: Callable[[], object], steps: int) -> float:
    """Milliseconds, after a warm-up."""
    times = list[float]()
    for _ in range(steps + 2):
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return float(np.median(times[2:])) * 1e3
