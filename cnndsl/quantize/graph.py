"""An ONNX graph as a quantiser sees it: its layers by their paths."""

import io
import json
import logging
import warnings
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from cnndsl.fields import nearest
from cnndsl.learned import path_pattern
from cnndsl.runtime.foreign import inputs
from cnndsl.runtime.opsets import converted, opset_of
from cnndsl.runtime.predict import Reading, open_predictor
from cnndsl.source import UserError, listed
from cnndsl.weights import preprocess
from cnndsl.weights.model_info import info_from_onnx, onnx_entries

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_QUANTISED = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger",
              "MatMulInteger", "QLinearConv", "QLinearMatMul")  # fmt: skip
_PROBABILITIES = ("Softmax", "LogSoftmax", "Sigmoid")
_FLOAT16 = 10  # of ONNX's types
_OPSET, _IR = 13, 7  # from which on a scale may be one of a channel
_OUTSIDE = "graph/"
"""How nodes of our graphs are called that belong to no layer: preprocessing, what a task adds."""


def prepared(model: "ModelProto", name: str) -> "ModelProto":
    """A copy with the shape of every value and a name for every node, batch norm folded.

    UserError for a model whose numbers are not all float32, by the `name` of its file.
    """
    import onnx

    refuse_smaller(model, name)
    copy = onnx.shape_inference.infer_shapes(_folded(model))
    for i, node in enumerate(copy.graph.node):
        node.name = node.name or f"{node.op_type}_{i}"
    return copy


def recent(model: "ModelProto", name: str) -> "ModelProto":
    """The model with operators that int8 can have: an older opset is converted by onnx."""
    opset = opset_of(model, _OPSET)
    if opset >= _OPSET:
        return model
    try:
        made = finished(converted(model, _OPSET), model)
    except Exception as error:  # onnx raises several unrelated types
        raise UserError(f"{name}: int8 needs operators of opset {_OPSET}, onnx cannot bring those "
                        f"of {opset} there: {error}") from None  # fmt: skip
    made.ir_version = max(_IR, model.ir_version)
    return made


def _folded(model: "ModelProto") -> "ModelProto":
    """Batch norms of a model of others in the convolutions before them, by onnxruntime."""
    import onnx

    kinds = {node.op_type for node in model.graph.node}
    if model.producer_name == "cnndsl" or "BatchNormalization" not in kinds:
        return model
    tools: Any = import_module("onnxruntime.quantization.quant_utils")
    with TemporaryDirectory() as folder:
        plain, folded = Path(folder, "model.onnx"), Path(folder, "folded.onnx")
        plain.write_bytes(model.SerializeToString())
        try:
            tools.optimize_model(plain, folded)
        except Exception as error:  # onnxruntime raises a dozen unrelated types
            raise UserError(f"onnxruntime cannot fold batch norms: {error}") from None
        return finished(onnx.load_model_from_string(folded.read_bytes()), model)


@contextmanager
def quiet() -> Generator[None]:
    """Without what onnxruntime's quantiser prints, and warns of, while it works."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of numbers that are none
            yield
    finally:
        root.setLevel(level)


def refuse_smaller(model: "ModelProto", name: str) -> None:
    """UserError for a model that is quantised already, or holds float16."""
    found = sorted({node.op_type for node in model.graph.node} & {*_QUANTISED})
    if found:
        raise UserError(f"{name} is quantised already (it has {', '.join(found)})\n"
                        "  give the float32 model that it was made of")  # fmt: skip
    if any(tensor.data_type == _FLOAT16 for tensor in model.graph.initializer):
        raise UserError(f"{name} holds float16 numbers\n  give the float32 model")


def told_preprocessing(model: "ModelProto", name: str, reading: Reading) -> "ModelProto":
    """A copy whose metadata tell how its images are prepared, where `reading` says it.

    UserError for a model that prepares them itself, and for numbers that do not fit.
    """
    if reading == Reading():
        return model
    open_predictor(model, "cpu", reading=reading)  # which refuses what does not fit
    told = onnx_entries(model)
    info = preprocess.prepared(info_from_onnx(told, name), reading.preprocess)
    entries = told | info.updated(reading.mean, reading.std).onnx_metadata()
    copy = type(model)()
    copy.CopyFrom(model)
    del copy.metadata_props[:]
    for key, value in entries.items():
        copy.metadata_props.add(key=key, value=value)
    return copy


def input_name(model: "ModelProto") -> str:
    """What the images are called."""
    return inputs(model.graph)[0].name


def outside(model: "ModelProto") -> list[str]:
    """Nodes of our own graphs that belong to no layer; of others, what makes probabilities."""
    if model.producer_name == "cnndsl":
        return [node.name for node in model.graph.node if node.name.startswith(_OUTSIDE)]
    given = {output.name for output in model.graph.output}
    last = (node for node in model.graph.node if not given.isdisjoint(node.output))
    return [node.name for node in last if node.op_type in _PROBABILITIES]


def operators() -> list[str]:
    """The operators that onnxruntime can quantise."""
    registry: Any = import_module("onnxruntime.quantization.registry")
    return sorted({*registry.QDQRegistry, *registry.QLinearOpsRegistry})


def layers(model: "ModelProto") -> dict[str, list[str]]:
    """The nodes of each layer that can be quantised, by its path."""
    stems, able, left = _stems(model), {*operators()}, {*outside(model)}
    found = dict[str, list[str]]()
    for node in model.graph.node:
        if node.op_type in able and node.name not in left:
            found.setdefault(_layer(node, stems), []).append(node.name)
    return found


def layer_of(model: "ModelProto", tensor: str) -> str:
    """The path of the layer that makes a tensor; its own name where no node does."""
    makers = (node for node in model.graph.node if tensor in node.output)
    return next((_layer(node, _stems(model)) for node in makers), tensor)


def named_nodes(model: "ModelProto", patterns: Iterable[str]) -> list[str]:
    """Nodes of the layers and blocks that patterns such as `stage_1.*` name, several in a text too.

    UserError for a pattern that names none.
    """
    stems = _stems(model)
    paths = {node.name: set(_paths(node, stems)) for node in model.graph.node}
    found = dict[str, None]()
    for text in patterns:
        several = [text] if _fitting(text, paths) else text.replace(",", " ").split()
        for each in several or [text]:
            names = _fitting(each, paths)
            if not names:
                hint = _hint(model, each, paths)
                raise UserError(f"float: no layer is called `{each}`\n  {hint}")
            found |= dict.fromkeys(names)
    return list(found)


def _fitting(text: str, paths: dict[str, set[str]]) -> list[str]:
    pattern = path_pattern(text)
    return [name for name, own in paths.items() if any(map(pattern.fullmatch, own))]


def _hint(model: "ModelProto", text: str, paths: dict[str, set[str]]) -> str:
    close = nearest(text, set[str]().union(*paths.values()))
    return f"did you mean `{close}`?" if close else f"there are {listed(list(layers(model)))}"


def _stems(model: "ModelProto") -> dict[str, str]:
    """Of each constant the path before the last dot of its name, '' where there is none."""
    return {tensor.name: tensor.name.rpartition(".")[0] for tensor in model.graph.initializer}


def _layer(node: "NodeProto", stems: dict[str, str]) -> str:
    """That of its weights: of a folded batch norm, the convolution's; else the node's own."""
    return next((stems[name] for name in node.input if stems.get(name)), _path(node))


def _path(node: "NodeProto") -> str:
    """The part of a node's name before its operator: `stage_1.conv_1/Conv`."""
    return node.name.rpartition("/")[0] or node.name


def _paths(node: "NodeProto", stems: dict[str, str]) -> Iterator[str]:
    """All that a node can be called: its name, its layer's path, the paths of the blocks around."""
    yield node.name
    for path in (_path(node), *(stems.get(name, "") for name in node.input)):
        while path:
            yield path
            path = path.rpartition("." if "." in path else "/")[0]


def finished(model: Any, like: "ModelProto") -> "ModelProto":
    """A converted model, its nodes in order, with the origin and the versions of the one before."""
    sorting: Any = import_module("onnxruntime.quantization.onnx_model").ONNXModel
    sorting(model).topological_sort()
    domains = {node.domain for node in model.graph.node} | {""}
    kept = [entry for entry in model.opset_import if entry.domain in domains]
    versions = [(entry.domain, entry.version) for entry in kept]
    del model.opset_import[:]
    for domain, version in versions:
        model.opset_import.add(domain=domain, version=version)
    del model.graph.value_info[:]
    del model.metadata_props[:]
    model.metadata_props.extend(like.metadata_props)
    model.ir_version = like.ir_version
    model.producer_name, model.producer_version = like.producer_name, like.producer_version
    return cast("ModelProto", model)


def enter(model: "ModelProto", key: str, facts: dict[str, Any]) -> int:
    """Write facts into the metadata, with the bytes of the model that holds them as `bytes_after`,
    which are returned.
    """
    entry = model.metadata_props.add(key=key)
    for _ in range(3):  # the number of bytes has digits, which are bytes
        facts = facts | {"bytes_after": model.ByteSize()}
        entry.value = json.dumps(facts)
    return facts["bytes_after"]
