"""The forward pass of a training step: emitted for each micro-batch, and lowered."""

from dataclasses import replace

from cnndsl.backend.emitter import TrainingEmitter
from cnndsl.backend.inference import normalised, write_layers
from cnndsl.backend.places import RANGES
from cnndsl.backend.step import StepOptions, StepState
from cnndsl.graph.tape import Tape, Value
from cnndsl.ir import Model
from cnndsl.learned import resting_nodes
from cnndsl.lower.conv.table import check_plan
from cnndsl.lower.driver import Lowering, Plan
from cnndsl.lower.inference import lower_frozen
from cnndsl.lower.layout import onnx_layout
from cnndsl.source import UserError


def emit(state: StepState) -> StepState:
    """Every layer, once for each micro-batch; the output NAME of the i-th is `NAME:i`."""
    model, options = state.model, state.options
    count = options.micro_batches
    if options.batch % count:
        raise UserError(f"a batch of {options.batch} cannot be cut into {count} micro-batches")
    tape = Tape()
    rests = resting_nodes(model, frozenset(options.frozen)) if options.frozen else frozenset[int]()
    resting = {model.nodes[i].path for i in rests}
    emitter = TrainingEmitter(tape, options.dtype, options.frozen, count, resting)
    emitter.shapes = {name: p.shape for name, p in model.tensors().items()}
    images = tuple(_images(tape, model, options))
    for i, x in enumerate(images):
        emitter.at = i
        values = write_layers(model, emitter, x)
        tape.outputs |= {f"{name}:{i}": values[at] for name, at in model.outputs.items()}
    tape.outputs |= emitter.updates
    params = {value: name for name, value in emitter.params.items()}
    randoms = tuple(emitter.randoms)
    return replace(state, tape=tape, params=params, randoms=randoms, images=images)


def _images(tape: Tape, model: Model, options: StepOptions) -> list[Value]:
    """The micro-batches: N×C×H×W uint8, normalised in the graph; float for vectors, or if asked."""
    image = len(model.input) == 3 and not options.floats
    x = tape.input("x", (options.batch, *model.input), "uint8" if image else options.dtype)
    each = options.batch // options.micro_batches
    parts = [x]
    if options.micro_batches > 1:
        parts = tape.ops("Split", x, tape.ints([each] * options.micro_batches), axis=0)
    if not image:
        return parts
    floats = [tape.op("Cast", part, to=options.dtype) for part in parts]
    return [normalised(tape, part, options.mean, options.std) for part in floats]


def lower_constant(state: StepState) -> StepState:
    """What is frozen by the algorithms of inference, whose weights are constants."""
    options = state.options
    if not options.frozen or options.plan != Plan() or options.dtype != "float32":
        return state
    kept = state.results().values()
    tape, algorithms = lower_frozen(state.tape, state.weights.values(), kept)
    return replace(state, tape=tape, algorithms={**state.algorithms, **algorithms})


def lower(state: StepState) -> StepState:
    """Every operator as primitives, in the layouts and by the algorithms that are fast."""
    model, options, high = state.model, state.options, state.tape
    check_plan(options.plan, "train")
    lowering = Lowering(high, options.plan, dict(state.params))
    lowering.run()
    outputs = tuple(
        {
            name: state.task.output(lowering.tape, lowering.nchw(high.outputs[f"{name}:{i}"]))
            for name in model.outputs
        }
        for i in range(options.micro_batches)
    )
    emitted = {f"{name}:{i}" for name in model.outputs for i in range(options.micro_batches)}
    statistics = {n: lowering.nchw(v) for n, v in high.outputs.items() if n not in emitted}
    lowering.tape.outputs = {f"{name}.new": value for name, value in statistics.items()}
    weights, layouts = lowering.packed_params, lowering.layouts
    if state.ranges in lowering.tape.inputs:
        weights |= {RANGES: state.ranges}
        layouts |= {RANGES: onnx_layout(tuple(int(d) for d in state.ranges.shape))}
    return replace(
        state, tape=lowering.tape, outputs=outputs, statistics=statistics,
        weights=weights, layouts=layouts, algorithms=lowering.chosen,
    )  # fmt: skip
