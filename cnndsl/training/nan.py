"""Where a loss that is not a number began: the first layer whose output is not finite."""

from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.backend.inference import InferenceEmitter, write_layers
from cnndsl.backend.step import StepOptions
from cnndsl.graph.export import export
from cnndsl.graph.tape import Tape
from cnndsl.ir import Model
from cnndsl.runtime.session import open_session
from cnndsl.source import UserError
from cnndsl.weights.base import Weights

_OUTPUT = "in the output of"


def all_finite(tensors: Mapping[str, NDArray[Any]]) -> bool:
    """Whether every number of every tensor is one."""
    return all(bool(np.isfinite(array).all()) for array in tensors.values())


def where_it_began(
    model: Model, before: Weights, after: Mapping[str, NDArray[Any]], x: NDArray[np.float32],
    largest: float = inf,
) -> str:  # fmt: skip
    """A phrase naming the layer: by its output on the batch, else by its new weights.

    An output beyond the `largest` number of the step's type is none there.
    """
    for name, array in before.items():
        if not np.isfinite(array).all():
            return f"in the weights of {_place(model, name.rpartition('.')[0])}"
    tape = Tape()
    values = write_layers(
        model, InferenceEmitter(tape, before), tape.input("input", ("N", *model.input))
    )
    for i, value in enumerate(values[1:], 1):
        tape.outputs[f"node_{i}"] = value
    session = open_session(export(tape, "probe").SerializeToString(), "cpu")
    outputs = dict(zip(tape.outputs, session.run(None, {"input": x}), strict=True))
    for i, node in enumerate(model.nodes[1:], 1):
        output = outputs[f"node_{i}"]
        if not np.isfinite(output).all() or np.abs(output).max() > largest:
            return f"{_OUTPUT} {_place(model, node.path)}"
    for name, array in after.items():
        if not np.isfinite(array).all():
            return f"in the gradient of {_place(model, name.rpartition('.')[0])}"
    return "in the loss itself"


def where_on_ranks(places: Sequence[str]) -> str:
    """Of what the ranks of a run found, each in its own images, that which says most."""
    if len(places) > 1:
        for rank, place in enumerate(places):
            if place.startswith(_OUTPUT):
                return f"{place} on rank {rank}"
    return places[0]


def _place(model: Model, path: str) -> str:
    node = next(node for node in model.nodes if node.path == path)
    return f"`{path}` (`{' '.join(node.span.text.split())}`, line {node.line})"


def broken(told: str, kept: str, run: Path, advice: str = "") -> UserError:
    """The error of a run whose numbers stopped being some; `kept` says which weights it has.

    `advice` is what may help besides.
    """
    return UserError(
        f"{told}\n  the weights {kept} are in {run / 'weights' / 'last.safetensors'}\n"
        "  lower the learning rate, add `bn`, or clip the gradient: `clip 1.0` in `train`"
        + (f"\n  {advice}" if advice else "")
    )


def normalised(images: NDArray[Any], options: StepOptions) -> NDArray[np.float32]:
    """Images as the layers of a step see them: those of uint8 are normalised in its graph."""
    if images.dtype != np.uint8:
        return np.asarray(images, np.float32)
    mean, std = (np.reshape(v, (-1, 1, 1)) for v in (options.mean, options.std))
    return np.asarray((images / 255.0 - mean) / std, np.float32)
