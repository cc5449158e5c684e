"""The backward pass of a training step."""

from dataclasses import replace

from cnndsl.backend.step import StepState, sees_whole_batch
from cnndsl.graph.vjp import gradients
from cnndsl.source import UserError


def backward(state: StepState) -> StepState:
    """The gradient of every learned tensor, for each micro-batch where they do not mix; scaled."""
    tensors = state.model.tensors()
    learned = [n for n, p in tensors.items() if p.learned and n in state.weights]
    frozen = state.options.frozen
    if not learned:
        why = "all layers are frozen" if frozen else "no layer with weights"
        raise UserError(f"the model has nothing to learn: {why}")
    tape, weights = state.tape, [state.weights[n] for n in learned]
    losses = [tape.sum(state.losses)] if sees_whole_batch(state.model, frozen) else state.losses
    parts = [gradients(tape, loss, weights, state.scale) for loss in losses]
    by_name = {name: [part[i] for part in parts] for i, name in enumerate(learned)}
    return replace(state, gradients=by_name)


def report_gradients(state: StepState) -> StepState:
    """`NAME.grad` of each learned tensor as an output, summed over the micro-batches."""
    tape = state.tape
    sums = {name: tape.sum(parts) for name, parts in state.gradients.items()}
    tape.outputs |= {f"{name}.grad": total for name, total in sums.items()}
    return replace(state, gradients={name: [total] for name, total in sums.items()})
