"""The optimizer's part of a training step: gradients in, new weights and state out."""

from collections.abc import Mapping

from cnndsl.graph.tape import Tape, Value
from cnndsl.ir import Model
from cnndsl.optim import Update
from cnndsl.recipe import Recipe


def total(tape: Tape, values: list[Value]) -> Value:
    """The sum of one or more values."""
    return values[0] if len(values) == 1 else tape.op("Sum", *values)


def write_update(
    model: Model,
    recipe: Recipe,
    tape: Tape,
    weights: Mapping[str, Value],
    grads: Mapping[str, Value],
) -> dict[str, tuple[str, ...]]:
    """Write the update of every learned tensor; returns the state slots beside each."""
    tensors, taken = model.tensors(), dict[str, tuple[str, ...]]()
    dtype = next(iter(grads.values())).dtype
    lr = tape.input("lr", (), dtype)
    count = tape.op("Add", tape.input("step", (), dtype), tape.scalar(1.0, dtype))
    tape.outputs["step.new"] = count
    penalised = {n: _with_l2(tape, g, weights[n], tensors[n].l2) for n, g in grads.items()}
    for name, g in _clipped(tape, penalised, recipe.clip).items():
        slots = list[str]()

        def slot(kind: str, name: str = name, slots: list[str] = slots) -> Value:
            slots.append(kind)
            return tape.input(f"{name}.{kind}", weights[name].shape, dtype)

        def keep(kind: str, value: Value, name: str = name) -> None:
            tape.outputs[f"{name}.{kind}.new"] = value

        decays = tensors[name].decay
        update = Update(tape, weights[name], g, lr, count, slot, keep, decays)
        new = recipe.optimizer.update(update)
        tape.outputs[f"{name}.new"] = new
        if recipe.ema:
            keep("ema", update.blend(slot("ema"), new, 1 - recipe.ema))
        taken[name] = tuple(slots)
    return taken


def _with_l2(tape: Tape, g: Value, w: Value, l2: float) -> Value:
    """The gradient of loss + l2 · Σ w²."""
    if not l2:
        return g
    return tape.op("Add", g, tape.op("Mul", w, tape.scalar(2 * l2, w.dtype)))


def _clipped(tape: Tape, grads: Mapping[str, Value], norm: float | None) -> dict[str, Value]:
    """All gradients scaled so that their joint norm is at most `norm`."""
    if not norm:
        return dict(grads)
    squares = [
        tape.op("ReduceSumSquare", g, tape.ints(range(len(g.shape))), keepdims=0)
        for g in grads.values()
    ]
    length = tape.op("Sqrt", total(tape, squares))
    dtype = length.dtype
    ratio = tape.op(
        "Div", tape.scalar(norm, dtype), tape.op("Add", length, tape.scalar(1e-6, dtype))
    )
    factor = tape.op("Min", ratio, tape.scalar(1.0, dtype))
    return {name: tape.op("Mul", g, factor) for name, g in grads.items()}
