"""The pipelines: Model to inference graph, Model to training step, pass by pass.

Each tuple reads top to bottom. `cnndsl emit --stage NAME` prints what stands behind a pass.
"""

from dataclasses import replace

from cnndsl.backend import forward, inference
from cnndsl.backend.backward import backward, report_gradients
from cnndsl.backend.fake_quantize import fake_quantize
from cnndsl.backend.inference import InferenceState, Options
from cnndsl.backend.loss import loss, report_loss
from cnndsl.backend.loss_scale import first_scale, loss_scale
from cnndsl.backend.step import Step, StepOptions, StepState, begun
from cnndsl.backend.update import update, update_apart
from cnndsl.graph.passes.drop_dead import drop_dead
from cnndsl.graph.passes.drop_stops import drop_stops
from cnndsl.graph.passes.drop_unread import drop_unread
from cnndsl.graph.passes.fast_idioms import fast_idioms
from cnndsl.graph.passes.fold_batch_norm import fold_batch_norm
from cnndsl.graph.passes.fold_constants import fold_constants
from cnndsl.graph.passes.half_precision import half_precision
from cnndsl.graph.passes.merge_reshapes import merge_reshapes
from cnndsl.graph.passes.node_order import node_order
from cnndsl.graph.passes.pool_first import pool_first
from cnndsl.graph.passes.share_common import share_common
from cnndsl.graph.passes.synchronise_norms import synchronise_norms
from cnndsl.graph.passes.unstretch import unstretch
from cnndsl.graph.passes.wide_sums import wide_sums
from cnndsl.graph.passes.write_quantizers import write_quantizers
from cnndsl.graph.pipeline import Pass, Pipeline, on_state, on_tape, run
from cnndsl.graph.tape import Tape
from cnndsl.ir import Model
from cnndsl.recipe import Recipe
from cnndsl.weights.base import Weights


def _folds(state: InferenceState) -> bool:
    return state.options.fold


def _is_lowered(state: InferenceState) -> bool:
    return bool(state.algorithms)


def _fast(state: StepState) -> bool:
    """Idioms of the CPU: on CUDA an operator that says what is meant is the fast one."""
    return state.options.fast and state.options.plan.device == "cpu"


def _quantizes(state: StepState) -> bool:
    return state.options.places is not None


def _freezes(state: StepState) -> bool:
    return bool(state.options.frozen)


def _is_half(state: StepState) -> bool:
    return state.recipe.precision is not None


SIMPLIFY = (
    drop_dead,
    drop_stops,
    share_common,
    unstretch,
    fold_constants,
    share_common,
    drop_dead,
)
FAST = (
    fast_idioms,
    merge_reshapes,
    share_common,
    drop_dead,
)
INFERENCE: Pipeline[InferenceState] = (
    on_state(inference.emit),
    on_state(inference.deploy),
    on_tape(fold_batch_norm, when=_folds),
    Pass("lowered", inference.lower),
    *(
        on_tape(change, when=_is_lowered)
        for change in (fast_idioms, *SIMPLIFY, merge_reshapes, share_common, drop_dead)
    ),
)
FINISH: Pipeline[StepState] = (
    on_tape(write_quantizers, when=_quantizes),
    on_tape(wide_sums, when=_is_half),
    *map(on_tape, SIMPLIFY),
    *(on_tape(change, when=_fast) for change in FAST),
    on_tape(node_order),
)
BACKWARD: Pipeline[StepState] = (
    on_state(forward.emit),
    on_state(fake_quantize),
    on_tape(synchronise_norms),
    on_tape(pool_first),
    on_tape(half_precision, when=_is_half),
    Pass("lowered", forward.lower),
    on_tape(fold_batch_norm, when=_freezes),
    on_state(forward.lower_constant),
    on_tape(drop_unread, when=_freezes),
    on_state(loss),
    on_state(loss_scale),
    on_state(backward),
)
STEP = (*BACKWARD, on_state(update), on_state(report_loss), *FINISH)
GRADIENTS = (*BACKWARD, on_state(report_gradients), on_state(report_loss))
UPDATE = (on_state(update_apart), *FINISH)


def inference_state(model: Model, weights: Weights, options: Options) -> InferenceState:
    """The inference graph, images → the model's outputs by their names, with its algorithms."""
    return run(INFERENCE, InferenceState(model=model, weights=weights, options=options))


def inference_tape(model: Model, weights: Weights, options: Options) -> Tape:
    """The inference graph alone."""
    return inference_state(model, weights, options).tape


def training_step(model: Model, recipe: Recipe, options: StepOptions) -> Step:
    """The whole step: (images, targets, lr, state) → (loss, the task's tally, new state)."""
    return _step(run(STEP, begun(model, recipe, options)))


def split_step(model: Model, recipe: Recipe, options: StepOptions) -> tuple[Step, Tape]:
    """The step in two graphs, for accumulation and data-parallel training.

    The first gives `loss`, the task's tally, new statistics and `NAME.grad` for each learned
    tensor; the second takes these gradients, `lr` and the state with these statistics, and gives
    the new state.
    """
    written = run(GRADIENTS, begun(model, recipe, options))
    apply = run(UPDATE, written)
    finished = run(FINISH, replace(written, slots=apply.slots))
    return _step(finished), apply.tape


def _step(state: StepState) -> Step:
    return Step(
        state.tape, state.layouts, state.slots, state.randoms, state.algorithms,
        state.options.frozen, first_scale(state.recipe),
    )  # fmt: skip
