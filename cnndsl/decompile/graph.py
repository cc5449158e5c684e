"""A foreign ONNX graph as plain values: operators, constants, shapes with a known batch."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from cnndsl.runtime.foreign import inputs
from cnndsl.source import UserError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Array = NDArray[Any]
_FLOAT = 1  # TensorProto.FLOAT
_OLDEST = 13  # opset since which all operators here mean what they mean today
_ROUNDS = 10  # of constants that give shapes that give constants
_IR = 4  # version since which constants are no inputs
_BATCH = 13  # stands for a symbolic batch: a number that nets have no other use for
_FOLD_LIMIT = 1 << 23  # elements: constants are folded, not inflated
_FOLD_TOTAL = 1 << 25  # elements besides those of the file
_FOLDED = {
    "Abs", "Add", "Cast", "Ceil", "Concat", "ConstantOfShape", "Div", "Exp", "Expand", "Floor",
    "Gather", "Identity", "Log", "MatMul", "Max", "Min", "Mul", "Neg", "Pow", "Range", "Reciprocal",
    "ReduceMean", "ReduceProd", "ReduceSum", "Reshape", "Slice", "Sqrt", "Squeeze", "Sub",
    "Transpose", "Unsqueeze",
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
    room: int
    """Elements that computed constants may still have."""

    uint8: bool = False
    """Whether the file takes uint8 images; the scaling behind is not in a spec."""
    notes: list[str] = field(default_factory=list[str])
    """What of the file a spec does not say."""

    def drop_unread(self) -> None:
        """Leave out operators, and results of operators, that no output needs."""
        needed, kept = set(self.outputs), list[Op]()
        for op in reversed(self.ops):
            if not needed.isdisjoint(op.outputs):
                more = tuple(name if name in needed else "" for name in op.outputs[1:])
                kept.append(replace(op, outputs=(op.output, *more)))
                needed.update(op.inputs)
        self.ops[:] = kept[::-1]

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
    model = _converted(model)
    (given,) = inputs(model.graph)
    copy, sizes = _prepared(model), set[str]()
    graph, left = _folded(copy, given.name, sizes)
    for _ in range(_ROUNDS):
        is_clear = all(node.output[0] in graph.shapes for node in left)
        if is_clear or len(left) == len(copy.graph.node):
            break
        _replace(copy, left, graph.constants)
        graph, left = _folded(copy, given.name, sizes)
    graph.ops = [_op(node) for node in left]
    graph.uint8 = given.type.tensor_type.elem_type != _FLOAT
    _name_outputs(graph, model)
    graph.drop_unread()
    return graph


def _converted(model: "ModelProto") -> "ModelProto":
    """The model by operators that mean what they mean today; older ones are converted."""
    import onnx

    opset = next((e.version for e in model.opset_import if e.domain == ""), _OLDEST)
    if opset >= _OLDEST:
        return model
    copy = type(model)()
    copy.CopyFrom(model)
    copy.ir_version = max(copy.ir_version, _IR)
    given = inputs(copy.graph)
    del copy.graph.input[:]
    copy.graph.input.extend(given)
    try:
        return cast(Any, onnx).version_converter.convert_version(copy, _OLDEST)
    except Exception as error:  # several unrelated types
        raise UserError(f"its operators are of opset {opset}, and onnx cannot convert them to "
                        f"{_OLDEST}: {error}") from None  # fmt: skip


def _name_outputs(graph: Graph, model: "ModelProto") -> None:
    """The outputs of a spec: those of numbers. Positions of the largest are left out and noted."""
    makers = {name: op for op in graph.ops for name in op.outputs}
    kinds = {o.name: o.type.tensor_type.elem_type for o in model.graph.output}
    floats = [name for name, kind in kinds.items() if kind == _FLOAT]
    if not floats:  # a net that ends in the number of the class: its scores stand before
        floats = [
            op.inputs[0] for name in kinds if (op := makers.get(name)) and op.kind == "ArgMax"
        ]
    graph.outputs = floats or list(kinds)
    for name in (name for name in kinds if name not in graph.outputs):
        by = makers[name].kind if name in makers else "a constant"
        graph.notes.append(f"the output `{name}` ({by}) is left out: a spec has scores only")


def _folded(model: "ModelProto", given: str, sizes: set[str]) -> "tuple[Graph, list[NodeProto]]":
    """A graph without operators, and those that are no constants."""
    constants = initializers(model)
    room = _FOLD_TOTAL + 2 * sum(array.size for array in constants.values())
    graph = Graph([], constants, _inferred(model), given, [], room)
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    return graph, [node for node in model.graph.node if not _fold(graph, node, opsets, sizes)]


def _prepared(model: "ModelProto") -> "ModelProto":
    """A copy whose batch is a number, without what the file says of later shapes."""
    copy = type(model)()
    copy.CopyFrom(model)
    copy.ir_version = max(copy.ir_version, _IR)
    del copy.graph.value_info[:]
    for output in copy.graph.output:
        output.type.tensor_type.ClearField("shape")
    source = inputs(copy.graph)[0].type.tensor_type
    source.elem_type = _FLOAT  # of uint8 images the scaling behind is preprocessing
    source.shape.dim[0].dim_value = source.shape.dim[0].dim_value or _BATCH
    return copy


def _replace(model: "ModelProto", left: "list[NodeProto]", constants: dict[str, Array]) -> None:
    """Computed constants in the place of their operators: onnx finds more shapes then."""
    import onnx

    from_array = cast(Any, onnx).numpy_helper.from_array
    kept = {tensor.name for tensor in model.graph.initializer}
    nodes = [type(node).FromString(node.SerializeToString()) for node in left]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    added = [from_array(array, name) for name, array in constants.items() if name not in kept]
    model.graph.initializer.extend(added)


def _inferred(model: "ModelProto") -> dict[str, tuple[int, ...]]:
    """Every shape that onnx can tell."""
    import onnx

    try:
        found = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except Exception as error:  # several unrelated types
        raise UserError(f"onnx finds no shapes for this model: {error}") from None
    values = (*found.input, *found.value_info, *found.output)
    return {
        v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim)
        for v in values
        if v.type.tensor_type.HasField("shape")
        and all(d.HasField("dim_value") for d in v.type.tensor_type.shape.dim)
    }


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


def _fold(graph: Graph, node: "NodeProto", opsets: dict[str, int], sizes: set[str]) -> bool:
    """Whether an operator computes the same for every picture; the value is then a constant.

    `sizes` are constants made of sizes, perhaps of the batch: none becomes a number of the net.
    """
    if node.op_type == "Shape" and node.input[0] in graph.shapes:
        value = _size(graph, node)
    elif _is_constant(graph, node):
        value = _evaluated(graph, node, opsets)
    else:
        return False
    if node.op_type == "Shape" or not sizes.isdisjoint(node.input):
        if value.dtype.kind == "f":
            return False
        sizes.add(node.output[0])
    graph.constants[node.output[0]] = value
    graph.room -= value.size
    if graph.room < 0:
        raise UserError("its constants would fill the memory when they are computed")
    return True


def _size(graph: Graph, node: "NodeProto") -> Array:
    ends = {a.name: a.i for a in node.attribute}
    shape = graph.shapes[node.input[0]][ends.get("start", 0) : ends.get("end")]
    return np.array(shape, np.int64)


def _is_constant(graph: Graph, node: "NodeProto") -> bool:
    """Whether all is known, and the result about as large as what is there already, at most."""
    if node.op_type == "Constant":
        return True
    if node.op_type not in _FOLDED or any(x and x not in graph.constants for x in node.input):
        return False
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
