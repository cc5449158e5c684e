"""Helpers of the tests: a spec on onnxruntime, with tensors of our choice."""

from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto

import cnndsl

Arrays = dict[str, NDArray[np.float32]]


def session(model: ModelProto) -> onnxruntime.InferenceSession:
    """Two threads, the CPU, no chatter."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def run(model: ModelProto, x: NDArray[np.generic]) -> Arrays:
    """Every output by its name."""
    ready = session(model)
    names = [output.name for output in ready.get_outputs()]
    return dict(zip(names, ready.run(names, {"input": x}), strict=True))


def random_tensors(model: cnndsl.Model, seed: int = 0) -> Arrays:
    """Tensors as a trained model has them: no zeros, no ones, positive variances."""
    rng = np.random.default_rng(seed)
    return {name: _random_tensor(rng, name, p.shape) for name, p in model.ir.tensors().items()}


def _random_tensor(
    rng: np.random.Generator, name: str, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    if name.endswith("running_var"):
        return rng.uniform(0.5, 2.0, shape).astype(np.float32)
    return rng.normal(0.1, max(0.1, prod(shape[1:]) ** -0.5), shape).astype(np.float32)


def random_array(*shape: int, seed: int = 1) -> NDArray[np.float32]:
    """Standard normal values."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def random_input(model: cnndsl.Model, batch: int = 2, seed: int = 1) -> NDArray[np.float32]:
    """Standard normal pictures."""
    return random_array(batch, *model.input, seed=seed)


def error(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """Largest difference, relative to the largest value."""
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max() / max(1e-30, np.abs(theirs).max()))


def largest_error(ours: Mapping[str, NDArray[np.float32]], theirs: Arrays) -> float:
    """Largest difference over all outputs, relative to the largest value where that is above 1."""
    assert list(ours) == list(theirs)
    return max(
        error(ours[name], theirs[name]) * min(1.0, float(np.abs(theirs[name]).max()))
        for name in theirs
    )


def arrays_of(path: Path) -> dict[str, NDArray[np.generic]]:
    """All arrays of an `.npz` file."""
    with np.load(path) as file:
        return dict(file)
