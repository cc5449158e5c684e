"""Helpers of the tests of training: a spec's step on onnxruntime, step by step."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from cnndsl.api import parse
from cnndsl.backend.pipelines import training_step
from cnndsl.backend.step import OPSET, Step, StepOptions
from cnndsl.graph.export import export
from cnndsl.ir import Model
from cnndsl.recipe import Recipe

Array = NDArray[Any]
Arrays = dict[str, Array]


@dataclass
class Run:
    """A step graph in a session, with its state in the step's layout."""

    model: Model
    step: Step
    state: Arrays
    dtype: str

    def __post_init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        graph = export(self.step.tape, "step", OPSET).SerializeToString()
        self._session = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )
        self._wanted = {i.name for i in self._session.get_inputs()}
        self._names = [o.name for o in self._session.get_outputs()]

    def __call__(self, x: Array, y: Array, lr: float = 0.1, **randoms: Array) -> Arrays:
        """One step: all outputs by name; the state goes on. float64 takes targets, not classes."""
        if self.dtype == "float64":
            y = np.eye(next(iter(self.model.output_shapes().values()))[0])[y]
        feed = {**self.state, "x": x, "y": y, "lr": np.array(lr, self.dtype), **randoms}
        found = self._session.run(
            self._names, {n: np.asarray(a) for n, a in feed.items() if n in self._wanted}
        )
        outputs = dict(zip(self._names, found, strict=True))
        self.state |= {n.removesuffix(".new"): a for n, a in outputs.items() if ".new" in n}
        return outputs

    def weights(self, slot: str | None = None) -> Arrays:
        """The model's tensors now, in ONNX's layout."""
        found = self.step.weights(self.state, slot)
        return {name: found[name] for name in self.model.tensors()}


def step_of(
    text: str, recipe: Recipe, batch: int, dtype: str = "float32", weights: Any = None, **how: Any
) -> Run:
    """The step of a spec from random (or given) weights."""
    model = parse(text).ir
    exact = dtype == "float64"  # onnxruntime has no OneHot of float64
    options = StepOptions(batch, dtype=dtype, fast=not exact, soft=exact, **how)
    step = training_step(model, recipe, options)
    state = step.initial_state(weights or random_weights(model))
    return Run(model, step, {n: np.asarray(a, dtype) for n, a in state.items()}, dtype)


def random_weights(model: Model, seed: int = 0) -> Arrays:
    """Tensors as layers of that width have them; positive variances."""
    rng = np.random.default_rng(seed)
    return {
        n: rng.uniform(0.5, 1.5, p.shape)
        if n.endswith("running_var")
        else rng.normal(0, max(prod(p.shape[1:]), 10) ** -0.5, p.shape)
        for n, p in model.tensors().items()
    }
