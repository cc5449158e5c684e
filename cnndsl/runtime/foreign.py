"""A look at an ONNX file before a session opens it: size, external data, domains, dimensions."""

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cnndsl.argument_types import WrongType, shown
from cnndsl.files import refuse_run_folder
from cnndsl.runtime.node_order import sort_nodes
from cnndsl.runtime.outline import outline
from cnndsl.source import UserError, counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, ValueInfoProto

_MAX_DIM = 2**31
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
_UINT8 = 2
_TYPES = (1, _UINT8, 10)  # float32, uint8, float16
_CHANNELS = (1, 3)  # of image files
_GIVES_SIZE = (
    "\n  cnndsl decompile MODEL --size HxW -o NET.cnn --weights NET.safetensors gives it one"
)


def load_model(path: Path) -> "ModelProto":
    """The parsed file, not looked at; UserError where it is not an ONNX file."""
    import onnx
    from google.protobuf.message import DecodeError

    refuse_run_folder(path, "weights/best.onnx")
    if path.suffix == ".cnn":
        raise UserError(f"{path} is a spec\n  `cnndsl compile` writes its ONNX graph")
    try:
        return _opened(onnx.load_model_from_string(path.read_bytes()))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    except DecodeError:
        raise UserError(f"{path} is not an ONNX file, or one nested too deeply") from None


def _opened(model: "ModelProto") -> "ModelProto":
    """The model with its operators in order; a size of −1, which Paddle writes, is left open."""
    graph = model.graph
    sort_nodes(graph)
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_value == -1:
                dim.ClearField("value")
    return model


def inputs(graph: "GraphProto") -> "list[ValueInfoProto]":
    """What a caller has to give: the inputs that are no constants, which older files list there,
    and that something reads; tf2onnx leaves some that nothing does.
    """
    constants = {t.name for t in graph.initializer}
    read = {x for node in graph.node for x in node.input} | {o.name for o in graph.output}
    given = [i for i in graph.input if i.name not in constants]
    return [i for i in given if i.name in read] or given


def is_channels_last(sizes: "Sequence[int]", uint8: bool) -> bool:
    """Whether images of these three sizes, 0 where open, are height, width, channels.

    The end that can be the channels of image files decides; where both or none can, uint8 images
    have them last.
    """
    first, last = sizes[0] in _CHANNELS, sizes[-1] in _CHANNELS
    return uint8 if first == last else last


def fix_size(model: "ModelProto", height: int, width: int) -> None:
    """Write a size into a model that leaves height and width of its images open.

    UserError where it does not, or has another size.
    """
    for kind in (info.type.tensor_type for info in inputs(model.graph)):
        dims = kind.shape.dim
        if len(dims) != 4:
            raise UserError("the model takes no images: --size says nothing to it")
        sizes = [d.dim_value for d in dims[1:]]
        pair = dims[1:3] if is_channels_last(sizes, kind.elem_type == _UINT8) else dims[2:4]
        for dim, size in zip(pair, (height, width), strict=True):
            if dim.dim_value not in (0, size):
                raise UserError(
                    f"the model takes images of {pair[0].dim_value}x{pair[1].dim_value}"
                )
            dim.dim_value = size


def load_checked(path: Path) -> "ModelProto":
    """The parsed model; UserError for anything that should not reach onnxruntime."""
    return checked(load_model(path), str(path))


def checked(model: "ModelProto", name: str = "the model") -> "ModelProto":
    """The model, without inputs that nothing reads; UserError as `load_checked`."""
    if type(model).__name__ != "ModelProto":
        raise WrongType(f"a compiled model is an .onnx file or a ModelProto, not {shown(model)}")
    problem = _problem(model, name)
    if problem is None:
        model = _with_output_shapes(model)
        problem = _inferred_problem(name, model)
    if problem:
        raise UserError(f"{name}: refused, {problem}")
    return _without_unread(model)


def _with_output_shapes(model: "ModelProto") -> "ModelProto":
    """With those that a file leaves out: onnxruntime infers them, onnx's checker refuses it."""
    import onnx

    if all(info.type.tensor_type.HasField("shape") for info in model.graph.output):
        return model
    try:
        inferred = onnx.shape_inference.infer_shapes(outline(model), data_prop=True)
    except Exception:  # several unrelated types; the check tells what is wrong
        return model
    copy = type(model)()
    copy.CopyFrom(model)
    for own, known in zip(copy.graph.output, inferred.graph.output, strict=True):
        own.CopyFrom(known)
    return copy


def _without_unread(model: "ModelProto") -> "ModelProto":
    """onnxruntime asks for inputs that nothing reads, too."""
    given = inputs(model.graph)
    constants = {t.name for t in model.graph.initializer}
    kept = [i for i in model.graph.input if i.name in constants or i in given]
    if len(kept) == len(model.graph.input):
        return model
    copy = type(model)()
    copy.CopyFrom(model)
    del copy.graph.input[:]
    copy.graph.input.extend(kept)
    return copy


def _problem(model: "ModelProto", name: str) -> str | None:
    graph = model.graph
    attributes = [a for n in graph.node for a in n.attribute]
    foreign = sorted({n.domain for n in graph.node if n.domain not in _DOMAINS})
    if foreign:
        return f"it uses operators of the domain {foreign[0]}"
    if any(a.HasField("g") or a.graphs for a in attributes):
        return "it has subgraphs (If, Loop, Scan), which cnndsl never writes"
    if model.functions or model.training_info:
        return "it has functions or a training graph, which cnndsl never writes"
    return (
        _data_problem(graph, attributes, name)
        or _input_problem(graph)
        or _shape_problem((*graph.input, *graph.output, *graph.value_info))
    )


def _data_problem(graph: "GraphProto", attributes: "list[AttributeProto]", name: str) -> str | None:
    inside = (t for a in attributes for t in (*([a.t] if a.HasField("t") else ()), *a.tensors))
    tensors = [*graph.initializer, *inside]
    sparse = any(a.HasField("sparse_tensor") or a.sparse_tensors for a in attributes)
    if any(t.external_data or t.data_location for t in tensors):
        file = name if name.endswith(".onnx") else "model.onnx"
        return (
            "it keeps tensors in other files; bring all into one file first, in Python:\n"
            f"  import onnx; onnx.save(onnx.load({file!r}), 'whole.onnx')"
        )
    if sparse or graph.sparse_initializer:
        return "it has sparse tensors, which cnndsl never writes"
    if any(d < 0 or d >= _MAX_DIM for t in tensors for d in t.dims):
        return "it has impossible dimensions"
    broken = next((t.name for t in tensors if not _is_whole(t)), None)
    return None if broken is None else f"the numbers of `{broken[:80]}` do not fit its shape"


def _is_whole(tensor: "TensorProto") -> bool:
    import onnx

    try:
        cast(Any, onnx).numpy_helper.to_array(tensor)
    except Exception:  # several unrelated types
        return False
    return True


def _input_problem(graph: "GraphProto") -> str | None:
    """One batch of pictures or vectors of a fixed size is all that `run` can give."""
    given = inputs(graph)
    if len(given) != 1 or not graph.output:
        many = f"{counted(len(given), 'input')} and {counted(len(graph.output), 'output')}"
        return f"it has {many}, not one and some"
    kind = given[0].type.tensor_type
    sizes = [d.dim_value for d in kind.shape.dim]
    is_open = kind.elem_type in _TYPES and len(sizes) == 4 and sizes[1:].count(0) <= 2
    if kind.elem_type not in _TYPES or len(sizes) not in (2, 4) or 0 in sizes[1:]:
        return "its input is not a batch of float or uint8 pictures or vectors of a fixed size" + (
            _GIVES_SIZE if is_open else ""
        )
    return None


def _shape_problem(values: "Iterable[ValueInfoProto]") -> str | None:
    for value in values:
        dims = [d.dim_value for d in value.type.tensor_type.shape.dim]
        if any(d < 0 for d in dims) or prod(d or 1 for d in dims) >= _MAX_DIM:
            return f"`{value.name[:80]}` has impossible dimensions: {dims[:8]}"
    return None


def _inferred_problem(name: str, model: "ModelProto") -> str | None:
    """What onnx itself finds: inputs from nowhere, circles, wrong types, sizes on the way."""
    import onnx

    try:
        light = outline(model)
        cast(Any, onnx.checker).check_model(light)
        inferred = onnx.shape_inference.infer_shapes(light, check_type=True, data_prop=True)
    except Exception as error:  # several unrelated types
        raise UserError(f"{name} is not a valid ONNX model: {error}") from None
    return _shape_problem(inferred.graph.value_info)
