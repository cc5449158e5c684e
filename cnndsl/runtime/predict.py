"""A compiled model on images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.results import Answer
from cnndsl.runtime.foreign import load_checked
from cnndsl.runtime.images import read_array, read_picture
from cnndsl.runtime.session import Session, open_session
from cnndsl.source import UserError
from cnndsl.tasks import Task, usual
from cnndsl.weights.model_info import info_from_onnx


@dataclass(frozen=True)
class Predictor:
    """An open model with its normalisation and class names, if it has any."""

    session: Session
    uint8: bool
    shape: tuple[int, ...]  # channels, height, width; or features
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    classes: tuple[str, ...]
    task: Task

    def picture(self, path: Path) -> NDArray[Any]:
        """A picture or `.npy` file as one batch of the model's input."""
        if path.suffix == ".npy":
            return self.array(read_array(path), path)
        if len(self.shape) != 3:
            raise UserError(f"the model takes {self.shape[0]} features, not pictures: give .npy")
        channels, height, width = self.shape
        if channels not in (1, 3):
            raise UserError(f"pictures have 1 or 3 channels, the model takes {channels}: give .npy")
        pixels = read_picture(path, height, width, channels)[None]
        if self.uint8:
            return pixels
        scaled = (pixels.astype(np.float32) / 255 - self.mean) / self.std
        return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), np.float32)

    def array(self, array: NDArray[Any], origin: object) -> NDArray[Any]:
        """Numbers as a batch of the model's input; UserError names their origin."""
        channels, *size = self.shape
        wanted = (*size, channels) if self.uint8 else self.shape
        if array.shape == wanted:
            array = array[None]
        if array.shape[1:] != wanted:
            raise UserError(f"{origin}: is {array.shape}, the model takes N x {wanted}")
        if not len(array):
            raise UserError(f"{origin}: holds no picture")
        if self.uint8 and array.dtype != np.uint8:
            raise UserError(f"{origin}: is {array.dtype}, the model takes uint8 pictures, 0 to 255")
        if array.dtype.kind not in "fiub":
            raise UserError(f"{origin}: is {array.dtype}, the model takes numbers")
        with np.errstate(over="ignore"):
            made = np.ascontiguousarray(array, np.uint8 if self.uint8 else np.float32)
        if not np.isfinite(made).all():
            raise UserError(f"{origin}: holds NaN or infinity")
        return made

    def answers(self, batch: NDArray[Any], k: int) -> list[Answer]:
        """What the model says of each image: of many, at most k."""
        outputs = self.main(self.run(batch))
        if self.task.width() not in (None, outputs.shape[1]):
            have = f"{self.task.width()} {self.task.nouns}, but gives {outputs.shape[1]} outputs"
            raise UserError(f"the model's metadata tell of {have}")
        return self.task.answers(outputs, self.classes, k)

    def run(self, batch: NDArray[Any]) -> list[NDArray[np.float32]]:
        """All outputs for a batch; UserError where the model cannot be run.

        A model of a fixed batch gets its pictures batch by batch, the last one filled up.
        """
        first = self.session.get_inputs()[0]
        size = first.shape[0] if isinstance(first.shape[0], int) else len(batch)
        if len(batch) == size:
            return self._run(first.name, batch)
        parts = [self._run(first.name, _filled(batch[i : i + size], size))
                 for i in range(0, len(batch), size)]  # fmt: skip
        return [_joined(outputs, size, len(batch)) for outputs in zip(*parts, strict=True)]

    def _run(self, name: str, batch: NDArray[Any]) -> list[NDArray[np.float32]]:
        try:
            return self.session.run(None, {name: batch})
        except Exception as error:  # onnxruntime raises a dozen unrelated types
            raise UserError(f"onnxruntime cannot run the model: {error}") from None

    def main(self, outputs: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        """The main output, `output` or else the last: N×C, or more dimensions."""
        names = [port.name for port in self.session.get_outputs()]
        main: Any = outputs[names.index("output") if "output" in names else -1]
        if getattr(main, "ndim", 0) < 2 or main.dtype.kind != "f":  # it may be a list of maps
            raise UserError("the model's main output is no row of scores for each picture")
        return main


def open_predictor(path: Path, device: str = "auto", threads: int | None = None) -> Predictor:
    """Check and open a model."""
    model = load_checked(path)
    session = open_session(model.SerializeToString(), device, threads)
    entries = {p.key: p.value for p in model.metadata_props}
    first = session.get_inputs()[0]
    uint8 = first.type == "tensor(uint8)"
    dims = tuple(d if isinstance(d, int) else 0 for d in first.shape[1:])
    if uint8:
        dims = (dims[-1], *dims[:-1])
    info = info_from_onnx(entries, str(path))
    mean, std = (np.array(numbers, np.float32) for numbers in (info.mean, info.std))
    return Predictor(session, uint8, dims, mean, std, info.classes, info.task or usual())


def _filled(batch: NDArray[Any], size: int) -> NDArray[Any]:
    """A batch of a size; what is missing is zero."""
    return np.concatenate([batch, np.zeros((size - len(batch), *batch.shape[1:]), batch.dtype)])


def _joined(parts: Sequence[NDArray[Any]], size: int, count: int) -> NDArray[Any]:
    """An output of several batches, without what was filled up; one that is no batch, once."""
    first = parts[0]
    return np.concatenate(parts)[:count] if first.ndim and len(first) == size else first
