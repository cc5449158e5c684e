"""A look at an ONNX file before a session opens it: size, external data, domains, dimensions."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cnndsl.source import UserError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

_MAX_DIM = 2**31
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")


def load_checked(path: Path) -> "ModelProto":
    """The parsed model; UserError for anything that should not reach onnxruntime."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError:
        raise UserError(f"{path}: is no ONNX file") from None
    problem = _problem(model, model.graph)
    if problem:
        raise UserError(f"{path}: refused, {problem}")
    try:
        cast(Any, onnx.checker).check_model(model)
    except Exception as error:  # the checker raises several unrelated types
        raise UserError(f"{path}: is no valid ONNX model: {error}") from None
    return model


def _problem(model: "ModelProto", graph: "GraphProto") -> str | None:
    foreign = sorted({n.domain for n in graph.node if n.domain not in _DOMAINS})
    if foreign:
        return f"it uses operators of the domain {foreign[0]}"
    if any(a.g.node or a.graphs for n in graph.node for a in n.attribute):
        return "it has subgraphs (If, Loop, Scan), which cnndsl never writes"
    if model.functions:
        return "it has functions, which cnndsl never writes"
    return _data_problem(graph) or _shape_problem(graph)


def _data_problem(graph: "GraphProto") -> str | None:
    tensors = [*graph.initializer, *(a.t for n in graph.node for a in n.attribute)]
    if any(t.external_data or t.data_location for t in tensors) or graph.sparse_initializer:
        return "it keeps tensors in other files"
    return None


def _shape_problem(graph: "GraphProto") -> str | None:
    values = (*graph.input, *graph.output, *graph.value_info)
    dims = [d.dim_value for v in values for d in v.type.tensor_type.shape.dim]
    dims += [d for t in graph.initializer for d in t.dims]
    if any(d < 0 or d >= _MAX_DIM for d in dims):
        return "it has impossible dimensions"
    return None
