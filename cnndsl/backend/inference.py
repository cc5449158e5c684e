"""Model to inference graph: batch-norm folded, explicit pads, dynamic batch, deterministic."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cnndsl.graph.emitter import Emitter
from cnndsl.graph.export import IR_VERSIONS, export
from cnndsl.graph.passes.fold_batch_norm import fold_batch_norm
from cnndsl.graph.tape import Tape, Value
from cnndsl.ir import Model, Node
from cnndsl.source import UserError
from cnndsl.version import LANGUAGE, version
from cnndsl.weights.base import Weights
from cnndsl.weights.model_info import ModelInfo

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True)
class Options:
    """How the inference graph is made.

    `batch` is fixed if given, else symbolic. With `uint8` the input is N×H×W×C uint8, divided by
    255 and normalised, all inside the graph. `info` says how, and names the classes of the main
    output in the metadata.
    """

    opset: int = 17
    batch: int | None = None
    fold: bool = True
    uint8: bool = False
    info: ModelInfo = field(default_factory=ModelInfo)

    def check(self, model: Model) -> None:
        """UserError for options that make no graph for this model."""
        if self.opset not in IR_VERSIONS:
            low, high = min(IR_VERSIONS), max(IR_VERSIONS)
            raise UserError(f"opset {self.opset}: cnndsl writes {low} to {high}")
        if self.batch is not None and self.batch < 1:
            raise UserError(f"a batch of {self.batch}: give at least 1, or None for any")
        if self.uint8 and len(model.input) != 3:
            raise UserError(f"uint8 pictures need an image input, not {model.input[0]} features")
        outputs = model.output_shapes()[model.main_output]
        self.info.check(model.input[0], outputs[0])


class InferenceEmitter(Emitter):
    """Gives layers their weights as constants."""

    def __init__(self, tape: Tape, weights: Weights) -> None:
        super().__init__(tape)
        self._weights = weights
        self._known: dict[str, Value] = {}

    def param(self, name: str) -> Value:
        """The weight as a named constant."""
        full = f"{self.tape.path}.{name}"
        if full not in self._known:
            self._known[full] = self.tape.const(self._weights[full], full)
        return self._known[full]


def write_layers(model: Model, emitter: Emitter, x: Value) -> list[Value]:
    """Write every layer of a model on the emitter's tape; returns the outputs of all nodes."""
    values = list[Value]()
    for node in model.nodes:
        emitter.tape.path, emitter.tape.line = node.path, node.line
        inputs = tuple(values[i] for i in node.inputs) or (x,)
        values.append(node.layer.apply(emitter, inputs))
    emitter.tape.path, emitter.tape.line = "", 0
    return values


def inference_tape(model: Model, weights: Weights, options: Options) -> Tape:
    """The forward pass on a tape."""
    tape = Tape()
    batch = options.batch or "N"
    if options.uint8:
        x = _pictures(tape, model, options)
    else:
        x = tape.input("input", (batch, *model.input))
    values = write_layers(model, InferenceEmitter(tape, weights), x)
    tape.outputs = {name: values[i] for name, i in model.outputs.items()}
    if options.info.task is not None:
        deploy = options.info.task.deployed
        tape.outputs = {name: deploy(tape, value) for name, value in tape.outputs.items()}
    return fold_batch_norm(tape) if options.fold else tape


def _pictures(tape: Tape, model: Model, options: Options) -> Value:
    """The input N×H×W×C uint8, normalised to N×C×H×W."""
    channels, height, width = model.input
    raw = tape.input("input", (options.batch or "N", height, width, channels), "uint8")
    first = tape.op("Transpose", tape.op("Cast", raw, to="float32"), perm=(0, 3, 1, 2))
    return normalised(tape, first, options.info.mean, options.info.std)


def normalised(tape: Tape, x: Value, mean: tuple[float, ...], std: tuple[float, ...]) -> Value:
    """(x / 255 − mean) / std of x: N×C×H×W, by channel."""
    scale = (1 / (255 * np.array(std))).astype(x.dtype).reshape(-1, 1, 1)
    shift = (-np.array(mean) / np.array(std)).astype(x.dtype).reshape(-1, 1, 1)
    scaled = tape.op("Mul", x, tape.const(scale))
    return tape.op("Add", scaled, tape.const(shift)) if shift.any() else scaled


def inference_model(model: Model, weights: Weights, options: Options) -> "ModelProto":
    """The ONNX model; its metadata hold the source text, the version and the settings.

    A float input takes pictures that are normalised already: the metadata say how they are.
    """
    tape = inference_tape(model, weights, options)
    said = metadata(model)
    said |= options.info.onnx_metadata()
    return export(tape, model.name, options.opset, said, lines(model))


def metadata(model: Model) -> dict[str, str]:
    """What the ONNX file says of its origin."""
    used = {"cnndsl_used": json.dumps(dict(model.used))} if model.used else {}
    return {
        "cnndsl_version": version(),
        "cnndsl_language": str(LANGUAGE),
        "cnndsl_source": model.source.text,
        **used,
        "cnndsl_settings": json.dumps(dict(model.settings), sort_keys=True),
        "cnndsl_input": json.dumps(list(model.input)),
    }


def lines(model: Model) -> dict[int, str]:
    """`model.cnn:3: conv 64 3x3` for each line that has a layer (of the spec itself)."""
    return {node.line: _place(node) for node in model.nodes if node.span.source is model.source}


def _place(node: Node) -> str:
    source = node.span.source
    name = source.path.name if source.path else source.name
    return f"{name}:{node.line}: {source.line(node.line).strip()}"
