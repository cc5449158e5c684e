"""Loss scaling of a step in float16: gradients are computed times a scale, which finds itself.

float16 takes what is below 6e-8 for 0, and ends at 65,504. A scale lifts small gradients; where it
is too large for a batch, a gradient is infinite or no number, the step changes nothing and the
scale halves. After so many good steps in a row it doubles. The rule is that of
torch.amp.GradScaler; source: Micikevicius et al. 2018, arXiv:1710.03740.

The scale, the good steps since it moved and all skipped steps are state of the step. Growth and
back-off are powers of two, which round nothing.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cnndsl.backend.step import StepState
from cnndsl.graph.tape import Tape, Value
from cnndsl.precision import Precision
from cnndsl.recipe import Recipe

SCALE, GOOD, SKIPPED = "loss_scale", "good_steps", "skipped_steps"
_LARGEST = 2.0**127  # of float32, twice that is infinite


def first_scale(recipe: Recipe) -> dict[str, float]:
    """State of the whole step at its start; none for a step in float32."""
    rule = recipe.precision
    return {SCALE: rule.scale, GOOD: 0.0, SKIPPED: 0.0} if rule else {}


def loss_scale(state: StepState) -> StepState:
    """The scale as an input, by which the backward pass multiplies all gradients."""
    if state.recipe.precision is None:
        return state
    return replace(state, scale=state.tape.input(SCALE, (), state.options.dtype))


def unscaled(tape: Tape, grads: list[Value], scale: Value) -> list[Value]:
    """The gradients over the scale, in float32."""
    factor = tape.op("Reciprocal", scale)
    return [tape.op("Mul", g, factor) for g in grads]


def guard(tape: Tape, recipe: Recipe, scale: Value, grads: list[Value]) -> None:
    """Behind an update: keep its state where all gradients are finite, and move the scale."""
    assert recipe.precision is not None
    finite = all_finite(tape, grads)
    skip_unless(tape, finite)
    move_scale(tape, recipe.precision, scale, finite)


def all_finite(tape: Tape, grads: list[Value]) -> Value:
    """Whether every number of every gradient is one: then g − g is 0, else it is no number."""
    zeros = [
        tape.op("ReduceSum", tape.op("Sub", g, g), tape.ints(range(len(g.shape))), keepdims=0)
        for g in grads
    ]
    return tape.op("Equal", tape.sum(zeros), tape.scalar(0.0, zeros[0].dtype))


def skip_unless(tape: Tape, finite: Value) -> None:
    """Where a gradient is no number, all state stays as it was: weights, statistics, `step`."""
    before = {value.name: value for value in tape.inputs}
    for name, new in tape.outputs.items():
        if name.endswith(".new"):
            old = before[name.removesuffix(".new")]
            tape.outputs[name] = tape.op("Where", finite, new, old)


def move_scale(tape: Tape, rule: Precision, scale: Value, finite: Value) -> None:
    """Half the scale behind a skipped step, twice behind `interval` good ones in a row."""

    def number(value: float) -> Value:
        return tape.scalar(value, scale.dtype)

    one, none = number(1.0), number(0.0)
    good = tape.op("Add", tape.input(GOOD, (), scale.dtype), one)
    skipped = tape.input(SKIPPED, (), scale.dtype)
    is_due = tape.op("Equal", good, number(rule.interval))
    grows = tape.op("And", is_due, tape.op("Less", scale, number(_LARGEST)))
    larger = tape.op("Where", grows, tape.op("Mul", scale, number(2.0)), scale)
    smaller = tape.op("Mul", scale, number(0.5))
    counted = tape.op("Where", is_due, none, good)
    tape.outputs |= {
        f"{SCALE}.new": tape.op("Where", finite, larger, smaller),
        f"{GOOD}.new": tape.op("Where", finite, counted, none),
        f"{SKIPPED}.new": tape.op("Where", finite, skipped, tape.op("Add", skipped, one)),
    }


def of(state: Mapping[str, Any]) -> dict[str, Any]:
    """What of a state belongs to the scale, which another step of the run goes on with."""
    return {name: state[name] for name in (SCALE, GOOD, SKIPPED) if name in state}
