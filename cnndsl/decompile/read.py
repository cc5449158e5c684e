"""ONNX's protobuf to a graph: one input, a known batch, what is constant computed."""

from typing import TYPE_CHECKING, Any, cast

from cnndsl.decompile.constants import fold
from cnndsl.decompile.graph import Array, Graph, initializers, op_of
from cnndsl.decompile.widen import FLOAT, HALF, widened
from cnndsl.runtime.foreign import inputs
from cnndsl.runtime.opsets import converted, opset_of
from cnndsl.runtime.outline import outline
from cnndsl.source import UserError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_UINT8 = 2  # TensorProto.UINT8
_OLDEST = 13  # opset since which all operators here mean what they mean today
_ROUNDS = 64  # of constants that give shapes that give constants
_BATCH = 13  # stands for a symbolic batch: a number that nets have no other use for
_FOLD_TOTAL = 1 << 25  # elements besides those of the file


def read(model: "ModelProto") -> Graph:
    """The graph of a checked model of one input; its symbolic batch becomes a number."""
    (given,) = inputs(model.graph)
    copy, batch = outline(model), dict[str, Array]()
    is_half = widened(copy)
    _fix_batch(copy, given.name)
    copy = _prepared(_converted(copy), given.name)
    constants = initializers(model) | initializers(copy)  # some are of the conversion
    graph, left = _folded(copy, given.name, constants, batch)
    for _ in range(_ROUNDS):
        is_clear = all(node.output[0] in graph.shapes for node in left)
        if is_clear or len(left) == len(copy.graph.node):
            break
        _replace(copy, left, graph.constants)
        graph, left = _folded(copy, given.name, graph.constants, batch)
    graph.ops = [op_of(node) for node in left]
    graph.uint8 = given.type.tensor_type.elem_type == _UINT8
    if is_half:
        graph.notes.append("the file computes in float16, a spec in float32")
    _name_outputs(graph, model)
    graph.drop_unread()
    return graph


def _fix_batch(model: "ModelProto", given: str) -> None:
    """A number for the batch of the input, in place: conversions of old files need it, too."""
    source = next(i for i in model.graph.input if i.name == given).type.tensor_type
    source.shape.dim[0].dim_value = source.shape.dim[0].dim_value or _BATCH


def _converted(model: "ModelProto") -> "ModelProto":
    """The model by operators that mean what they mean today; older ones are converted."""
    opset = opset_of(model, _OLDEST)
    if opset >= _OLDEST:
        return model
    try:
        return converted(model, _OLDEST)
    except Exception as error:  # several unrelated types
        raise UserError(f"its operators are of opset {opset}, and onnx cannot convert them to "
                        f"{_OLDEST}: {error}") from None  # fmt: skip


def _name_outputs(graph: Graph, model: "ModelProto") -> None:
    """The outputs of a spec: those of numbers. Positions of the largest are left out and noted."""
    makers = graph.makers
    kinds = {o.name: o.type.tensor_type.elem_type for o in model.graph.output}
    floats = [name for name, kind in kinds.items() if kind in (FLOAT, HALF)]
    if not floats:  # a net that ends in the number of the class: its scores stand before
        floats = [
            op.inputs[0] for name in kinds if (op := makers.get(name)) and op.kind == "ArgMax"
        ]
    graph.outputs = floats or list(kinds)
    for name in (name for name in kinds if name not in graph.outputs):
        by = makers[name].kind if name in makers else "a constant"
        graph.notes.append(f"the output `{name}` ({by}) is left out: a spec has scores only")


def _folded(
    model: "ModelProto", given: str, constants: dict[str, Array], batch: dict[str, Array]
) -> "tuple[Graph, list[NodeProto]]":
    """A graph without operators, and those that are no constants."""
    room = _FOLD_TOTAL + 2 * sum(array.size for array in constants.values())
    graph = Graph([], constants, _inferred(model), given, [], room)
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    return graph, [node for node in model.graph.node if not fold(graph, node, opsets, batch)]


def _prepared(model: "ModelProto", given: str) -> "ModelProto":
    """The outline without what the file says of later shapes."""
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    source = next(i for i in model.graph.input if i.name == given).type.tensor_type
    source.elem_type = FLOAT  # of uint8 images the scaling behind is preprocessing
    return model


def _replace(model: "ModelProto", left: "list[NodeProto]", constants: dict[str, Array]) -> None:
    """Computed constants in the place of their operators: onnx finds more shapes then."""
    import onnx

    from_array = cast(Any, onnx).numpy_helper.from_array
    kept = {i.name for i in (*model.graph.initializer, *model.graph.input)}
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
