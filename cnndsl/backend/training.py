"""Model to training step: forward, loss, backward and optimizer as one graph of ordinary operators.

State goes in and comes out: for each tensor NAME there is an input `NAME` and an output `NAME.new`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cnndsl.backend.emitter import TrainingEmitter
from cnndsl.backend.inference import emit, normalised
from cnndsl.backend.synchronised import synchronise
from cnndsl.backend.update import write_update
from cnndsl.graph import rules
from cnndsl.graph.idioms import use_fast_idioms
from cnndsl.graph.passes.node_order import write_for_runtime
from cnndsl.graph.simplify import drop_dead, merge_reshapes, share_common, simplify
from cnndsl.graph.tape import Tape, Value
from cnndsl.graph.vjp import gradients
from cnndsl.ir import Model
from cnndsl.layers.norm import BatchNorm
from cnndsl.lower.commute import pool_first
from cnndsl.lower.conv import check_plan
from cnndsl.lower.driver import Lowering, Plan
from cnndsl.lower.layout import Layout
from cnndsl.recipe import Recipe
from cnndsl.source import UserError
from cnndsl.tasks import Task
from cnndsl.weights.base import Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPSET = 18
_AUXILIARY = 0.3  # weight of the losses of outputs beside the main one (GoogLeNet's)


@dataclass(frozen=True)
class StepOptions:
    """How the step is made: pictures a step, in how many pieces, and how it is computed.

    `soft` takes blended targets (mixup) instead of those that the data have.
    """

    batch: int
    pieces: int = 1
    plan: Plan = field(default_factory=Plan)
    soft: bool = False
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    fast: bool = True
    dtype: str = "float32"


@dataclass
class Step:
    """A training step on a tape, with what its host must know."""

    tape: Tape
    layouts: dict[str, Layout]
    slots: dict[str, tuple[str, ...]]  # state beside each tensor
    randoms: tuple[Value, ...]
    algorithms: dict[str, str]

    def initial_state(self, weights: Weights) -> "dict[str, NDArray[Any]]":
        """Every state tensor at its start, in the step's layout."""
        state: dict[str, NDArray[Any]] = {"step": np.zeros((), np.float32)}
        for name, layout in self.layouts.items():
            state[name] = layout.store(weights[name])
            for slot in self.slots.get(name, ()):
                start = state[name] if slot == "ema" else np.zeros_like(state[name])
                state[f"{name}.{slot}"] = start.copy()
        return state

    def weights(
        self, state: "Mapping[str, NDArray[Any]]", slot: str | None = None
    ) -> "dict[str, NDArray[Any]]":
        """The model's tensors in ONNX's layout; `slot` ("ema") instead where it exists."""
        found: dict[str, NDArray[Any]] = {}
        for name, layout in self.layouts.items():
            has = slot is not None and slot in self.slots.get(name, ())
            found[name] = layout.restore(state[f"{name}.{slot}" if has else name])
        return found

    def restored(self, state: "Mapping[str, NDArray[Any]]") -> "dict[str, NDArray[Any]]":
        """The whole state in ONNX's layout, as checkpoints keep it."""
        return {n: self._layout(n).restore(a) if n != "step" else a for n, a in state.items()}

    def stored(self, state: "Mapping[str, NDArray[Any]]") -> "dict[str, NDArray[Any]]":
        """The opposite of `restored`."""
        return {n: self._layout(n).store(a) if n != "step" else a for n, a in state.items()}

    def _layout(self, name: str) -> Layout:
        return self.layouts.get(name) or self.layouts[name.rpartition(".")[0]]


def training_step(model: Model, recipe: Recipe, options: StepOptions) -> Step:
    """The whole step: (images, targets, lr, state) → (loss, the task's tally, new state)."""
    recipe = resolved(model, recipe)
    back = _backward(model, recipe, options)
    step = back.step
    step.tape.path, step.tape.line = "optimizer", 0
    step.slots = write_update(
        model, recipe, step.tape, back.weights, step.layouts, back.grads, back.statistics
    )
    back.report()
    _finish(step.tape, options)
    return step


def split_step(model: Model, recipe: Recipe, options: StepOptions) -> tuple[Step, Tape]:
    """The step in two graphs, for accumulation and data-parallel training.

    The first gives `loss`, the task's tally, new statistics and `NAME.grad` for each learned
    tensor; the second takes these gradients, `lr` and the state with these statistics, and gives
    the new state.
    """
    recipe = resolved(model, recipe)
    back = _backward(model, recipe, options)
    step, weights = back.step, back.weights
    whole = {name: step.tape.sum(parts) for name, parts in back.grads.items()}
    step.tape.outputs |= {f"{name}.grad": grad for name, grad in whole.items()}
    back.report()
    apply = Tape(path="optimizer")
    averaged = back.statistics if recipe.ema else ()
    taken = {n: apply.input(n, weights[n].shape, weights[n].dtype) for n in (*whole, *averaged)}
    given = {n: [apply.input(f"{n}.grad", g.shape, g.dtype)] for n, g in whole.items()}
    statistics = {n: taken[n] for n in averaged}
    step.slots = write_update(model, recipe, apply, taken, step.layouts, given, statistics)
    for tape in (step.tape, apply):
        _finish(tape, options)
    return step, apply


@dataclass(frozen=True)
class _Backward:
    """A step up to its gradients; lists are by micro-batch."""

    step: Step
    weights: dict[str, Value]
    grads: dict[str, list[Value]]
    statistics: dict[str, Value]
    losses: list[Value]
    tallies: list[Value]
    tally: str

    def report(self) -> None:
        """Write loss and tally, last: what needs all micro-batches would run them as one."""
        tape = self.step.tape
        tape.path, tape.line = "loss", 0
        tape.outputs["loss"] = tape.sum(self.losses)
        tape.outputs[self.tally] = tape.sum(self.tallies)


def _backward(model: Model, recipe: Recipe, options: StepOptions) -> _Backward:
    """Forward, loss and gradients of each micro-batch."""
    lowered, emitter, outputs, updates = _forward(model, _task(recipe), options)
    tape = lowered.tape
    losses, tallies = _losses(model, recipe, options, tape, outputs)
    learned = [n for n, p in model.tensors().items() if p.learned and n in lowered.stored]
    if not learned:
        raise UserError("the model has nothing to learn: no layer with weights")
    rules.load()
    weights = [lowered.stored[n] for n in learned]
    wholes = [tape.sum(losses)] if sees_whole_batch(model) else losses
    found = [gradients(tape, loss, weights) for loss in wholes]
    tape.outputs = {f"{name}.new": value for name, value in updates.items()}
    step = Step(tape, lowered.layouts, {}, tuple(emitter.randoms), lowered.chosen)
    grads = {name: [piece[i] for piece in found] for i, name in enumerate(learned)}
    return _Backward(step, lowered.stored, grads, updates, losses, tallies, _task(recipe).tally)


def _finish(tape: Tape, options: StepOptions) -> None:
    simplify(tape)
    if options.fast:
        use_fast_idioms(tape)
        merge_reshapes(tape)
        share_common(tape)
        drop_dead(tape)
    write_for_runtime(tape)


def _forward(
    model: Model, task: Task, options: StepOptions
) -> tuple[Lowering, TrainingEmitter, list[dict[str, Value]], dict[str, Value]]:
    """Emit the model for each piece of the batch and lower it; outputs by piece and name."""
    if options.batch % options.pieces:
        raise UserError(f"a batch of {options.batch} cannot be cut into {options.pieces} pieces")
    check_plan(options.plan)
    high = Tape()
    emitter = TrainingEmitter(high, options.dtype)
    emitter.shapes = {name: p.shape for name, p in model.tensors().items()}
    for i, x in enumerate(_pictures(high, model, options)):
        values = emit(model, emitter, x)
        high.outputs |= {f"{name}:{i}": values[at] for name, at in model.outputs.items()}
    high.outputs |= emitter.updates
    synchronise(high, options.pieces)
    pool_first(high)
    lowered = Lowering(high, options.plan, {v: n for n, v in emitter.params.items()})
    lowered.run()
    outputs = [
        {
            name: task.output(lowered.tape, lowered.plain(high.outputs[f"{name}:{i}"]))
            for name in model.outputs
        }
        for i in range(options.pieces)
    ]
    updates = {name: lowered.plain(high.outputs[name]) for name in emitter.updates}
    return lowered, emitter, outputs, updates


def sees_whole_batch(model: Model) -> bool:
    """Whether a layer mixes the pictures of a batch, so that it cannot be cut."""
    return any(isinstance(node.layer, BatchNorm) for node in model.nodes)


def _pictures(tape: Tape, model: Model, options: StepOptions) -> list[Value]:
    """The pieces of the batch: N×C×H×W uint8, normalised in the graph; float for vectors."""
    image = len(model.input) == 3
    x = tape.input("x", (options.batch, *model.input), "uint8" if image else options.dtype)
    each = options.batch // options.pieces
    parts = [x]
    if options.pieces > 1:
        parts = tape.ops("Split", x, tape.ints([each] * options.pieces), axis=0)
    if not image:
        return parts
    floats = [tape.op("Cast", part, to=options.dtype) for part in parts]
    return [normalised(tape, part, options.mean, options.std) for part in floats]


def resolved(model: Model, recipe: Recipe) -> Recipe:
    """The recipe with task and loss, of which the model can learn; UserError otherwise."""
    recipe = recipe.resolved(model.output_shapes()[main_output(model)])
    for shape in model.output_shapes().values():
        problem = _task(recipe).problem(shape)
        if problem is not None:
            raise UserError(problem)
    return recipe


def _task(recipe: Recipe) -> Task:
    assert recipe.task is not None
    return recipe.task


def _losses(
    model: Model, recipe: Recipe, options: StepOptions, tape: Tape, outputs: list[dict[str, Value]]
) -> tuple[list[Value], list[Value]]:
    """Each micro-batch's share of the mean loss, and its part of the task's tally."""
    main, task = main_output(model), _task(recipe)
    assert recipe.loss is not None
    shape = model.output_shapes()[main]
    targets = task.targets(tape, options.batch, shape, options.soft, options.dtype)
    each = options.batch // options.pieces
    sizes = tape.ints([each] * options.pieces)
    parts = tape.ops("Split", targets, sizes, axis=0) if options.pieces > 1 else [targets]
    losses, tallies = list[Value](), list[Value]()
    for named, q in zip(outputs, parts, strict=True):
        shares = list[Value]()
        for name, x in named.items():
            loss = task.loss(tape, recipe.loss, x, q)
            weight = (1.0 if name == main else _AUXILIARY) / options.pieces
            shares.append(tape.op("Mul", loss, tape.scalar(weight, options.dtype)))
        losses.append(tape.sum(shares))
        tallies.append(task.count(tape, named[main], q))
    return losses, tallies


def main_output(model: Model) -> str:
    """The model's main output; UserError where its outputs have different numbers of classes."""
    sizes = {name: shape[0] for name, shape in model.output_shapes().items()}
    if len(set(sizes.values())) > 1:
        shown = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise UserError(f"outputs that are trained have the same number of classes, not {shown}")
    return model.main_output
