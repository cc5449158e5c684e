"""A foreign ONNX graph as plain values: operators, constants, shapes with a known batch."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from cnndsl.source import UserError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Array = NDArray[Any]
_FLOAT = 1  # TensorProto.FLOAT
_OLDEST = 13  # opset since which all operators here mean what they mean today
_BATCH = 13  # stands for a symbolic batch: a number that nets have no other use for
_FOLD_LIMIT = 1 << 16  # elements: constants are folded, not inflated
_FOLDED = {
    "Add", "Cast", "Concat", "ConstantOfShape", "Div", "Expand", "Gather", "Identity", "Mul",
    "Reshape", "Slice", "Sqrt", "Squeeze", "Sub", "Transpose", "Unsqueeze",
}  # fmt: skip


@dataclass(frozen=True)
class Op:
    """An operator. Inputs that are left out are ''."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Any]

    @property
    def output(self) -> str:
        """The first output, the only one of all but a few operators."""
        return self.outputs[0]

    def refuse(self, why: str) -> NoReturn:
        """UserError that names the operator."""
        raise UserError(f"`{self.name[:80]}` ({self.kind}): {why}")


@dataclass
class Graph:
    """Operators in order; whatever depends on constants and shapes only is a constant."""

    ops: list[Op]
    constants: dict[str, Array]
    shapes: dict[str, tuple[int, ...]]
    input: str
    outputs: list[str]

    @property
    def batch(self) -> int:
        """Samples of a batch in `shapes`."""
        return self.shapes[self.input][0]


def initializers(model: "ModelProto") -> dict[str, Array]:
    """The constants of a model, by name."""
    import onnx

    to_array = cast(Any, onnx).numpy_helper.to_array
    return {t.name: to_array(t) for t in model.graph.initializer}


def read(model: "ModelProto") -> Graph:
    """The graph of a checked model of one input; its symbolic batch becomes a number."""
    constants = initializers(model)
    (given,) = [i for i in model.graph.input if i.name not in constants]
    if given.type.tensor_type.elem_type != _FLOAT:
        raise UserError("its input is uint8; a spec describes what comes behind the scaling")
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    if opsets.get("", _OLDEST) < _OLDEST:
        raise UserError(f"its operators are of opset {opsets['']}, of which some mean other things"
                        f"\n  onnx.version_converter brings it to {_OLDEST} or newer")  # fmt: skip
    outputs = [o.name for o in model.graph.output]
    graph = Graph([], constants, _inferred(model, given.name), given.name, outputs)
    sizes = set[str]()  # constants that hold a size, perhaps the batch
    for node in model.graph.node:
        value = _constant(graph, node, opsets, sizes)
        if value is None:
            graph.ops.append(_op(node))
            _reshape(graph, graph.ops[-1])
        else:
            graph.constants[node.output[0]] = value
    return graph


def _inferred(model: "ModelProto", given: str) -> dict[str, tuple[int, ...]]:
    """Every shape that onnx can tell once the batch has a number."""
    import onnx

    copy = type(model)()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    for output in copy.graph.output:
        output.type.tensor_type.ClearField("shape")
    first = next(i for i in copy.graph.input if i.name == given).type.tensor_type.shape.dim[0]
    first.dim_value = first.dim_value or _BATCH
    try:
        found = onnx.shape_inference.infer_shapes(copy, data_prop=True).graph
    except Exception as error:  # several unrelated types
        raise UserError(f"onnx finds no shapes for this model: {error}") from None
    values = (*found.input, *found.value_info, *found.output)
    return {
        v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim)
        for v in values
        if v.type.tensor_type.HasField("shape")
        and all(d.HasField("dim_value") for d in v.type.tensor_type.shape.dim)
    }


def _reshape(graph: Graph, op: Op) -> None:
    """The shape behind a Reshape whose target onnx has not followed, but that is constant here."""
    target = graph.constants.get(op.inputs[1]) if op.kind == "Reshape" else None
    before = graph.shapes.get(op.inputs[0]) if target is not None else None
    if target is None or before is None or op.output in graph.shapes or op.attrs.get("allowzero"):
        return
    sizes = [before[i] if d == 0 and i < len(before) else d for i, d in enumerate(target.tolist())]
    known = prod(d for d in sizes if d != -1)
    if known > 0 and min(sizes) >= -1:
        graph.shapes[op.output] = tuple(prod(before) // known if d == -1 else d for d in sizes)


def _op(node: "NodeProto") -> Op:
    import onnx

    value = cast(Any, onnx).helper.get_attribute_value
    attrs = {a.name: _plain(value(a)) for a in node.attribute}
    name = node.name or node.output[0]
    return Op(node.op_type, name, tuple(node.input), tuple(node.output), attrs)


def _plain(value: Any) -> Any:
    """Text as str, lists as tuples, float32 as the shortest number that means it."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):
        return shortest(value)
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


def shortest(value: float) -> float:
    """0.1 for the float32 nearest to it."""
    return float(str(np.float32(value)))


def _constant(
    graph: Graph, node: "NodeProto", opsets: dict[str, int], sizes: set[str]
) -> Array | None:
    """The value of an operator that computes the same for every picture."""
    if node.op_type == "Shape" and node.input[0] in graph.shapes:
        return _sizes(graph, node, sizes)
    is_folded = node.op_type == "Constant" or (
        node.op_type in _FOLDED
        and all(not x or x in graph.constants for x in node.input)
        and _is_small(graph, node)
    )
    if not is_folded:
        return None
    value = _evaluated(graph, node, opsets)
    if not sizes.isdisjoint(node.input):
        if value.dtype.kind == "f":
            return None  # a number made of sizes may hold the batch
        sizes.add(node.output[0])
    return value


def _sizes(graph: Graph, node: "NodeProto", sizes: set[str]) -> Array:
    ends = {a.name: a.i for a in node.attribute}
    sizes.add(node.output[0])
    shape = graph.shapes[node.input[0]][ends.get("start", 0) : ends.get("end")]
    return np.array(shape, np.int64)


def _is_small(graph: Graph, node: "NodeProto") -> bool:
    """Whether the result is about as large as what is there already, at most."""
    shape = graph.shapes.get(node.output[0])
    there = sum(graph.constants[x].size for x in node.input if x)
    return shape is not None and prod(shape) <= max(_FOLD_LIMIT, there)


def _evaluated(graph: Graph, node: "NodeProto", opsets: dict[str, int]) -> Array:
    from onnx.reference import ReferenceEvaluator

    given = {x: graph.constants[x] for x in node.input if x}
    try:
        result = cast(Any, ReferenceEvaluator)(node, opsets=opsets).run(None, given)[0]
    except Exception as error:  # several unrelated types
        _op(node).refuse(f"onnx cannot compute this constant: {error}")
    return np.asarray(result)
