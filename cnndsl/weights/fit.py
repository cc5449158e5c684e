"""Tensors for a model: each that it has, in float32, of its shape, and none besides."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.finetune import Weights
from cnndsl.ir import Model
from cnndsl.learned import HEAD, named, tensors_of
from cnndsl.source import UserError, listed, printable
from cnndsl.weights import read_raw
from cnndsl.weights.base import RawWeights
from cnndsl.weights.initial import initial_weights
from cnndsl.weights.match import Match, arranged, match
from cnndsl.weights.model_info import ModelInfo
from cnndsl.weights.name_map import NameMap, read_map
from cnndsl.weights.preprocess import prepared
from cnndsl.weights.unsaid import differences

Tensors = dict[str, NDArray[np.float32]]
_GIVEN = "the given weights"
_SHOWN = 5
_NAMES = (
    "tensor names are the paths of `cnndsl summary`, such as conv_1.weight;\n"
    "  --map FILE gives others, and `cnndsl weights match --write-map` drafts it"
)


@dataclass(frozen=True)
class ModelWeights:
    """The tensors of a model by name, with their preprocessing and classes.

    `notes` says of the file how they were found, where that is not by the model's own names, and
    what was left out.
    """

    tensors: Tensors
    info: ModelInfo
    notes: tuple[str, ...] = ()


def read_weights(
    path: Path,
    model: Model,
    name_map: Path | None = None,
    fresh: Sequence[str] = (),
    seed: int = 0,
) -> ModelWeights:
    """A weights file of any format, fitting the model; UserError says what does not fit.

    Layers that the patterns `fresh` name start anew, drawn from `seed`.
    """
    raw = read_raw(path)
    anew = tensors_of(model, fresh, "fresh")
    known = name_map and read_map(name_map)
    try:
        found = match(raw, model, str(path), known, anew)
        tensors = _fitted(raw, found, model, str(path), anew, seed)
    except UserError as error:
        raise UserError(f"{error}{_head_hint(raw, model, known, fresh)}") from None
    unsaid = differences(raw, found.names, model)
    notes = (*raw.notes, *found.notes, *_started_anew(anew), *unsaid)
    return ModelWeights(tensors, raw.info, tuple(f"{path}: {note}" for note in notes))


def _fitted(
    raw: RawWeights, found: Match, model: Model, origin: str, anew: Sequence[str], seed: int = 0
) -> Tensors:
    """The tensors of a file, those `anew` drawn; UserError as `fit_weights`."""
    drawn = {n: t for n, t in initial_weights(model, seed).items() if n in anew} if anew else {}
    return fit_weights(arranged(raw, found, model) | drawn, model, origin)


def _started_anew(names: Iterable[str]) -> Iterator[str]:
    layers = dict.fromkeys(name.rpartition(".")[0] for name in names)
    if layers:
        yield f"{', '.join(f'`{layer}`' for layer in layers)} starts anew"


def _head_hint(
    raw: RawWeights, model: Model, name_map: NameMap | None, fresh: Sequence[str]
) -> str:
    """What helps where all but the last weighted layers fit."""
    if fresh:
        return ""
    head = named(model, HEAD)
    try:
        _fitted(raw, match(raw, model, "", name_map, head), model, "", head)
    except UserError:
        return ""
    return "\n  all but the last layers fit: in `train`, --fresh head lets these start anew"


def told(weights: ModelWeights) -> ModelWeights:
    """The weights themselves, once stderr has their notes."""
    for note in weights.notes:
        print(printable(note), file=sys.stderr)
    return weights


def weights_named(model: Model, chosen: Weights, seed: int) -> ModelWeights:
    """The weights that a recipe starts from, `told`."""
    name_map = Path(chosen.name_map) if chosen.name_map else None
    found = told(read_weights(Path(chosen.file), model, name_map, chosen.fresh, seed))
    return replace(found, info=prepared(found.info, chosen.preprocess))


def as_weights(arrays: Mapping[str, Any], model: Model) -> Tensors:
    """Arrays, or what NumPy makes arrays of, that fit the model; UserError as `fit_weights`."""
    tensors = {name: np.asarray(value) for name, value in arrays.items()}
    return fit_weights(tensors, model, _GIVEN)


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
    _refuse(origin, problems, "take weights of before this happened, such as an earlier checkpoint")
    return fitted


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a scalar"


def _refuse(origin: str, problems: Mapping[str, list[str]], hint: str = _NAMES) -> None:
    lines = list[str]()
    for what, names in problems.items():
        if names:
            lines.append(f"  {len(names)} {what}: {listed(names, _SHOWN)}")
    if lines:
        fits = "do not fit" if origin == _GIVEN else "does not fit"
        raise UserError("\n".join([f"{origin} {fits} the model", *lines, f"  {hint}"]))
