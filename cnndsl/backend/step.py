"""A training step: what it is made from, and what its host must know.

State goes in and comes out: for each tensor NAME there is an input `NAME` and an output `NAME.new`.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cnndsl.backend.places import Places
from cnndsl.graph.pipeline import State
from cnndsl.graph.tape import Tape, Value
from cnndsl.ir import Model
from cnndsl.layers.norm import BatchNorm
from cnndsl.learned import frozen
from cnndsl.lower.driver import Plan
from cnndsl.lower.layout import Layout
from cnndsl.recipe import Recipe
from cnndsl.recipe_checks import check_precision
from cnndsl.source import UserError
from cnndsl.tasks import Task
from cnndsl.weights.base import Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPSET = 18
_WEIGHTS = ("ema", "slow")  # slots that start as the weights do


@dataclass(frozen=True)
class StepOptions:
    """How the step is made: images a step, in how many micro-batches, and how it is computed.

    With several `replicas` each computes its share of the images, in so many micro-batches, on
    cores of its own. `soft` takes blended targets (mixup) instead of those that the data have;
    `floats` takes images as float32 that are normalised already, instead of uint8.
    """

    batch: int
    micro_batches: int = 1
    plan: Plan = field(default_factory=Plan)
    soft: bool = False
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    fast: bool = True
    dtype: str = "float32"
    frozen: Weights = field(default_factory=dict[str, "NDArray[Any]"], repr=False, compare=False)
    """Tensors that do not learn, by name: constants of the step."""
    floats: bool = False
    places: Places | None = None
    """What is rounded to eight bits, and how; None: nothing."""
    replicas: int = 1

    @property
    def micro_batch(self) -> int:
        """Images of a micro-batch."""
        return self.batch // self.replicas // self.micro_batches

    def told(self) -> str:
        """How a batch is cut, for the log."""
        return blocking(self.micro_batch, self.replicas)


def blocking(micro_batch: int, replicas: int) -> str:
    """How a batch is cut, in words."""
    side = f" by {replicas} replicas side by side" if replicas > 1 else ""
    return f"micro-batches of {micro_batch}{side}"


@dataclass(frozen=True)
class StepState(State):
    """A training step while it is built: what each pass of the pipeline leaves for the next.

    Lists are by micro-batch; names are paths of tensors, such as `conv_1.weight`.
    """

    model: Model
    recipe: Recipe
    options: StepOptions
    params: Mapping[Value, str] = field(default_factory=dict[Value, str])  # by emit
    images: tuple[Value, ...] = ()
    randoms: tuple[Value, ...] = ()
    ranges: Value | None = None  # by fake_quantize
    outputs: tuple[Mapping[str, Value], ...] = ()  # by lower
    statistics: Mapping[str, Value] = field(default_factory=dict[str, Value])
    weights: Mapping[str, Value] = field(default_factory=dict[str, Value])
    layouts: Mapping[str, Layout] = field(default_factory=dict[str, Layout])
    algorithms: Mapping[str, str] = field(default_factory=dict[str, str])
    losses: tuple[Value, ...] = ()  # by loss
    tallies: tuple[Value, ...] = ()
    scale: Value | None = None  # by loss_scale; of the gradients
    gradients: Mapping[str, list[Value]] = field(default_factory=dict[str, list[Value]])  # backward
    slots: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def results(self) -> Mapping[str, Value]:
        """Before the loss is reported also outputs of the model, losses and gradients."""
        if "loss" in self.tape.outputs:
            return self.tape.outputs
        pending = {
            f"{name}:{i}": value
            for i, outputs in enumerate(self.outputs)
            for name, value in outputs.items()
        }
        pending |= {f"loss:{i}": value for i, value in enumerate(self.losses)}
        pending |= {
            f"{name}.grad:{i}": value
            for name, parts in self.gradients.items()
            for i, value in enumerate(parts)
        }
        return pending | self.tape.outputs

    @property
    def task(self) -> Task:
        """What is learned; a recipe that is `resolved` has one."""
        assert self.recipe.task is not None
        return self.recipe.task


@dataclass(frozen=True)
class Step:
    """A training step on a tape, with what its host must know."""

    tape: Tape
    layouts: Mapping[str, Layout]
    slots: Mapping[str, tuple[str, ...]]  # state beside each tensor
    randoms: tuple[Value, ...]
    algorithms: Mapping[str, str]
    frozen: Weights = field(default_factory=dict[str, "NDArray[Any]"])
    scalars: Mapping[str, float] = field(default_factory=dict[str, float])
    """State beside `step` that belongs to no tensor, at its start; no name has a dot."""

    def initial_state(self, weights: Weights) -> "dict[str, NDArray[Any]]":
        """Every state tensor at its start, in the step's layout and the weights' own type."""
        dtype = next((weights[name].dtype for name in self.layouts), np.float32)
        scalars = {"step": 0.0, **self.scalars}
        state = {name: np.array(start, dtype) for name, start in scalars.items()}
        for name, layout in self.layouts.items():
            state[name] = layout.to_packed(weights[name])
            for slot in self.slots.get(name, ()):
                start = state[name] if slot in _WEIGHTS else np.zeros_like(state[name])
                state[f"{name}.{slot}"] = start.copy()
        return state

    def weights(
        self, state: "Mapping[str, NDArray[Any]]", slot: str | None = None
    ) -> "dict[str, NDArray[Any]]":
        """The model's tensors in ONNX's layout; `slot` ("ema") instead where it exists."""
        tensors: dict[str, NDArray[Any]] = dict(self.frozen)
        for name, layout in self.layouts.items():
            has = slot is not None and slot in self.slots.get(name, ())
            tensors[name] = layout.from_packed(state[f"{name}.{slot}" if has else name])
        return tensors

    def from_packed(self, state: "Mapping[str, NDArray[Any]]") -> "dict[str, NDArray[Any]]":
        """The whole state in ONNX's layout, as checkpoints keep it."""
        return {n: self._layout(n).from_packed(a) if "." in n else a for n, a in state.items()}

    def to_packed(self, state: "Mapping[str, NDArray[Any]]") -> "dict[str, NDArray[Any]]":
        """The opposite of `from_packed`."""
        return {n: self._layout(n).to_packed(a) if "." in n else a for n, a in state.items()}

    def _layout(self, name: str) -> Layout:
        return self.layouts.get(name) or self.layouts[name.rpartition(".")[0]]


def freezing(
    options: StepOptions, model: Model, recipe: Recipe, weights: Weights, epoch: int = 0
) -> StepOptions:
    """With what the recipe freezes in an epoch, at these weights."""
    held = frozen(model, recipe, epoch)
    return replace(options, frozen={name: weights[name] for name in sorted(held)})


def sees_whole_batch(model: Model, frozen: Container[str] = ()) -> bool:
    """Whether a layer mixes the images of a batch, so that it cannot be cut."""
    return any(
        isinstance(node.layer, BatchNorm) and f"{node.path}.running_mean" not in frozen
        for node in model.nodes
    )


def main_output(model: Model) -> str:
    """The model's main output; UserError where its outputs have different numbers of classes."""
    sizes = {name: shape[0] for name, shape in model.output_shapes().items()}
    if len(set(sizes.values())) > 1:
        shown = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise UserError(f"outputs that are trained have the same number of classes, not {shown}")
    return model.main_output


def resolved(model: Model, recipe: Recipe) -> Recipe:
    """The recipe with task and loss, of which the model can learn; UserError otherwise."""
    recipe = recipe.resolved(model.output_shapes()[main_output(model)])
    assert recipe.task is not None
    for shape in model.output_shapes().values():
        problem = recipe.task.problem(shape)
        if problem is not None:
            raise UserError(problem)
    return recipe


def begun(model: Model, recipe: Recipe, options: StepOptions) -> StepState:
    """What the pipelines of a step begin with; UserError where there is none of this recipe.

    One in float16 is CUDA's on a CPU too, whose own algorithms are for float32.
    """
    recipe = resolved(model, recipe)
    check_precision(recipe)
    if recipe.precision is not None:
        options = replace(options, plan=replace(options.plan, device="cuda"))
    return StepState(model, recipe, options)
