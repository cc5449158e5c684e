"""Grad-CAM as a graph: images → `probabilities` and `heat`, what of an image the answer rests on.

heat = ReLU(Σₖ αₖ Aᵏ), αₖ the mean over the places of ∂score/∂Aᵏ, for the last image A before the
outputs and the score of the answer, over its largest value and scaled to the input's size. Source:
Selvaraju et al., arXiv:1610.02391.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cnndsl.backend.inference import InferenceState, Options, emit
from cnndsl.backend.pipelines import SIMPLIFY
from cnndsl.graph.passes.fold_batch_norm import fold_batch_norm
from cnndsl.graph.tape import Tape, Value
from cnndsl.graph.vjp import gradients
from cnndsl.ir import Model
from cnndsl.lower.driver import Lowering, Plan
from cnndsl.source import UserError
from cnndsl.tasks import usual
from cnndsl.weights.base import Weights

_NCHW = Plan(device="cuda")  # every image stays in ONNX's layout
_TINY = 1e-12


@dataclass(frozen=True)
class Why:
    """The graph, and the layer whose image is weighed."""

    tape: Tape
    layer: str


def why(model: Model, weights: Weights, options: Options) -> Why:
    """The graph for a fixed batch, one image unless the options say another.

    UserError for a task that answers by a mask, and for a model without an image before its output.
    """
    task = options.info.task or usual()
    if task.moves or any(size != 1 for size in model.output_shapes()[model.main_output][1:]):
        raise UserError("a heat map explains one answer an image, and the model gives a map")
    fixed = replace(options, batch=options.batch or 1)
    tape = fold_batch_norm(emit(InferenceState(model=model, weights=weights, options=fixed)).tape)
    before, layer = _last_image(tape, tape.outputs[model.main_output])
    front, head = _cut(tape, before, tape.outputs[model.main_output])
    lowering = Lowering(head, _NCHW, {before: before.name})
    lowering.run()
    new, x = lowering.tape, lowering.packed_params[before.name]
    y = task.output(new, lowering.nchw(head.outputs["y"]))
    score = task.explained(new, y)
    total = new.op("ReduceSum", score, new.ints(range(len(score.shape))), keepdims=0)
    (slope,) = gradients(new, total, [x])
    new.path, new.line = "", 0
    outputs = {"probabilities": task.chances(new, y), "heat": _heat(new, x, slope, model.input)}
    return Why(_simple(_joined(front, new, {x: before}, outputs)), layer)


def _last_image(tape: Tape, output: Value) -> tuple[Value, str]:
    """The last value of more than one place on the way to an output, and its layer's path."""
    needed, found = {output}, None
    for node in reversed(tape.nodes):
        if needed.isdisjoint(node.outputs):
            continue
        needed.update(v for v in node.inputs if v is not None)
        if found is None and node.path and _is_image(node.outputs[0]):
            found = node
    if found is None or output in found.outputs:
        raise UserError("the model has no layer with an image before its output")
    return found.outputs[0], found.path


def _is_image(value: Value) -> bool:
    return len(value.shape) == 4 and any(size != 1 for size in value.shape[2:])


def _cut(tape: Tape, image: Value, output: Value) -> tuple[Tape, Tape]:
    """What is not made of an image, and what of it is on the way to the output, which it calls y.

    Values of the first that the second reads are its inputs.
    """
    before, later = tape.parted([image])
    front, head = tape.replaced(before), tape.replaced(later)
    made = {value for node in later for value in node.outputs}
    read = dict.fromkeys(value for node in later for value in node.inputs if value is not None)
    head.inputs = [value for value in read if value not in made and value not in tape.consts]
    head.outputs = {"y": output}
    return front, head


def _heat(tape: Tape, image: Value, slope: Value, size: Sequence[int]) -> Value:
    """N×H×W in 0…1, of the input's size."""
    weights = tape.op("ReduceMean", slope, tape.ints([2, 3]), keepdims=1)
    weighed = tape.op("ReduceSum", tape.op("Mul", weights, image), tape.ints([1]), keepdims=0)
    small = tape.op("Relu", weighed)
    (height, width), (down, across) = size[1:], (int(d) for d in small.shape[1:])
    rows, columns = _stretch(down, height), _stretch(across, width).T
    large = tape.op("MatMul", tape.op("MatMul", tape.const(rows), small), tape.const(columns))
    top = tape.op("ReduceMax", large, tape.ints([1, 2]), keepdims=1)
    return tape.op("Div", large, tape.op("Max", top, tape.scalar(_TINY)))


def _stretch(count: int, size: int) -> NDArray[np.float32]:
    """The matrix that scales a row of `count` values to `size`: linear, by the pixels' middles."""
    at = np.clip((np.arange(size) + 0.5) * count / size - 0.5, 0, count - 1)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(count))).astype(np.float32)


def _joined(
    front: Tape, head: Tape, swap: dict[Value, Value], outputs: dict[str, Value]
) -> Tape:  # fmt: skip
    """One tape of both, the head's inputs replaced."""
    later = [
        replace(node, inputs=tuple(swap.get(v, v) if v else None for v in node.inputs))
        for node in head.nodes
    ]
    head.inputs, head.outputs = front.inputs, outputs
    return head.replaced([*front.nodes, *later])


def _simple(tape: Tape) -> Tape:
    for change in SIMPLIFY:
        tape = change(tape)
    return tape
