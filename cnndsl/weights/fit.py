"""Tensors for a model: each that it has, in float32, of its shape, and none besides."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.ir import Model
from cnndsl.source import UserError, printable
from cnndsl.weights import read_raw
from cnndsl.weights.match import arranged, match
from cnndsl.weights.model_info import ModelInfo
from cnndsl.weights.name_map import read_map

Tensors = dict[str, NDArray[np.float32]]
_SHOWN = 5


@dataclass(frozen=True)
class ModelWeights:
    """The tensors of a model by name, with their preprocessing and classes.

    `notes` says how they were found, where that is not by the model's own names, and what of the
    file was left out.
    """

    tensors: Tensors
    info: ModelInfo
    notes: tuple[str, ...] = ()


def read_weights(path: Path, model: Model, name_map: Path | None = None) -> ModelWeights:
    """A weights file of any format, fitting the model; UserError says what does not fit."""
    raw = read_raw(path)
    found = match(raw, model, str(path), name_map and read_map(name_map))
    tensors = fit_weights(arranged(raw, found, model), model, str(path))
    return ModelWeights(tensors, raw.info, (*raw.notes, *found.notes))


def load_weights(path: Path, model: Model, name_map: Path | None = None) -> ModelWeights:
    """As `read_weights`, and tell on stderr how they were found and what was left out."""
    weights = read_weights(path, model, name_map)
    for note in weights.notes:
        print(printable(f"{path}: {note}"), file=sys.stderr)
    return weights


def as_weights(arrays: Mapping[str, Any], model: Model) -> Tensors:
    """Arrays, or what NumPy makes arrays of, that fit the model; UserError as `fit_weights`."""
    tensors = {name: np.asarray(value) for name, value in arrays.items()}
    return fit_weights(tensors, model, "the given weights")


def fit_weights(tensors: Mapping[str, NDArray[np.generic]], model: Model, origin: str) -> Tensors:
    """The tensors as float32; UserError for missing, surplus, misshapen or unusable ones."""
    wanted = model.tensors()
    problems = {
        "missing": [n for n in wanted if n not in tensors],
        "not in the model": [n for n in tensors if n not in wanted],
        "of another shape": [
            f"{n} is {_shape(tensors[n].shape)}, the model has {_shape(wanted[n].shape)}"
            for n in wanted
            if n in tensors and tensors[n].shape != wanted[n].shape
        ],
        "not float": [f"{n} is {t.dtype}" for n, t in tensors.items() if t.dtype.kind != "f"],
    }
    _refuse(origin, problems)
    with np.errstate(over="ignore"):  # what is too large for float32 is refused below
        fitted = {name: np.asarray(tensors[name], np.float32) for name in wanted}
    problems = {
        "not finite (NaN or infinity)": [n for n, t in fitted.items() if not np.isfinite(t).all()],
        "negative, as no variance is": [
            n for n, t in fitted.items() if n.endswith(".running_var") and (t < 0).any()
        ],
    }
    _refuse(origin, problems)
    return fitted


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a scalar"


def _refuse(origin: str, problems: Mapping[str, list[str]]) -> None:
    lines = list[str]()
    for what, names in problems.items():
        if names:
            shown = ", ".join(names[:_SHOWN])
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            lines.append(f"  {len(names)} {what}: {shown}{more}")
    if lines:
        hint = "tensor names are the paths of `cnndsl summary`, such as conv_1.weight"
        raise UserError("\n".join([f"{origin} does not fit the model", *lines, f"  {hint}"]))
