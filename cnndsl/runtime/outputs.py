"""What the outputs of an ONNX model are: which is the main one, and what its numbers stand for."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from cnndsl.runtime.foreign import inputs
from cnndsl.source import UserError, option

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, ValueInfoProto

_USUAL = ("output", "probabilities")
"""What the main output is called where others stand beside it."""
_FLOATS = (1, 10, 11)  # float32, float16, float64
_KEEPING = (  # operators behind which numbers stand for what they stood for before
    "Cast", "DequantizeLinear", "Flatten", "Identity", "QuantizeLinear", "Reshape", "Squeeze",
    "Transpose", "Unsqueeze",
)  # fmt: skip


class Scale(Enum):
    """What the numbers of an output are: any, or probabilities of one of many, or of each."""

    LOGITS = "logits"
    SOFTMAX = "probabilities that sum to one"
    SIGMOID = "a probability each"


@dataclass(frozen=True)
class Output:
    """An output by its name and place; `shape` has 0 where a dimension is not fixed."""

    name: str
    index: int
    shape: tuple[int, ...]
    scale: Scale

    @property
    def is_vector(self) -> bool:
        """Whether it is N×C or N×C×1×1."""
        return len(self.shape) == 2 or (len(self.shape) == 4 and self.shape[2:] == (1, 1))


def main_output(model: "ModelProto", name: str | None = None) -> Output:
    """The output that is asked for, or the one called `output` or `probabilities`, or the only one
    with a score for each class; of a model of our own the last one. UserError where none of these
    is the one.
    """
    outputs = [_described(model, i) for i in range(len(model.graph.output))]
    floats = [o for o, info in zip(outputs, model.graph.output, strict=True) if _is_float(info)]
    listed = ", ".join(f"`{o.name}`" for o in floats)
    usual = [o.name for o in floats if o.name in _USUAL]
    wanted = name or (usual[0] if usual else None)
    if wanted is not None:
        found = [o for o in floats if o.name == wanted]
    elif model.producer_name == "cnndsl":
        found = floats[-1:]
    else:
        found = [o for o in floats if o.is_vector and o.shape[0] == _batch(model)] or floats
    if len(found) == 1:
        return found[0]
    if name:
        raise UserError(f"the model has no output `{name}` of scores; it has {listed or 'none'}")
    if not found:
        raise UserError("the model's main output is not a row of scores for each picture")
    raise UserError(
        f"the model has several outputs: {listed}\n  say which: {option('output', found[0].name)}"
    )


def _batch(model: "ModelProto") -> int:
    """The images of the input's batch, 0 where that is symbolic."""
    return inputs(model.graph)[0].type.tensor_type.shape.dim[0].dim_value


def _described(model: "ModelProto", index: int) -> Output:
    info = model.graph.output[index]
    shape = tuple(d.dim_value for d in info.type.tensor_type.shape.dim)
    return Output(info.name, index, shape, _scale(model, info.name))


def _is_float(info: "ValueInfoProto") -> bool:
    return info.type.tensor_type.elem_type in _FLOATS


def _scale(model: "ModelProto", output: str) -> Scale:
    """By the operator that makes the numbers, looked for behind those that keep them."""
    makers = {name: node for node in model.graph.node for name in node.output}
    node = makers.get(output)
    while node is not None and node.op_type in _KEEPING:
        node = makers.get(node.input[0])
    if node is None:
        return Scale.LOGITS
    if node.op_type == "Softmax" or _is_written_softmax(node, makers):
        return Scale.SOFTMAX
    return Scale.SIGMOID if node.op_type == "Sigmoid" else Scale.LOGITS


def _is_written_softmax(node: "NodeProto", makers: "dict[str, NodeProto]") -> bool:
    """Whether it is exp(x) over its sum, as some exporters write a softmax."""
    if node.op_type != "Div":
        return False
    numbers, total = (makers.get(name) for name in node.input)
    is_sum = total is not None and total.op_type == "ReduceSum" and total.input[0] == node.input[0]
    return is_sum and numbers is not None and numbers.op_type == "Exp"
