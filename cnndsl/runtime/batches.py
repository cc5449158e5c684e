"""Batches as a session takes and gives them: of its size, and of its type."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HALF = "tensor(float16)"


def as_type(batch: NDArray[Any], kind: str) -> NDArray[Any]:
    """A batch as numbers of 16 bits for an input of that type; else as it is."""
    with np.errstate(over="ignore"):
        return batch.astype(np.float16) if kind == _HALF else batch


def single(output: Any) -> Any:
    """Numbers of 16 bits as float32; an output may be no array."""
    is_half = getattr(output, "dtype", None) == np.float16
    return output.astype(np.float32) if is_half else output


def filled(batch: NDArray[Any], size: int) -> NDArray[Any]:
    """A batch of a size; what is missing is zero."""
    return np.concatenate([batch, np.zeros((size - len(batch), *batch.shape[1:]), batch.dtype)])


def joined(parts: Sequence[NDArray[Any]], size: int, count: int) -> NDArray[Any]:
    """An output of several batches, without what was filled up; one that is not a batch, once."""
    first = parts[0]
    return np.concatenate(parts)[:count] if first.ndim and len(first) == size else first
