"""The tensors of a model: drawn from a seed, or read from a safetensors file."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import IO, Any, cast
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from cnndsl.init import draw
from cnndsl.ir import Model
from cnndsl.source import UserError

Weights = Mapping[str, NDArray[np.float32]]
Numbers = float | Sequence[float]
Normalisation = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation that pictures in 0…1 are brought to, one number or one a channel."""
_SHOWN = 5
_KEY = "cnndsl"  # of the hash in the metadata
_NORMAL = " normalisation "


def initial_weights(model: Model, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Fresh tensors; each has its own random stream, so that a new layer changes no other."""
    return {
        name: draw(p.init, p.shape, p.fans, np.random.default_rng([seed, crc32(name.encode())]))
        for name, p in model.tensors().items()
    }


def read_weights(path: Path, model: Model) -> dict[str, NDArray[np.float32]]:
    """Tensors of a safetensors file, fitting the model; UserError says what does not fit."""
    from safetensors import SafetensorError
    from safetensors import numpy as storage

    try:
        data = path.read_bytes()
        tensors: dict[str, NDArray[Any]] = cast(Any, storage).load(data)
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise UserError(
            f"{path}: cannot be read as safetensors: {error}\n  take another copy of the file"
        ) from None
    if _is_damaged(data, tensors):
        raise UserError(
            f"{path}: is damaged: its tensors are not those that were written\n"
            "  take another copy of the file, or train anew"
        )
    return fit_weights(tensors, model, str(path))


def normalisation(
    path: Path | None, mean: Numbers | None = None, std: Numbers | None = None
) -> Normalisation:
    """Mean and standard deviation as given, else those that a file's weights were trained with.

    For files that `read_weights` has read; 0 and 1 where a file does not say.
    """
    text = ""
    if path is not None:
        with path.open("rb") as file:
            text = _metadata(file).get(_KEY, "").partition(_NORMAL)[2]
    stored = as_normalisation(text, str(path))
    return (
        stored[0] if mean is None else _numbers(mean),
        stored[1] if std is None else _numbers(std),
    )


def as_normalisation(text: str, origin: str) -> Normalisation:
    """What `normalisation_text` wrote; 0 and 1 where it is empty. UserError for no numbers."""
    try:
        stored = json.loads(text) if text else {"mean": 0.0, "std": 1.0}
        return _numbers(stored["mean"]), _numbers(stored["std"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        message = f"{origin}: its normalisation cannot be read from the metadata: {error}"
        raise UserError(message) from None


def normalisation_text(normal: Normalisation) -> str:
    """As it stands in the metadata of weights and of ONNX files."""
    return json.dumps(dict(zip(("mean", "std"), normal, strict=True)))


def _numbers(given: Numbers) -> tuple[float, ...]:
    return (float(given),) if isinstance(given, int | float) else tuple(map(float, given))


def pack_weights(tensors: Weights, normal: Normalisation | None = None) -> bytes:
    """The tensors as a safetensors file that carries their hash; `read_weights` looks at it."""
    from safetensors.numpy import save

    whole = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    return save(whole, metadata=_signature(whole, normalisation_text(normal) if normal else ""))


def _metadata(file: IO[bytes]) -> dict[str, str]:
    """What a safetensors file says besides its tensors, which are not read."""
    size = int.from_bytes(file.read(8), "little")
    return json.loads(file.read(size)).get("__metadata__", {})


def _is_damaged(data: bytes, tensors: Mapping[str, NDArray[Any]]) -> bool:
    """Whether a file of ours (key and value both say so) has other content than was written."""
    said = _metadata(BytesIO(data))
    ours = _KEY in said or any(value.startswith(_KEY) for value in said.values())
    return ours and said != _signature(tensors, said.get(_KEY, "").partition(_NORMAL)[2])


def _signature(tensors: Mapping[str, NDArray[Any]], normal: str) -> dict[str, str]:
    """A hash of the normalisation and of names, types, shapes and values.

    It is one entry, as safetensors keeps no order of several.
    """
    found = hashlib.sha256(normal.encode())
    for name in sorted(tensors):
        array = tensors[name]
        found.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        found.update(np.ascontiguousarray(array).data)
    return {_KEY: f"{_KEY} sha256 {found.hexdigest()}{_NORMAL + normal if normal else ''}"}


def fit_weights(
    tensors: Mapping[str, NDArray[np.generic]], model: Model, origin: str
) -> dict[str, NDArray[np.float32]]:
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
        found = {name: np.asarray(tensors[name], np.float32) for name in wanted}
    broken = [name for name, array in found.items() if not np.isfinite(array).all()]
    _refuse(origin, {"not finite (NaN or infinity)": broken})
    return found


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
        mend = "tensor names are the paths of `cnndsl summary`, such as conv_1.weight"
        raise UserError("\n".join([f"{origin} does not fit the model", *lines, f"  {mend}"]))
