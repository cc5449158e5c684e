"""The tensors of a model: drawn from a seed, or read from a safetensors file."""

import hashlib
import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, Any, cast
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from cnndsl.backend.meaning import Meaning, read_meaning
from cnndsl.init import draw
from cnndsl.ir import Model
from cnndsl.source import UserError

Weights = Mapping[str, NDArray[np.float32]]
_SHOWN = 5
_KEY = "cnndsl"  # of the hash in the metadata
_MEANING = " normalisation "  # and, since there are, the names of classes


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
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    try:
        tensors: dict[str, NDArray[Any]] = cast(Any, storage).load(data)
    except KeyError as error:
        raise UserError(
            f"{path}: holds tensors of {error.args[0]}; store them as float32"
        ) from None
    except (SafetensorError, ValueError) as error:
        hint = "take another copy of the file"
        if data.startswith(b"PK\x03\x04"):  # as torch.save writes them
            hint = "of a checkpoint of PyTorch, store the state_dict by safetensors.torch.save_file"
        raise UserError(f"{path}: cannot be read as safetensors: {error}\n  {hint}") from None
    if _is_damaged(data, tensors):
        raise UserError(
            f"{path}: is damaged: its tensors are not those that were written\n"
            "  take another copy of the file, or train anew"
        )
    return fit_weights(tensors, model, str(path))


def read_origin(path: Path) -> Meaning:
    """What a file that `read_weights` has read says besides its tensors."""
    with path.open("rb") as file:
        text = _metadata(file).get(_KEY, "").partition(_MEANING)[2]
    return read_meaning(text, str(path))


def pack_weights(tensors: Weights, meaning: Meaning | None = None) -> bytes:
    """The tensors as a safetensors file that carries their hash; `read_weights` looks at it."""
    from safetensors.numpy import save

    whole = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    return save(whole, metadata=_signature(whole, meaning.text() if meaning else ""))


def _metadata(file: IO[bytes]) -> dict[str, str]:
    """What a safetensors file says besides its tensors, which are not read."""
    size = int.from_bytes(file.read(8), "little")
    return json.loads(file.read(size)).get("__metadata__", {})


def _is_damaged(data: bytes, tensors: Mapping[str, NDArray[Any]]) -> bool:
    """Whether a file of ours (key and value both say so) has other content than was written."""
    said = _metadata(BytesIO(data))
    ours = _KEY in said or any(value.startswith(_KEY) for value in said.values())
    return ours and said != _signature(tensors, said.get(_KEY, "").partition(_MEANING)[2])


def _signature(tensors: Mapping[str, NDArray[Any]], meaning: str) -> dict[str, str]:
    """A hash of the meaning and of names, types, shapes and values.

    It is one entry, as safetensors keeps no order of several.
    """
    found = hashlib.sha256(meaning.encode())
    for name in sorted(tensors):
        array = tensors[name]
        found.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        found.update(np.ascontiguousarray(array).data)
    return {_KEY: f"{_KEY} sha256 {found.hexdigest()}{_MEANING + meaning if meaning else ''}"}


def as_weights(given: Mapping[str, Any], model: Model) -> dict[str, NDArray[np.float32]]:
    """Arrays, or what NumPy makes arrays of, that fit the model; UserError as `fit_weights`."""
    arrays = {name: np.asarray(value) for name, value in given.items()}
    return fit_weights(arrays, model, "the given weights")


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
    problems = {
        "not finite (NaN or infinity)": [n for n, t in found.items() if not np.isfinite(t).all()],
        "negative, as no variance is": [
            n for n, t in found.items() if n.endswith(".running_var") and (t < 0).any()
        ],
    }
    _refuse(origin, problems)
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
        hint = "tensor names are the paths of `cnndsl summary`, such as conv_1.weight"
        raise UserError("\n".join([f"{origin} does not fit the model", *lines, f"  {hint}"]))
