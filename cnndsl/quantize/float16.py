"""A float32 model with float16 inside, by onnxruntime's converter, checked against what it was."""

from dataclasses import asdict, dataclass, replace
from importlib import import_module
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from cnndsl.quantize.calibrate import ranges
from cnndsl.quantize.graph import enter, finished, layer_of, named_nodes, prepared
from cnndsl.quantize.smaller import Smaller
from cnndsl.results import Table
from cnndsl.runtime.predict import Predictor, open_predictor
from cnndsl.source import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from onnx import ModelProto

KEY = "cnndsl_float16"
"""Of the metadata."""
LARGEST = 1e-2
"""Difference of an output that is allowed, relative to the largest number of that output."""
_IMAGES = 4
_MAX = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Float16Proof:
    """What was found: the largest relative difference, and the operators that are float32.

    `overflow` is the first layer with activations that float16 cannot hold, and their largest: a
    CPU computes in float32 and would not show it.
    """

    difference: float
    float_operators: tuple[str, ...]
    bytes_before: int
    bytes_after: int
    overflow: tuple[str, float] | None

    def as_dict(self) -> dict[str, Any]:
        """All that can be written as JSON."""
        return asdict(self)

    @property
    def problem(self) -> str | None:
        """Why the model is none to use; None where it is."""
        if self.overflow:
            path, largest = self.overflow
            if isnan(largest):
                return f"`{path}` gives no numbers, in float32, too: its weights are broken"
            return f"`{path}` reaches {largest:.3g}, and float16 ends at {_MAX:.0f}"
        return None if self.difference <= LARGEST else f"outputs {self.off}"

    @property
    def off(self) -> str:
        """`4.1e-04 off, relative to the largest`."""
        return f"{self.difference:.1e} off, relative to the largest"

    def table(self) -> Table:
        """Bytes before and after, and how far the outputs are off."""
        smaller = f"{self.bytes_before / self.bytes_after:.2f}x smaller"
        rows = (
            ("outputs", "", "", self.off),
            ("bytes", f"{self.bytes_before:,}", f"{self.bytes_after:,}", smaller),
        )
        return Table("float16", ("", "float32", "float16", "change"), rows)


@dataclass(frozen=True, eq=False, repr=False)
class Float16(Smaller):
    """A float16 model with its proof."""

    proof: Float16Proof


def to_float16(model: "ModelProto", name: str, keep_float: "Sequence[str]" = ()) -> Float16:
    """The model in float16 between float32 inputs and outputs.

    Operators that the converter blocks and layers that `keep_float` names stay float32. UserError
    for a model that is not float32, and where onnxruntime cannot convert or run it.
    """
    tools: Any = import_module("onnxruntime.transformers.float16")
    source = prepared(model, name)
    kept = named_nodes(source, keep_float)
    overflow = _overflow(source)  # before the converter changes it
    try:
        made = tools.convert_float_to_float16(
            source, keep_io_types=True, node_block_list=kept, disable_shape_infer=True
        )
    except Exception as error:  # onnxruntime raises a dozen unrelated types
        raise UserError(f"onnxruntime cannot convert the model: {error}") from None
    half = finished(made, model)
    blocked = {node.op_type for node in model.graph.node} & {*tools.DEFAULT_OP_BLOCK_LIST}
    off, floats = _difference(model, half), tuple(sorted(blocked))
    found = Float16Proof(off, floats, model.ByteSize(), 0, overflow)
    return Float16(half, replace(found, bytes_after=enter(half, KEY, found.as_dict())))


def _difference(model: "ModelProto", half: "ModelProto") -> float:
    """The largest over all outputs, for random images, on the CPU provider."""
    predictors = [open_predictor(each, "cpu") for each in (model, half)]
    x = _random(predictors[0])
    pairs = zip(*(predictor.run(x) for predictor in predictors), strict=True)
    return max(float(np.abs(b - a).max() / max(np.abs(a).max(), 1e-30)) for a, b in pairs)


def _overflow(model: "ModelProto") -> tuple[str, float] | None:
    """The first layer with an activation that float16 cannot hold, and how large it is."""
    found = ranges(model, "minmax", [_random(open_predictor(model, "cpu"))])
    reached = {name: float(np.abs(data.range_value).max()) for name, data in found.items()}
    made = (name for node in model.graph.node for name in node.output if name in reached)
    name = next((name for name in made if not reached[name] <= _MAX), None)
    return None if name is None else (layer_of(model, name), reached[name])


def _random(predictor: Predictor) -> "NDArray[Any]":
    shape = (predictor.fixed_batch or _IMAGES, *predictor.shape)
    return predictor.stored(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
