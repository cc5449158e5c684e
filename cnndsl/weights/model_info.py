"""What tensors alone do not say: how images are normalised, and how the classes are called.

It stands in the metadata: of weights as one text, of ONNX files as an entry each.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np

from cnndsl.source import UserError

Numbers = float | Sequence[float]


@dataclass(frozen=True)
class ModelInfo:
    """Preprocessing and classes: images in 0…1 less `mean`, over `std`.

    Both are one number, or one a channel.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    classes: tuple[str, ...] = ()

    def updated(
        self,
        mean: Numbers | None = None,
        std: Numbers | None = None,
        classes: Sequence[str] | None = None,
    ) -> "ModelInfo":
        """With other values where some are given."""
        changes: dict[str, Any] = {} if mean is None else {"mean": _numbers(mean)}
        changes |= {} if std is None else {"std": _numbers(std)}
        changes |= {} if classes is None else {"classes": tuple(map(str, classes))}
        return replace(self, **changes)

    def check(self, channels: int, outputs: int) -> None:
        """UserError for numbers that normalise nothing, or names that are not one an output."""
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) not in (1, channels):
                raise UserError(f"{name}: give one number, or {channels}, not {len(numbers)}")
            if not all(isfinite(n) for n in numbers):
                raise UserError(f"{name}: give numbers, not infinity or NaN")
        if min(self.std) < 1e-12:
            raise UserError("std: it is divided by, and so more than zero")
        if self.classes and len(self.classes) != outputs:
            have = f"{len(self.classes)} names for {outputs} outputs"
            raise UserError(f"classes: {have}; give one name for each")

    def onnx_metadata(self) -> dict[str, str]:
        """Entries of an ONNX file, without those at their defaults; see `info_from_onnx`."""
        preprocessing = replace(self, classes=())
        entries = dict[str, str]()
        if preprocessing != ModelInfo():
            entries["cnndsl_normalisation"] = preprocessing.to_json()
        if self.classes:
            entries["cnndsl_classes"] = json.dumps(self.classes)
        return entries

    def to_json(self) -> str:
        """One text, as it stands in the metadata of weights; see `info_from_json`."""
        named = {"classes": self.classes} if self.classes else {}
        return json.dumps({"mean": self.mean, "std": self.std, **named})


def info_from_json(text: str, origin: str) -> ModelInfo:
    """What `ModelInfo.to_json` wrote; the defaults where it is empty. UserError for no JSON of
    such numbers.
    """
    try:
        values: dict[str, Any] = json.loads(text) if text else {"mean": 0.0, "std": 1.0}
        return ModelInfo().updated(values["mean"], values["std"], values.get("classes", ()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"{origin}: its normalisation cannot be read from the metadata: {error}"
        raise UserError(message) from None


def info_from_onnx(entries: Mapping[str, str], origin: str) -> ModelInfo:
    """What the metadata of an ONNX file say."""
    info = info_from_json(entries.get("cnndsl_normalisation", ""), origin)
    try:
        return info.updated(classes=json.loads(entries.get("cnndsl_classes", "[]")))
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{origin}: its metadata cannot be read: {error}") from None


def _numbers(values: Any) -> tuple[float, ...]:
    """One number or several, also those of NumPy."""
    return tuple(np.ravel(np.asarray(values, np.float64)).tolist())
