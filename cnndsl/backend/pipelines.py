"""Model to training step, pass by pass: forward, loss, backward and optimizer as one graph."""

from collections.abc import Callable
from dataclasses import replace

from cnndsl.backend.backward import backward, report_gradients
from cnndsl.backend.forward import emit, lower, synchronise_norms
from cnndsl.backend.loss import loss, report_loss
from cnndsl.backend.step import Step, StepOptions, StepState, resolved
from cnndsl.backend.update import update, update_apart
from cnndsl.graph.idioms import use_fast_idioms
from cnndsl.graph.passes.node_order import write_for_runtime
from cnndsl.graph.simplify import drop_dead, merge_reshapes, share_common, simplify
from cnndsl.graph.tape import Tape
from cnndsl.ir import Model
from cnndsl.lower.commute import pool_first
from cnndsl.recipe import Recipe

StepPass = Callable[[StepState], StepState]


def _on_tape(change: Callable[[Tape], None]) -> StepPass:
    def run(state: StepState) -> StepState:
        change(state.tape)
        return state

    return run


def _if_fast(change: Callable[[Tape], None]) -> StepPass:
    def run(state: StepState) -> StepState:
        if state.options.fast:
            change(state.tape)
        return state

    return run


FINISH = (
    _on_tape(simplify),
    *map(_if_fast, (use_fast_idioms, merge_reshapes, share_common, drop_dead)),
    _on_tape(write_for_runtime),
)
BACKWARD = (emit, synchronise_norms, _on_tape(pool_first), lower, loss, backward)
STEP = (*BACKWARD, update, report_loss, *FINISH)
GRADIENTS = (*BACKWARD, report_gradients, report_loss)


def training_step(model: Model, recipe: Recipe, options: StepOptions) -> Step:
    """The whole step: (images, targets, lr, state) → (loss, the task's tally, new state)."""
    return _step(_run(STEP, StepState(model, resolved(model, recipe), options)))


def split_step(model: Model, recipe: Recipe, options: StepOptions) -> tuple[Step, Tape]:
    """The step in two graphs, for accumulation and data-parallel training.

    The first gives `loss`, the task's tally, new statistics and `NAME.grad` for each learned
    tensor; the second takes these gradients, `lr` and the state with these statistics, and gives
    the new state.
    """
    written = _run(GRADIENTS, StepState(model, resolved(model, recipe), options))
    apply = _run((update_apart, *FINISH), written)
    finished = _run(FINISH, replace(written, slots=apply.slots))
    return _step(finished), apply.tape


def _run(passes: tuple[StepPass, ...], state: StepState) -> StepState:
    for each in passes:
        state = each(state)
    return state


def _step(state: StepState) -> Step:
    return Step(state.tape, state.layouts, state.slots, state.randoms, state.algorithms)
