"""A float32 model with float16 inside, by onnxruntime's converter, checked against what it was."""

import re
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
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray
    from onnx import ModelProto

KEY = "cnndsl_float16"
"""Of the metadata."""
LARGEST = 1e-2
"""Difference of an output that is allowed, relative to the largest number of that output."""
_IMAGES = 4
_MAX = float(np.finfo(np.float16).max)
_ROOM = 2  # other images may give larger numbers
_DOWN = re.compile(r"graph_input_cast\d+|.*_cast_to_fp16_node", re.DOTALL)
_UP = re.compile(r"graph_output_cast\d+|.*_cast_to_fp32_node", re.DOTALL)
"""Names of the converter's casts."""


@dataclass(frozen=True)
class Float16Proof:
    """What was found: the largest relative difference, and the operators and the layers that are
    float32.
    """

    difference: float
    float_operators: tuple[str, ...]
    float_layers: tuple[str, ...]
    bytes_before: int
    bytes_after: int

    def as_dict(self) -> dict[str, Any]:
        """All that can be written as JSON."""
        return asdict(self)

    @property
    def problem(self) -> str | None:
        """Why the model is none to use; None where it is."""
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

    Float32 stay operators that the converter blocks, layers that `keep_float` names, and those
    whose numbers float16 cannot hold. UserError for a model that is not float32, and where
    onnxruntime cannot convert or run it.
    """
    tools: Any = import_module("onnxruntime.transformers.float16")
    source = prepared(model, name)
    kept = dict.fromkeys((*named_nodes(source, keep_float), *_too_large(source, name)))
    if len(kept) == len(source.graph.node):
        raise UserError("float: all layers stay float32; leave some of them to float16")
    paths = _layers_of(source, kept)  # before the converter changes it
    try:
        made = tools.convert_float_to_float16(
            source, keep_io_types=True, node_block_list=[*kept], disable_shape_infer=True
        )
    except Exception as error:  # onnxruntime raises a dozen unrelated types
        raise UserError(f"onnxruntime cannot convert the model: {error}") from None
    _keep_between(made.graph)
    half = finished(made, model)
    blocked = {node.op_type for node in model.graph.node} & {*tools.DEFAULT_OP_BLOCK_LIST}
    off, floats = _difference(model, half), tuple(sorted(blocked))
    found = Float16Proof(off, floats, paths, model.ByteSize(), 0)
    return Float16(half, replace(found, bytes_after=enter(half, KEY, found.as_dict())))


def _too_large(model: "ModelProto", name: str) -> "Iterator[str]":
    """Nodes with numbers that float16 cannot hold: a CPU computes in float32 and would not show it.

    UserError where a number is none.
    """
    found = ranges(model, "minmax", [_random(open_predictor(model, "cpu"))])
    reached = {tensor: float(np.abs(data.range_value).max()) for tensor, data in found.items()}
    for node in model.graph.node:
        largest = [reached.get(tensor, 0.0) for tensor in (*node.input, *node.output)]
        if any(map(isnan, largest)):
            path = layer_of(model, node.output[0])
            raise UserError(f"{name}: `{path}` gives no numbers, in float32, too\n"
                            "  its weights are broken")  # fmt: skip
        if max(largest, default=0) * _ROOM > _MAX:
            yield node.name


def _layers_of(model: "ModelProto", nodes: "Collection[str]") -> tuple[str, ...]:
    """The paths of the layers of nodes, each once."""
    made = (node.output[0] for node in model.graph.node if node.name in nodes)
    return tuple(dict.fromkeys(layer_of(model, tensor) for tensor in made))


def _keep_between(graph: Any) -> None:
    """Take away the float16 through which the converter leads what one float32 operator gives to
    the next.
    """
    down = [node for node in graph.node if _DOWN.fullmatch(node.name)]
    exact = {node.output[0]: node.input[0] for node in down}
    for node in graph.node:
        if _UP.fullmatch(node.name) and node.input[0] in exact:
            node.op_type, node.input[0] = "Identity", exact[node.input[0]]
            del node.attribute[:]
    read = {tensor for node in graph.node for tensor in node.input}
    read |= {output.name for output in graph.output}
    for node in (node for node in down if node.output[0] not in read):
        graph.node.remove(node)


def _difference(model: "ModelProto", half: "ModelProto") -> float:
    """The largest over all outputs, for random images, on the CPU provider."""
    predictors = [open_predictor(each, "cpu") for each in (model, half)]
    x = _random(predictors[0])
    pairs = zip(*(predictor.run(x) for predictor in predictors), strict=True)
    return max(float(np.abs(b - a).max() / max(np.abs(a).max(), 1e-30)) for a, b in pairs)


def _random(predictor: Predictor) -> "NDArray[Any]":
    shape = (predictor.fixed_batch or _IMAGES, *predictor.shape)
    return predictor.stored(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
