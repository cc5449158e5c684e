"""The int8 graph of a model that was trained to be one: its weights and ranges are training's own.

onnxruntime's quantiser says where numbers are rounded, for training, too: so both round the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.backend.artifact import inference_model
from cnndsl.backend.inference import Options
from cnndsl.backend.places import IMAGES, Places
from cnndsl.data.dataset import Dataset, Split
from cnndsl.ir import Model
from cnndsl.quantize.calibrate import batches, ranges
from cnndsl.quantize.graph import input_name, operators, outside, prepared
from cnndsl.quantize.images import COUNT, Images, spread
from cnndsl.quantize.judge import Judge
from cnndsl.quantize.proof import Proof, proven
from cnndsl.quantize.qdq import Scheme, quantised
from cnndsl.runtime.predict import open_predictor
from cnndsl.tasks import Task
from cnndsl.weights.base import Weights
from cnndsl.weights.model_info import ModelInfo

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

SCHEME = Scheme("training", per_channel=True)
_WEIGHTED = ("Conv", "ConvTranspose", "Gemm")
_FLOAT = ("Softmax", "BatchNormalization", "LayerNormalization", "InstanceNormalization")
"""What is not rounded: the quantiser gives a softmax a range of its own, and norms one scale."""
_MOVING = ("MaxPool", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Split",
           "Pad")  # fmt: skip
"""Operators that give values which they read: where these are rounded, so are theirs."""


def places_of(model: Model, weights: Weights) -> Places:
    """What the quantiser rounds; what training cannot round the same way is left in float32."""
    source = prepared(inference_model(model, weights, Options()), model.name)
    kept = [n.name for n in source.graph.node if n.op_type in _FLOAT or _shares_channels(n)]
    while True:
        made = quantised(source, _ranges(source, {}), SCHEME, kept)
        more = dict.fromkeys(_odd(made, model))
        if not more:
            return _read(source, made, kept)
        kept += more


def _shares_channels(node: "NodeProto") -> bool:
    """Whether groups of output channels have one scale, unlike those of a batch norm behind."""
    return node.op_type == "ConvTranspose" and _attribute(node, "group") not in (None, 1)


def _attribute(node: "NodeProto", name: str) -> int | None:
    """A whole number; None where the node does not say it."""
    return next((a.i for a in node.attribute if a.name == name), None)


def _odd(made: "ModelProto", model: Model) -> Iterator[str]:
    """Operators with constants in eight bits that are no weights with a scale for each channel."""
    tensors = {t.name for t in made.graph.initializer}
    axes = {
        n.output[0]: _attribute(n, "axis")
        for n in made.graph.node
        if n.op_type == "DequantizeLinear" and n.input[0] in tensors
    }
    biases = {n.input[2] for n in made.graph.node if n.op_type in _WEIGHTED and len(n.input) > 2}
    for node in made.graph.node:
        for i, name in enumerate(node.input):
            if name not in axes or name in biases:
                continue
            fits = node.op_type in _WEIGHTED and i == 1 and axes[name] is not None
            if not fits or _base(name) not in model.tensors():
                yield node.name


def _base(name: str) -> str:
    return name.removesuffix("_DequantizeLinear_Output")


def _read(source: "ModelProto", made: "ModelProto", kept: list[str]) -> Places:
    makers = {name: node.op_type for node in source.graph.node for name in node.output}
    own, sharing = list[str](), dict[str, str]()
    for node in made.graph.node:
        if node.op_type != "QuantizeLinear":
            continue
        name, owner = node.input[0], node.input[1].removesuffix("_scale")
        if owner == name:
            own.append(name)
        elif makers[name] not in _MOVING:
            sharing[name] = owner
    weights = {
        _base(node.input[1]): 0 if node.op_type == "Conv" else _channels(node)
        for node in made.graph.node
        if node.op_type in _WEIGHTED and node.input[1] != _base(node.input[1])
    }
    return Places(tuple(own), sharing, weights, tuple(kept), _in_float(source, made, kept))


def _channels(node: "NodeProto") -> int:
    """The axis of the output channels of a Gemm or ConvTranspose."""
    return 0 if _attribute(node, "transB") else 1


def _in_float(source: "ModelProto", made: "ModelProto", kept: list[str]) -> tuple[str, ...]:
    """Layers that compute, and nothing in eight bits."""
    able, after = {*operators()}, {node.name: node for node in made.graph.node}
    found = dict[str, bool]()
    for node in source.graph.node:
        if node.op_type in _MOVING:
            continue
        now = after.get(node.name)  # none: a relu that is a part of the rounding before it
        rounds = now is None or any(name != _base(name) for name in now.input)
        path, in_int8 = node.name.rpartition("/")[0], rounds and node.name not in kept
        found[path] = found.get(path, False) or (in_int8 and node.op_type in able)
    return tuple(path for path, in_int8 in found.items() if not in_int8)


def int8_model(graph: "ModelProto", where: Places, found: NDArray[np.float32]) -> "ModelProto":
    """A float32 model of ours in int8, by the ranges that training found."""
    source = prepared(graph, graph.graph.name)
    pairs = dict[str, Sequence[float]](zip(_named(source, where), found.tolist(), strict=True))
    return quantised(source, _ranges(source, pairs), SCHEME, where.kept)


def _named(source: "ModelProto", where: Places) -> list[str]:
    """The activations, images by what the first layers read: what preprocessing makes, or the input
    itself.
    """
    before = {*outside(source)}
    made = {name for n in source.graph.node if n.name in before for name in n.output}
    read = (x for n in source.graph.node if n.name not in before for x in n.input if x in made)
    images = next(read, input_name(source))
    return [images if name == IMAGES else name for name in where.activations]


def measured(
    model: Model, weights: Weights, where: Places, info: ModelInfo, images: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """The ranges in float32 on images, N×C×H×W, of which some hundred are taken: (places, 2)."""
    graph = inference_model(model, weights, Options(info=info))
    source, images = prepared(graph, graph.graph.name), images[spread(len(images), COUNT)]
    found = ranges(source, "minmax", batches(source, open_predictor(graph, "cpu"), images))
    pairs = [np.ravel(found[name].range_value) for name in _named(source, where)]
    return np.array(pairs, np.float32)


def proof_of(
    before: "ModelProto", after: "ModelProto", data: Dataset, task: Task, where: Places
) -> Proof:
    """Both models measured on the test images; the proof enters the metadata of the second."""
    none = data.train.x[:0]
    images = Images(data.name, none, Split(none, data.train.y[:0]), data.test, task, data.names)
    return proven(before, after, images, Judge(task, data.names), SCHEME, where.in_float)


def _ranges(source: "ModelProto", found: Mapping[str, Sequence[float]]) -> Any:
    """Ranges as onnxruntime's quantiser takes them: of every value, rounded or not."""
    tools: Any = import_module("onnxruntime.quantization.calibrate")
    graph = source.graph
    names = (value.name for value in (*graph.input, *graph.value_info, *graph.output))
    pairs: dict[str, Sequence[float]] = {**dict.fromkeys(names, (-1.0, 1.0)), **found}
    data = {name: (np.float32(low), np.float32(high)) for name, (low, high) in pairs.items()}
    return tools.TensorsData(tools.CalibrationMethod.MinMax, data)
