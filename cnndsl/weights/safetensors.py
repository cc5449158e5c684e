"""Safetensors: the format in which runs keep their weights.

Files of ours carry a hash of their tensors and the model's info, in one entry of the metadata.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cnndsl.source import UserError
from cnndsl.weights.base import Order, RawWeights, Weights, WeightsFormat, first_bytes
from cnndsl.weights.model_info import ModelInfo, info_from_json

_KEY = "cnndsl"  # of the hash in the metadata
_INFO = " normalisation "  # between the hash and the model's info; older than the classes in it
_LONGEST_HEADER = 100_000_000  # bytes, of the format's specification


class Safetensors(WeightsFormat):
    """https://huggingface.co/docs/safetensors: a JSON header, then the tensors' bytes."""

    extensions = (".safetensors",)

    def recognises(self, path: Path) -> bool:
        """A header's length, then the header, which is a JSON object."""
        start = first_bytes(path, 9)
        return start[8:] == b"{" and int.from_bytes(start[:8], "little") <= _LONGEST_HEADER

    def read(self, path: Path) -> RawWeights:
        """The tensors in the order of their bytes; UserError also where their hash differs."""
        data = path.read_bytes()
        tensors = _tensors(data, path)
        header = _header(data)
        metadata: dict[str, str] = header.pop("__metadata__", {})
        info = metadata.get(_KEY, "").partition(_INFO)[2]
        if _is_ours(metadata) and metadata != _signature(tensors, info):
            raise UserError(
                f"{path} is damaged: its tensors are not those that were written\n"
                "  take another copy of the file, or train anew"
            )
        ordered = sorted(tensors, key=lambda name: header[name]["data_offsets"])
        others = {key: value for key, value in metadata.items() if key != _KEY}
        return RawWeights(
            {name: tensors[name] for name in ordered}, info_from_json(info, str(path)), others,
            order=Order.NAMES, is_ours=_is_ours(metadata),
        )  # fmt: skip


def pack_weights(tensors: Weights, info: ModelInfo | None = None) -> bytes:
    """The tensors as a safetensors file that carries their hash, and the model's info."""
    from safetensors.numpy import save

    whole = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    return save(whole, metadata=_signature(whole, info.to_json() if info else ""))


def _tensors(data: bytes, path: Path) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors import numpy as storage

    try:
        return cast(Any, storage).load(data)
    except KeyError as error:
        raise UserError(f"{path} holds tensors of {error.args[0]}; store them as float32") from None
    except (SafetensorError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be read as safetensors: {error}\n  take another copy of the file"
        ) from None


def _header(data: bytes) -> dict[str, Any]:
    """Metadata, and the place of each tensor, of bytes that were read as safetensors."""
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size])


def _is_ours(metadata: Mapping[str, str]) -> bool:
    """Whether cnndsl wrote the file: key and value both say so."""
    return _KEY in metadata or any(value.startswith(_KEY) for value in metadata.values())


def _signature(tensors: Mapping[str, NDArray[Any]], info: str) -> dict[str, str]:
    """A hash of the info and of names, types, shapes and values.

    It is one entry, as safetensors keeps no order of several.
    """
    digest = hashlib.sha256(info.encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return {_KEY: f"{_KEY} sha256 {digest.hexdigest()}{_INFO + info if info else ''}"}
