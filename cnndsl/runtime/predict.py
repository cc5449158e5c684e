"""A compiled model on images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from cnndsl.argument_types import WrongType, shown
from cnndsl.results import Answer
from cnndsl.runtime.batches import as_type, filled, joined, single
from cnndsl.runtime.foreign import checked, is_channels_last, load_checked
from cnndsl.runtime.image_files import image_files
from cnndsl.runtime.images import is_pillow_image, read_array, read_picture
from cnndsl.runtime.outputs import Output, Scale, main_output
from cnndsl.runtime.session import Session, open_session
from cnndsl.source import UserError, counted, either
from cnndsl.tasks import Task, usual
from cnndsl.tasks import registry as tasks
from cnndsl.weights.model_info import ModelInfo, info_from_onnx, onnx_entries
from cnndsl.weights.preprocess import prepared

if TYPE_CHECKING:
    from onnx import ModelProto
    from PIL.Image import Image


LAYOUTS = ("nchw", "nhwc")
_UNTOLD = (
    "the model tells of no preprocessing: it gets images in 0…1; --mean and --std, or --preprocess,"
    " change them"
)
_TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class Reading:
    """How a model is read where its metadata do not tell, or tell otherwise; None: as they say.

    `layout` is `nchw` or `nhwc`; images in 0…1 are given less `mean`, over `std`; `output` names
    the output with the scores. `preprocess` is a known way by its name, see `weights.preprocess`.
    """

    mean: Sequence[float] | float | None = None
    std: Sequence[float] | float | None = None
    layout: str | None = None
    output: str | None = None
    preprocess: str | None = None


@dataclass(frozen=True)
class Predictor:
    """An open model with what its metadata tell: preprocessing, class names and task."""

    session: Session
    uint8: bool
    shape: tuple[int, ...]  # channels, height, width; or features
    info: ModelInfo
    output: Output
    channels_last: bool  # whether an image is height, width, channels
    note: str | None = None  # what is taken for granted

    @cached_property
    def mean(self) -> NDArray[np.float32]:
        """Of pixels in 0…1: one number, or one a channel."""
        return np.array(self.info.mean, np.float32)

    @cached_property
    def std(self) -> NDArray[np.float32]:
        """As `mean`."""
        return np.array(self.info.std, np.float32)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of classes, labels or numbers, if it has any."""
        return self.info.classes

    @property
    def task(self) -> Task | None:
        """None where the metadata do not tell."""
        return self.info.task

    @property
    def fixed_batch(self) -> int | None:
        """The number of images that the model takes at once; None where it takes any."""
        size = self.session.get_inputs()[0].shape[0]
        return size if isinstance(size, int) else None

    def picture(self, path: "Path | Image") -> NDArray[Any]:
        """A picture, a file or an image of pillow, or an `.npy` file as a batch of the input."""
        if isinstance(path, Path) and path.suffix == ".npy":
            return self.array(read_array(path), path)
        if len(self.shape) != 3:
            raise UserError(
                f"the model takes {counted(self.shape[0], 'feature')}, not pictures: give .npy"
            )
        channels, height, width = self.shape
        if channels not in (1, 3):
            raise UserError(f"pictures have 1 or 3 channels, the model takes {channels}: give .npy")
        return self.fed(read_picture(path, height, width, channels, self.info)[None])

    def batches(self, images: Any) -> Iterator[NDArray[Any]]:
        """Batches of the input: of a file, a folder, a pattern, an image of pillow, an array, or a
        list of such.

        WrongType for anything else.
        """
        if isinstance(images, str | Path):
            yield from map(self.picture, image_files([Path(images)]))
        elif is_pillow_image(images):
            yield self.picture(images)
        elif isinstance(images, list | tuple) and not _is_array(cast("Sequence[Any]", images)):
            if not images:
                raise UserError("pictures: none are given")
            for each in cast("Sequence[Any]", images):
                yield from self.batches(each)
        else:
            yield self.array(_array(images), "the array")

    def fed(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        """Pixels N×H×W×C as a batch of the model's input."""
        x = pixels if self.uint8 else (pixels.astype(np.float32) / 255 - self.mean) / self.std
        return np.ascontiguousarray(x if self.channels_last else x.transpose(0, 3, 1, 2))

    def stored(self, x: NDArray[np.uint8]) -> NDArray[Any]:
        """Images N×C×H×W of a data set, or vectors, as a batch of the model's input."""
        if x.ndim == 4:
            return self.fed(x.transpose(0, 2, 3, 1))
        return x if self.uint8 else x.astype(np.float32) / 255

    def array(self, array: NDArray[Any], origin: object) -> NDArray[Any]:
        """Numbers as a batch of the model's input; UserError names their origin."""
        channels, *size = self.shape
        wanted = (*size, channels) if self.channels_last else self.shape
        if array.shape == wanted:
            array = array[None]
        if array.shape[1:] != wanted:
            told = f"{origin} is {array.shape}, the model takes N x {wanted}"
            raise UserError(f"{told}{_way_to(wanted, array.shape[1:])}")
        if not len(array):
            raise UserError(f"{origin} holds no picture")
        if self.uint8 and array.dtype != np.uint8:
            raise UserError(f"{origin} is {array.dtype}, the model takes uint8 pictures, 0 to 255")
        if array.dtype.kind not in "fiub":
            raise UserError(f"{origin} is {array.dtype}, the model takes numbers")
        with np.errstate(over="ignore"):
            made = np.ascontiguousarray(array, np.uint8 if self.uint8 else np.float32)
        if not np.isfinite(made).all():
            raise UserError(f"{origin} holds NaN or infinity")
        return made

    def answers(self, batch: NDArray[Any], k: int) -> list[Answer]:
        """What the model says of each image: of many, at most k."""
        outputs = self.main(self.run(batch))
        task = self.task or self._told_by(outputs.shape)
        if task.width() not in (None, outputs.shape[1]):
            have = f"{task.width()} {task.nouns}, but gives {counted(outputs.shape[1], 'output')}"
            raise UserError(f"the model's metadata tell of {have}")
        return task.answers(self.logits(outputs), self.classes, k)

    def _told_by(self, shape: tuple[int, ...]) -> Task:
        """What a model does whose metadata do not tell it: classify, with one output a class."""
        is_vector = all(size == 1 for size in shape[2:])
        if is_vector and self.output.scale is Scale.SIGMOID:
            return tasks["multilabel"]()
        if is_vector and shape[1] > 1:
            return usual()
        shown = "×".join(["N", *map(str, shape[1:])])
        raise UserError(
            f"the model tells of no task, and its output `{self.output.name}` is {shown}:"
            " no scores of classes\n  "
            + either(
                "--raw prints the numbers themselves", "onnxruntime gives the numbers themselves"
            )
        )

    def run(self, batch: NDArray[Any]) -> list[NDArray[np.float32]]:
        """All outputs for a batch; UserError where the model cannot be run.

        A model of a fixed batch gets its pictures batch by batch, the last one filled up.
        """
        size = self.fixed_batch or len(batch)
        if len(batch) == size:
            return self._run(batch)
        parts = [self._run(filled(batch[i : i + size], size))
                 for i in range(0, len(batch), size)]  # fmt: skip
        return [joined(outputs, size, len(batch)) for outputs in zip(*parts, strict=True)]

    def _run(self, batch: NDArray[Any]) -> list[NDArray[np.float32]]:
        port = self.session.get_inputs()[0]
        given = as_type(batch, port.type)
        try:
            return [single(y) for y in self.session.run(None, {port.name: given})]
        except Exception as error:  # onnxruntime raises a dozen unrelated types
            raise UserError(f"onnxruntime cannot run the model: {error}") from None

    def main(self, outputs: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        """The main output: N×C, or more dimensions."""
        main: Any = outputs[self.output.index]
        if getattr(main, "ndim", 0) < 2 or main.dtype.kind != "f":  # it may be a list of maps
            raise UserError("the model's main output is not a row of scores for each picture")
        return main

    def logits(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Outputs as tasks take them: of probabilities the numbers that these are made of."""
        if self.output.scale is Scale.LOGITS:
            return outputs
        with np.errstate(divide="ignore"):
            chances = np.log(np.maximum(outputs, _TINY))
            if self.output.scale is Scale.SOFTMAX:
                return chances
            return chances - np.log(np.maximum(1 - outputs, _TINY))


def open_predictor(
    model: "Path | ModelProto", device: str = "auto", threads: int | None = None,
    reading: Reading | None = None,
) -> Predictor:  # fmt: skip
    """Check and open a model, a file or one in memory.

    UserError for what onnxruntime should not get, and where the main output is not clear.
    """
    reading = reading or Reading()
    if reading.layout not in (None, *LAYOUTS):
        raise UserError(f"layout: unknown `{reading.layout}`; give one of {', '.join(LAYOUTS)}")
    proto = load_checked(model) if isinstance(model, Path) else checked(model)
    name = str(model) if isinstance(model, Path) else "the model"
    info = info_from_onnx(onnx_entries(proto), name)
    info = prepared(info, reading.preprocess).updated(reading.mean, reading.std)
    output = main_output(proto, reading.output)
    session = open_session(proto.SerializeToString(), device, threads)
    first = session.get_inputs()[0]
    dims = tuple(d if isinstance(d, int) else 0 for d in first.shape[1:])
    uint8 = first.type == "tensor(uint8)"
    channels_last = len(dims) == 3 and (
        is_channels_last(dims, uint8) if reading.layout is None else reading.layout == "nhwc"
    )
    if channels_last:
        dims = (dims[-1], *dims[:-1])
    if len(dims) == 3:
        replace(info, classes=(), task=None).check(dims[0], 0)
    if uint8 and (reading.mean, reading.std, reading.preprocess) != (None, None, None):
        raise UserError(
            "the model takes uint8 images and normalises them itself: no mean, std or preprocess"
        )
    is_told = uint8 or proto.producer_name == "cnndsl" or info != ModelInfo()
    note = None if is_told or len(dims) != 3 else _UNTOLD
    return Predictor(session, uint8, dims, info, output, channels_last, note)


def _is_array(values: Sequence[Any]) -> bool:
    """Whether a list is one of numbers, or of lists of numbers."""
    first = values[0] if values else None
    return (
        _is_array(cast("Any", first)) if isinstance(first, list) else isinstance(first, int | float)
    )


def _array(value: Any) -> NDArray[Any]:
    """An array of numbers; WrongType for what is none."""
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError):
        array = np.array(None)
    if array.dtype.kind not in "fiub" or not array.ndim:
        raise WrongType(f"pictures: a file, an array or a list of such, not {shown(value)}")
    return array


def _way_to(wanted: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """How an array of images with its axes in another order is given."""
    if len(shape) == 3 and len(wanted) == 3:
        for order in ((1, 2, 0), (2, 0, 1)):
            if tuple(shape[i] for i in order) == wanted:
                axes = ", ".join(str(i + 1) for i in order)
                return f"\n  array.transpose(0, {axes}) has that shape"
    return ""
