"""CIFAR-10's Python batches, by an unpickler that makes numpy arrays and plain values only."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from cnndsl.data.dataset import Split
from cnndsl.source import UserError
from cnndsl.weights.opcodes import check_opcodes

_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"),
}  # fmt: skip
_LIMIT = 64 * 2**20


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        if module == "_codecs":
            return _latin1
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _latin1(text: object, encoding: object) -> bytes:
    """How Python 2's bytes arrive; no other codec is reached."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("only latin1 is allowed")
    return text.encode("latin1")


def read_batch(path: Path) -> Split:
    """One batch; UserError for anything but arrays of the known shape."""
    try:
        data = path.read_bytes()
        if len(data) > _LIMIT:
            raise pickle.UnpicklingError("the file is too large")
        check_opcodes(io.BytesIO(data))
        batch = _Unpickler(io.BytesIO(data), encoding="bytes").load()
        x, y = batch[b"data"], batch[b"labels"]
        if x.dtype != np.uint8 or x.shape[1:] != (3072,):
            raise pickle.UnpicklingError(f"the pictures are {x.dtype} {x.shape}")
        return Split(np.array(x).reshape(-1, 3, 32, 32), np.array(y, np.int64))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    except Exception as error:  # a hostile pickle may raise anything
        raise UserError(f"{path} is not a CIFAR-10 batch: {error}") from None
