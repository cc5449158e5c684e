"""The loss of a training step, and the tally of its task (the number of right answers)."""

from dataclasses import replace

from cnndsl.backend.step import StepState, main_output
from cnndsl.graph.tape import Value

_AUXILIARY = 0.3  # weight of the losses of outputs beside the main one (GoogLeNet's)


def loss(state: StepState) -> StepState:
    """Each micro-batch's share of the mean loss, and its part of the task's tally."""
    tape, options, task, main = state.tape, state.options, state.task, main_output(state.model)
    assert state.recipe.loss is not None
    shape = state.model.output_shapes()[main]
    targets = task.targets(tape, options.batch, shape, options.soft, options.dtype)
    each = options.batch // options.micro_batches
    sizes = tape.ints([each] * options.micro_batches)
    parts = tape.ops("Split", targets, sizes, axis=0) if options.micro_batches > 1 else [targets]
    losses, tallies = list[Value](), list[Value]()
    for outputs, q in zip(state.outputs, parts, strict=True):
        shares = list[Value]()
        for name, x in outputs.items():
            share = task.loss(tape, state.recipe.loss, x, q, targets)
            weight = (1.0 if name == main else _AUXILIARY) / options.micro_batches
            shares.append(tape.op("Mul", share, tape.scalar(weight, options.dtype)))
        losses.append(tape.sum(shares))
        tallies.append(task.count(tape, outputs[main], q))
    return replace(state, losses=tuple(losses), tallies=tuple(tallies))


def report_loss(state: StepState) -> StepState:
    """Write loss and tally, last: what needs all micro-batches would run them as one."""
    tape, dtype = state.tape, state.options.dtype
    tape.path, tape.line = "loss", 0
    tape.outputs["loss"] = tape.sum(state.losses)
    tally = tape.sum(state.tallies)
    tape.outputs[state.task.tally] = (
        tally if tally.dtype == dtype else tape.op("Cast", tally, to=dtype)
    )
    return state
