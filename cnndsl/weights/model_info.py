"""What tensors alone do not say: how images are normalised, what was learned, and its names.

It stands in the metadata: of weights as one text, of ONNX files as an entry each.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cnndsl.argument_types import WrongType, shown
from cnndsl.source import UserError, counted
from cnndsl.tasks import Task, task_from

if TYPE_CHECKING:
    from onnx import ModelProto

GROUNDS = {"white": (255, 255, 255), "black": (0, 0, 0), "gray": (128, 128, 128)}
"""Colours behind transparent pixels."""
RESAMPLE = {"bilinear": 2, "bicubic": 3}
"""Filters by which images are scaled, antialiased, with pillow's numbers for them."""
Numbers = float | Sequence[float]
_WHITE = 255


@dataclass(frozen=True)
class ModelInfo:
    """Preprocessing, names of classes (or labels, or numbers) and task.

    Images are taken in 0…1, less `mean`, over `std`: one number each, or one a channel. With `crop`
    the shorter side of a file is scaled, by `resample`, to the model's over `crop`, and the middle
    is cut out; without, as much of the middle as there is is scaled. Transparent pixels show the
    `ground`.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    classes: tuple[str, ...] = ()
    task: Task | None = None  # None: the usual one
    crop: float | None = None
    resample: str = "bilinear"
    ground: str = "white"
    ranges: Mapping[str, tuple[float, float]] = field(
        default_factory=dict[str, tuple[float, float]], hash=False
    )
    """Of activations, by the names of their values, where training rounded them to eight bits."""

    def updated(
        self,
        mean: Numbers | None = None,
        std: Numbers | None = None,
        classes: Sequence[str] | None = None,
        task: Task | None = None,
    ) -> "ModelInfo":
        """With other values where some are given."""
        changes: dict[str, Any] = {} if mean is None else {"mean": _numbers("mean", mean)}
        changes |= {} if std is None else {"std": _numbers("std", std)}
        changes |= {} if classes is None else {"classes": _names(classes)}
        changes |= {} if task is None or task.usual else {"task": task}
        return replace(self, **changes)

    @property
    def normalises(self) -> bool:
        """Whether a mean or a standard deviation is given."""
        return (self.mean, self.std) != (ModelInfo.mean, ModelInfo.std)

    def check(self, channels: int, outputs: int) -> None:
        """UserError for numbers that normalise nothing, or names that are not one an output."""
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) not in (1, channels):
                raise UserError(f"{name}: give one number, or {channels}, not {len(numbers)}")
            if not all(isfinite(n) for n in numbers):
                raise UserError(f"{name}: give numbers, not infinity or NaN")
        if min(self.std) < 1e-12:
            raise UserError("std: it is divided by, and so more than zero")
        wanted = self.task.outputs(self.classes) if self.task else len(self.classes)
        if self.classes and wanted != outputs:
            have = f"{counted(len(self.classes), 'name')} for {counted(outputs, 'output')}"
            raise UserError(f"classes: {have}; give one name for each")
        if self.task is not None and self.task.width() not in (None, outputs):
            have = f"{self.task.width()} {self.task.nouns}"
            raise UserError(f"`task {self.task.word}` was trained for {have}, not for {outputs}")

    def doubts(self) -> Iterator[str]:
        """What can hardly be meant: numbers of pixels in 0…255, and a name of several classes."""
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if any(n > 1 for n in numbers):
                of_pixels, ours = (",".join(f"{n:.6g}" for n in ns)
                                   for ns in (numbers, [n / 255 for n in numbers]))  # fmt: skip
                yield f"{name} {of_pixels}: images are in 0…1 here; of 0…255 it is {name} {ours}"
        counts = Counter(self.classes)
        for name in (name for name, count in counts.items() if count > 1):
            yield f"classes: {counts[name]} are called `{name}`"

    def onnx_metadata(self) -> dict[str, str]:
        """Entries of an ONNX file, without those at their defaults; see `info_from_onnx`."""
        preprocessing = replace(self, classes=(), task=None, ranges={})
        entries = dict[str, str]()
        if preprocessing != ModelInfo():
            entries["cnndsl_normalisation"] = preprocessing.to_json()
        if self.classes:
            entries["cnndsl_classes"] = json.dumps(self.classes)
        if self.task is not None:
            entries["cnndsl_task"] = json.dumps(self.task.facts())
        return entries

    def to_json(self) -> str:
        """One text, as it stands in the metadata of weights; see `info_from_json`."""
        return json.dumps(self.facts())

    def facts(self) -> dict[str, Any]:
        """The same as plain values, without classes and task where there are none."""
        others: dict[str, Any] = {"classes": self.classes} if self.classes else {}
        others |= {"task": self.task.facts()} if self.task is not None else {}
        others |= {"crop": self.crop, "resample": self.resample} if self.crop else {}
        others |= {"ground": self.ground} if self.ground != "white" else {}
        others |= {"ranges": dict(self.ranges)} if self.ranges else {}
        return {"mean": self.mean, "std": self.std, **others}


def of_pixels(weight: Any, bias: Any) -> ModelInfo:
    """The normalisation that weight · x + bias is of pixels in 0…255: here they are in 0…1."""
    std = 1 / (_WHITE * np.asarray(weight, np.float64))
    return ModelInfo(_shortest(-bias * std), _shortest(std))


def _shortest(values: Any) -> tuple[float, ...]:
    """One number where all are the same, as short as float32 needs it."""
    short = [float(str(np.float32(v))) + 0.0 for v in np.ravel(values)]
    return tuple(short[:1] if len(set(short)) == 1 else short)


def info_from_json(text: str, origin: str) -> ModelInfo:
    """What `ModelInfo.to_json` wrote; the defaults where it is empty. UserError for no JSON of
    such numbers.
    """
    try:
        values: dict[str, Any] = json.loads(text) if text else {"mean": 0.0, "std": 1.0}
        task = task_from(values["task"]) if "task" in values else None
        info = ModelInfo(
            crop=_crop(values), resample=_resample(values), ground=_ground(values),
            ranges=_ranges(values),
        )  # fmt: skip
        return info.updated(values["mean"], values["std"], values.get("classes", ()), task)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"{origin}: its normalisation cannot be read from the metadata: {error}"
        raise UserError(message) from None


def onnx_entries(model: "ModelProto") -> dict[str, str]:
    """The metadata of an ONNX file; see `info_from_onnx`."""
    return {entry.key: entry.value for entry in model.metadata_props}


def info_from_onnx(entries: Mapping[str, str], origin: str) -> ModelInfo:
    """What the metadata of an ONNX file say."""
    info = info_from_json(entries.get("cnndsl_normalisation", ""), origin)
    try:
        task = task_from(json.loads(entries["cnndsl_task"])) if "cnndsl_task" in entries else None
        return info.updated(classes=json.loads(entries.get("cnndsl_classes", "[]")), task=task)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{origin}: its metadata cannot be read: {error}") from None


def _crop(values: Mapping[str, Any]) -> float | None:
    """A share of the shorter side; ValueError for another number."""
    if "crop" not in values:
        return None
    share = float(values["crop"])
    if not 0.1 <= share <= 1:
        raise ValueError(f"crop is {share}, not a share of an image")
    return share


def _resample(values: Mapping[str, Any]) -> str:
    """A filter by its name; ValueError for one that is not known."""
    name = values.get("resample", "bilinear")
    if name not in RESAMPLE:
        raise ValueError(f"resample is {str(name)[:40]!r}, none of {', '.join(RESAMPLE)}")
    return name


def _ground(values: Mapping[str, Any]) -> str:
    """A colour by its name; ValueError for one that is not known."""
    name = values.get("ground", "white")
    if name not in GROUNDS:
        raise ValueError(f"ground is {str(name)[:40]!r}, none of {', '.join(GROUNDS)}")
    return name


def _ranges(values: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Least and largest value by name; ValueError for what are no two numbers in order."""
    stored = cast("dict[str, Any]", dict(values.get("ranges", {})))
    found = {str(name): (float(low), float(high)) for name, (low, high) in stored.items()}
    if not all(isfinite(low) and isfinite(high) and low <= high for low, high in found.values()):
        raise ValueError("ranges of activations are a least and a largest number")
    return found


def _numbers(name: str, values: Any) -> tuple[float, ...]:
    """One number or several, also those of NumPy; WrongType for anything else."""
    try:
        return tuple(np.ravel(np.asarray(values, np.float64)).tolist())
    except (ValueError, TypeError):
        told = f"{name}: a number, or one a channel, not {shown(values)}"
        raise WrongType(told) from None


def _names(values: Any) -> tuple[str, ...]:
    """Names; WrongType for one text or number."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise WrongType(f"classes: a list of names, not {shown(values)}")
    return tuple(map(str, cast("Iterable[Any]", values)))
