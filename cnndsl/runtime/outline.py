"""An ONNX model without the numbers of its large constants, for what looks at operators and shapes.

onnx's checks, shapes and conversions serialise a model several times; with its constants a file of
half a gigabyte would take four.
"""

from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

_SMALL = 1024  # elements: such constants may tell shapes
_IR = 4  # version since which constants are no inputs


def outline(model: "ModelProto") -> "ModelProto":
    """A copy whose large constants are inputs of their types and shapes."""
    graph, kind = model.graph, type(model)
    copy = kind(ir_version=max(model.ir_version, _IR), opset_import=model.opset_import)
    copy.graph.name = graph.name or "net"
    copy.graph.node.extend(graph.node)
    copy.graph.output.extend(graph.output)
    copy.graph.value_info.extend(graph.value_info)
    small = [t for t in graph.initializer if _elements(t) <= _SMALL]
    constants = {t.name for t in graph.initializer}
    copy.graph.initializer.extend(small)
    copy.graph.input.extend(i for i in graph.input if i.name not in constants)
    for tensor in (t for t in graph.initializer if _elements(t) > _SMALL):
        value = copy.graph.input.add(name=tensor.name)
        value.type.tensor_type.elem_type = tensor.data_type
        for size in tensor.dims:
            value.type.tensor_type.shape.dim.add(dim_value=size)
    return copy


def _elements(tensor: "TensorProto") -> int:
    return prod(tensor.dims)
