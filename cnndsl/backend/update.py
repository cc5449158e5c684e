"""The optimizer's part of a training step: gradients in, new weights and state out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cnndsl.graph.tape import Tape, Value
from cnndsl.ir import Model
from cnndsl.optim import Update
from cnndsl.recipe import Recipe


def total(tape: Tape, values: list[Value]) -> Value:
    """The sum of one or more values."""
    return values[0] if len(values) == 1 else tape.op("Sum", *values)


_SMALL = 1 << 17  # elements: tensors up to this size are updated side by side


def write_update(
    model: Model,
    recipe: Recipe,
    tape: Tape,
    weights: Mapping[str, Value],
    grads: Mapping[str, Value],
) -> dict[str, tuple[str, ...]]:
    """Write the update of every learned tensor; returns the state slots beside each.

    Small tensors are updated as one: a dozen operators in all instead of a dozen for each.
    """
    tensors = model.tensors()
    dtype = next(iter(grads.values())).dtype
    lr = tape.input("lr", (), dtype)
    count = tape.op("Add", tape.input("step", (), dtype), tape.scalar(1.0, dtype))
    tape.outputs["step.new"] = count
    penalised = {n: _with_l2(tape, g, weights[n], tensors[n].l2) for n, g in grads.items()}
    clipped = _clipped(tape, penalised, recipe.clip)
    taken = dict[str, tuple[str, ...]]()
    for names in _groups(model, clipped):
        bundle = _Bundle(tape, tuple(names), weights)
        w = bundle.joined([weights[n] for n in names])
        g = bundle.joined([clipped[n] for n in names])
        decays = tensors[names[0]].decay
        update = Update(tape, w, g, lr, count, bundle.slot, bundle.keep, decays)
        new = recipe.optimizer.update(update)
        bundle.spread("", new)
        if recipe.ema:
            bundle.keep("ema", update.blend(bundle.slot("ema"), new, 1 - recipe.ema))
        taken |= {name: tuple(bundle.slots) for name in names}
    return taken


def _groups(model: Model, grads: Mapping[str, Value]) -> list[list[str]]:
    """Names to update together: the small ones that decay, the small ones that don't, each other."""
    tensors, alone = model.tensors(), [[n] for n, g in grads.items() if g.size > _SMALL]
    small = [n for n, g in grads.items() if g.size <= _SMALL]
    together = [[n for n in small if tensors[n].decay is decays] for decays in (True, False)]
    return [group for group in (*alone, *together) if group]


@dataclass
class _Bundle:
    """Tensors side by side as one vector; a single one stays as it is."""

    tape: Tape
    names: tuple[str, ...]
    weights: Mapping[str, Value]
    slots: list[str] = field(default_factory=list[str])

    def joined(self, values: list[Value]) -> Value:
        """The values as one."""
        if len(values) == 1:
            return values[0]
        flat = [v if len(v.shape) == 1 else self.tape.reshape(v, -1) for v in values]
        return self.tape.op("Concat", *flat, axis=0)

    def slot(self, kind: str) -> Value:
        """State tensors beside the weights."""
        self.slots.append(kind)
        shapes = [self.weights[name].shape for name in self.names]
        inputs = [
            self.tape.input(f"{name}.{kind}", shape, self.weights[name].dtype)
            for name, shape in zip(self.names, shapes, strict=True)
        ]
        return self.joined(inputs)

    def keep(self, kind: str, value: Value) -> None:
        """New state."""
        self.spread(f".{kind}", value)

    def spread(self, ending: str, value: Value) -> None:
        """The parts of a joined value as outputs `NAME{ending}.new`."""
        parts = [value]
        if len(self.names) > 1:
            sizes = self.tape.ints(self.weights[name].size for name in self.names)
            parts = self.tape.ops("Split", value, sizes, axis=0)
        for name, part in zip(self.names, parts, strict=True):
            shape = tuple(int(d) for d in self.weights[name].shape)
            shaped = part if part.shape == shape else self.tape.reshape(part, *shape)
            self.tape.outputs[f"{name}{ending}.new"] = shaped


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
