"""What depends on constants only is computed while compiling."""

from typing import TYPE_CHECKING, Any, cast

from cnndsl.graph.rewrite import rewrite
from cnndsl.graph.tape import Node, Tape, Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LIMIT = 1 << 16  # elements: constants are folded, not inflated


def fold_constants(tape: Tape) -> Tape:
    """Compute what depends on constants only, if it is small."""
    return rewrite(tape, _folded)


def _folded(tape: Tape, node: Node) -> list[Value] | None:
    if len(node.outputs) != 1 or node.outputs[0].size > _LIMIT:
        return None
    if not all(v is None or v in tape.consts for v in node.inputs):
        return None
    return [tape.const(_evaluate(tape, node))]


def _evaluate(tape: Tape, node: Node) -> "NDArray[Any]":
    """The value of a node with constant inputs, by ONNX's reference implementation."""
    import numpy as np
    from onnx.reference import ReferenceEvaluator

    from cnndsl.graph.export import export

    alone = Tape(nodes=[node], consts=tape.consts, outputs={"y": node.outputs[0]})
    evaluator = cast(Any, ReferenceEvaluator(export(alone, "constant", 21)))
    (result,) = evaluator.run(None, {})
    return np.asarray(result, node.outputs[0].dtype)
