"""The inference graph: explicit pads, dynamic batch, weights as constants, deterministic."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from cnndsl.backend.views import write_mean, write_views
from cnndsl.graph.emitter import Emitter
from cnndsl.graph.export import IR_VERSIONS
from cnndsl.graph.pipeline import State
from cnndsl.graph.tape import Tape, Value
from cnndsl.ir import Model
from cnndsl.lower.driver import Plan
from cnndsl.lower.inference import lower_inference
from cnndsl.recipe import Views
from cnndsl.recipe_checks import check_views
from cnndsl.source import UserError, counted
from cnndsl.weights.base import Weights
from cnndsl.weights.model_info import ModelInfo

OPTIMIZE = ("cpu",)


@dataclass(frozen=True)
class Options:
    """How the inference graph is made.

    `batch` is fixed if given, else symbolic. With `uint8` the input is N×H×W×C uint8, divided by
    255 and normalised, all inside the graph. `info` says how, and names the classes of the main
    output in the metadata. With `optimize` "cpu" convolutions are computed as `plan` says, for a
    fixed batch; where nothing is won the graph is the plain one. Outputs are means over
    the `views`.
    """

    opset: int = 17
    batch: int | None = None
    fold: bool = True
    uint8: bool = False
    info: ModelInfo = field(default_factory=ModelInfo)
    optimize: str | None = None
    plan: Plan = field(default_factory=Plan)
    views: Views = field(default_factory=Views)

    def check(self, model: Model) -> None:
        """UserError for options that make no graph for this model."""
        if self.opset not in IR_VERSIONS:
            low, high = min(IR_VERSIONS), max(IR_VERSIONS)
            raise UserError(f"opset {self.opset}: cnndsl writes {low} to {high}")
        if self.batch is not None and self.batch < 1:
            raise UserError(f"a batch of {self.batch}: give at least 1, or None for any")
        if self.optimize not in (None, *OPTIMIZE):
            raise UserError(f"optimize: {self.optimize!r} is none of {', '.join(OPTIMIZE)}")
        if self.optimize and self.batch is None:
            raise UserError("to optimize a graph needs a fixed batch: --batch 1, or batch=1")
        if self.optimize is None and self.plan != Plan():
            raise UserError("algorithms of convolution are for training, or with optimize")
        if self.uint8 and len(model.input) != 3:
            raise UserError(
                f"uint8 pictures need an image input, not {counted(model.input[0], 'feature')}"
            )
        check_views(model, self.views)
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


class OpenEmitter(Emitter):
    """Gives layers their weights as inputs of the graph, in ONNX's layout."""

    def __init__(self, tape: Tape, model: Model) -> None:
        super().__init__(tape)
        self._shapes = {name: p.shape for name, p in model.tensors().items()}
        self._known: dict[str, Value] = {}

    def param(self, name: str) -> Value:
        """The weight as an input that bears its name."""
        full = f"{self.tape.path}.{name}"
        if full not in self._known:
            self._known[full] = self.tape.input(full, self._shapes[full])
        return self._known[full]


def open_tape(model: Model) -> Tape:
    """The inference graph of normalised images, with every weight as an input."""
    tape = Tape()
    values = write_layers(model, OpenEmitter(tape, model), tape.input("input", ("N", *model.input)))
    tape.outputs = {name: values[i] for name, i in model.outputs.items()}
    return tape


def write_layers(model: Model, emitter: Emitter, x: Value) -> list[Value]:
    """Write every layer of a model on the emitter's tape; returns the outputs of all nodes."""
    values = list[Value]()
    for node in model.nodes:
        emitter.tape.path, emitter.tape.line = node.path, node.line
        inputs = tuple(values[i] for i in node.inputs) or (x,)
        values.append(node.layer.apply(emitter, inputs))
    emitter.tape.path, emitter.tape.line = "", 0
    return values


@dataclass(frozen=True)
class InferenceState(State):
    """An inference graph while it is built."""

    model: Model
    weights: Weights
    options: Options
    algorithms: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of each convolution that is not ONNX's own, by lower."""


def emit(state: InferenceState) -> InferenceState:
    """The forward pass, every layer by ONNX's own operators."""
    tape, model, options = Tape(), state.model, state.options
    if options.uint8:
        x = _pictures(tape, model, options)
    else:
        x = tape.input("input", (options.batch or "N", *model.input))
    seen = write_views(tape, x, options.views)
    values = write_layers(model, InferenceEmitter(tape, state.weights), seen)
    tape.outputs = {
        name: write_mean(tape, values[i], options.views) for name, i in model.outputs.items()
    }
    return replace(state, tape=tape)


def deploy(state: InferenceState) -> InferenceState:
    """What the task appends to each output, such as the sigmoid of multi-label classification."""
    task, tape = state.options.info.task, state.tape
    if task is not None:
        tape.outputs = {name: task.deployed(tape, value) for name, value in tape.outputs.items()}
    return state


def lower(state: InferenceState) -> InferenceState:
    """Convolutions by faster algorithms where they win; all else stays."""
    if state.options.optimize is None:
        return state
    tape, algorithms = lower_inference(state.tape, state.options.plan)
    return replace(state, tape=tape, algorithms=algorithms)


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
