"""Numbers of 16 bits as float32: a file that computes with them means the same in float32."""

from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onnx import AttributeProto, ModelProto, TensorProto

FLOAT, HALF = 1, 10
"""TensorProto.FLOAT and FLOAT16."""


def widened(model: "ModelProto") -> bool:
    """Write float32 in the place of float16, in place; whether there was any."""
    graph = model.graph
    values = (*graph.input, *graph.output, *graph.value_info)
    kinds = [value.type.tensor_type for value in values]
    halves = [kind for kind in kinds if kind.elem_type == HALF]
    tensors = [t for t in (*graph.initializer, *_inside(model)) if t.data_type == HALF]
    casts = [a for a in _attributes(model) if a.name == "to" and a.i == HALF]
    for kind in halves:
        kind.elem_type = FLOAT
    for tensor in tensors:
        _widen(tensor)
    for attribute in casts:
        attribute.i = FLOAT
    return bool(halves or tensors or casts)


def _attributes(model: "ModelProto") -> "Iterator[AttributeProto]":
    return (attribute for node in model.graph.node for attribute in node.attribute)


def _inside(model: "ModelProto") -> "list[TensorProto]":
    """The constants in operators."""
    return [attribute.t for attribute in _attributes(model) if attribute.HasField("t")]


def _widen(tensor: "TensorProto") -> None:
    import onnx

    helper = cast(Any, onnx).numpy_helper
    array = helper.to_array(tensor).astype(np.float32)
    tensor.CopyFrom(helper.from_array(array, tensor.name))
