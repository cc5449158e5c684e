"""The ranges that activations have on images, by onnxruntime's calibrators."""

from collections.abc import Iterable, Iterator
from importlib import import_module
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.quantize.graph import input_name, operators, quiet
from cnndsl.runtime.predict import Predictor
from cnndsl.source import UserError

if TYPE_CHECKING:
    from onnx import ModelProto

METHODS = {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}
_VALUES = 1 << 25  # activations that are held at once: 128 MiB
_MOST = 64  # images at once


def ranges(model: "ModelProto", method: str, batches: Iterable[NDArray[Any]]) -> Any:
    """Of each activation the range that a method takes for eight bits: onnxruntime's TensorsData.

    UserError where onnxruntime cannot calibrate the model.
    """
    tools: Any = import_module("onnxruntime.quantization.calibrate")
    kind = getattr(tools.CalibrationMethod, METHODS[method])
    with TemporaryDirectory() as folder, quiet():
        plain, augmented = Path(folder, "model.onnx"), Path(folder, "augmented.onnx")
        plain.write_bytes(model.SerializeToString())
        try:
            calibrator = tools.create_calibrator(
                plain, operators(), str(augmented), calibrate_method=kind
            )
            for batch in batches:
                calibrator.collect_data(_Batch({input_name(model): batch}))
            return calibrator.compute_data()
        except Exception as error:  # onnxruntime raises a dozen unrelated types
            raise UserError(f"onnxruntime cannot calibrate the model: {error}") from None


class _Batch:
    """One batch as onnxruntime's CalibrationDataReader."""

    def __init__(self, feed: dict[str, NDArray[Any]]) -> None:
        self._feeds = [feed]

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The feed, then None."""
        return self._feeds.pop() if self._feeds else None


def batches(
    model: "ModelProto", predictor: Predictor, images: NDArray[np.uint8]
) -> Iterator[NDArray[Any]]:
    """Images N×C×H×W as the model takes them, so many at once that all activations fit in memory.

    Of a fixed batch only whole ones; fewer images than one are given again.
    """
    fixed = predictor.fixed_batch
    size = fixed or _at_once(model)
    if fixed and len(images) < fixed:
        images = np.resize(images, (fixed, *images.shape[1:]))
    for start in range(0, len(images), size):
        part = images[start : start + size]
        if len(part) == size or fixed is None:
            yield predictor.stored(part)


def _at_once(model: "ModelProto") -> int:
    sizes = (
        prod(d.dim_value for d in value.type.tensor_type.shape.dim[1:])
        for value in model.graph.value_info
    )
    return max(1, min(_MOST, _VALUES // max(1, sum(sizes))))
