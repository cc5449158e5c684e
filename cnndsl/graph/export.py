"""Tape to ONNX: the only place that touches protobuf."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    helper,
    numpy_helper,
)

from cnndsl.graph.tape import Node, Tape, Value
from cnndsl.source import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The oldest IR version that may hold each opset: older and embedded runtimes refuse newer ones.
IR_VERSIONS = {17: 8, 18: 8, 19: 9, 20: 9, 21: 10}
MAX_BYTES = 2**31 - 1  # of one protobuf message

_TYPES = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "float16": TensorProto.FLOAT16,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "uint8": TensorProto.UINT8,
    "bool": TensorProto.BOOL,
}


def export(
    tape: Tape,
    name: str,
    opset: int = 17,
    metadata: Mapping[str, str] | None = None,
    source_lines: Mapping[int, str] | None = None,
    defaults: "Mapping[str, NDArray[Any]] | None" = None,
) -> ModelProto:
    """The tape as a model with pinned opset and IR version; the same bytes for the same tape.

    `source_lines` gives the text that each node's `doc_string` shows for its line of the spec;
    `defaults` are values of inputs that need not be fed.
    """
    shown = source_lines or {}
    names = _names(tape)
    nodes = [_node(_of_opset(tape, node, opset), names, shown) for node in tape.nodes]
    nodes += _aliases(tape, names)
    used = {input_name for node in nodes for input_name in node.input}
    tensors = [
        _tensor(value, array, names) for value, array in tape.consts.items() if names[value] in used
    ]
    starts = defaults or {}
    tensors += [_tensor(v, starts[v.name], names) for v in tape.inputs if v.name in starts]
    _check_size(tensors)
    graph = helper.make_graph(nodes, name, _inputs(tape, names), _outputs(tape), tensors)
    return _model(graph, opset, metadata or {})


def _check_size(tensors: list[TensorProto]) -> None:
    total = sum(len(t.raw_data) for t in tensors)
    if total > MAX_BYTES - 2**20:
        raise UserError(
            f"the graph holds {total / 2**30:.1f} GiB of weights; ONNX files hold 2 GiB"
        )


def _names(tape: Tape) -> dict[Value, str]:
    """Names of all values; a computed output bears the name of the output."""
    produced = {value for node in tape.nodes for value in node.outputs}
    names = {value: value.name for value in (*tape.inputs, *tape.consts, *produced)}
    given, taken = {value.name for value in tape.inputs}, {*names.values(), *tape.outputs}
    for value, name in names.items():
        if name in tape.outputs and name not in given:  # the name belongs to an output
            free = (f"{name}_{n or ''}" for n in count())
            names[value] = next(other for other in free if other not in taken)
            taken.add(names[value])
    renamed = set[Value]()
    for name, value in tape.outputs.items():
        if value in produced and value not in renamed:
            names[value] = name
            renamed.add(value)
    return names


def _aliases(tape: Tape, names: Mapping[Value, str]) -> list[NodeProto]:
    """Outputs that are inputs, constants or already bear another output's name."""
    return [
        helper.make_node("Identity", [names[value]], [name], name=f"{name}/Identity")
        for name, value in tape.outputs.items()
        if names[value] != name
    ]


def _of_opset(tape: Tape, node: Node, opset: int) -> Node:
    """Before opset 18 the axes of reductions other than ReduceSum are an attribute."""
    if opset >= 18 or not node.op.startswith("Reduce") or node.op == "ReduceSum":
        return node
    x, *axes = node.inputs
    if not axes or axes[0] is None:
        return node
    attrs = node.attrs | {"axes": tuple(int(a) for a in tape.consts[axes[0]])}
    return replace(node, inputs=(x,), attrs=attrs)


def _node(node: Node, names: Mapping[Value, str], lines: Mapping[int, str]) -> NodeProto:
    inputs = [names[value] if value is not None else "" for value in node.inputs]
    proto = helper.make_node(
        node.op, inputs, [names[value] for value in node.outputs], name=node.outputs[0].name
    )
    proto.attribute.extend(_attribute(key, node.attrs[key]) for key in sorted(node.attrs))
    if node.line in lines:
        proto.doc_string = lines[node.line]
    return proto


def _attribute(key: str, value: Any) -> AttributeProto:
    if key == "to":
        value = _TYPES[value]
    if isinstance(value, tuple):
        value = list(cast("tuple[Any, ...]", value))
    return helper.make_attribute(key, value)


def _tensor(value: Value, array: "NDArray[Any]", names: Mapping[Value, str]) -> TensorProto:
    return numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), names[value])


def _inputs(tape: Tape, names: Mapping[Value, str]) -> list[Any]:
    return [helper.make_tensor_value_info(names[v], _TYPES[v.dtype], v.shape) for v in tape.inputs]


def _outputs(tape: Tape) -> list[Any]:
    return [
        helper.make_tensor_value_info(name, _TYPES[v.dtype], v.shape)
        for name, v in tape.outputs.items()
    ]


def _model(graph: GraphProto, opset: int, metadata: Mapping[str, str]) -> ModelProto:
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=IR_VERSIONS[opset],
        producer_name="cnndsl",
        producer_version=metadata.get("cnndsl_version", ""),
    )
    for key in sorted(metadata):
        model.metadata_props.add(key=key, value=metadata[key])
    return model
