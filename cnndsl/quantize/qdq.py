"""A float32 model with its layers in eight bits, by onnxruntime's quantiser."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cnndsl.quantize.graph import finished, operators, outside, quiet
from cnndsl.source import UserError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto


@dataclass(frozen=True)
class Scheme:
    """How floats become integers.

    Activations are uint8 in the ranges of a calibration `method`; weights are int8, symmetric, with
    a scale of their own for each output channel where it is `per_channel`; with `reduce_range` they
    use seven bits, for CPUs whose 16-bit sums saturate.
    """

    method: str
    per_channel: bool
    reduce_range: bool = False

    @property
    def text(self) -> str:
        """`minmax, per channel`."""
        return f"{self.method}, per {'channel' if self.per_channel else 'tensor'}"


def quantised(
    model: "ModelProto",
    ranges: Any,
    scheme: Scheme,
    keep_float: Sequence[str] = (),
    only: Sequence[str] = (),
) -> "ModelProto":
    """The model with QuantizeLinear and DequantizeLinear around its operators.

    Nodes that `keep_float` names stay as they are; with `only`, all but those. Outputs are not
    quantised. UserError where onnxruntime cannot quantise the model.
    """
    copy = type(model)()
    copy.CopyFrom(model)
    kinds: Any = import_module("onnxruntime.quantization.quant_utils").QuantType
    quantizer: Any = import_module("onnxruntime.quantization.qdq_quantizer").QDQQuantizer
    try:
        with quiet():
            work = quantizer(
                copy, scheme.per_channel, scheme.reduce_range, kinds.QInt8, kinds.QUInt8, ranges,
                list(only), [*keep_float, *outside(model)], operators(), {},
            )  # fmt: skip
            work.quantize_model()
    except Exception as error:  # onnxruntime raises a dozen unrelated types
        raise UserError(f"onnxruntime cannot quantise the model: {error}") from None
    _leave_outputs(work.model.model, {*outside(model)})
    return finished(work.model.model, model)


def _leave_outputs(model: "ModelProto", outside: Set[str]) -> None:
    """Take the quantisation of outputs away: 256 steps are few for close scores.

    An output is what the model gives, or what nodes `outside` of all layers go on with: a sigmoid.
    """
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    behind = [node for node in graph.node if node.name in outside]
    given, loose = [output.name for output in graph.output], set[str]()
    for name in (*given, *dict.fromkeys(x for node in behind for x in node.input)):
        back = makers.get(name)
        there = makers.get(back.input[0]) if back and back.op_type == "DequantizeLinear" else None
        if back is None or there is None or there.op_type != "QuantizeLinear":
            continue
        exact, kept = there.input[0], name if name in given else there.input[0]
        graph.node.remove(back)
        graph.node.remove(there)
        loose |= {*back.input[1:], *there.input[1:]}
        for node in graph.node:
            for old in {name, exact} - {kept}:
                _renamed(node.input, old, kept)
                _renamed(node.output, old, kept)
    _drop_unread(graph, loose)


def _drop_unread(graph: "GraphProto", names: Set[str]) -> None:
    """Take constants away that nothing reads any more: onnxruntime warns of each."""
    unread = names - {name for node in graph.node for name in node.input}
    for tensor in [t for t in graph.initializer if t.name in unread]:
        graph.initializer.remove(tensor)


def _renamed(names: Any, old: str, new: str) -> None:
    """Rename in place, in a repeated field."""
    for i, name in enumerate(names):
        if name == old:
            names[i] = new
