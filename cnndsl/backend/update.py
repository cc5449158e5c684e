"""The optimizer's part of a training step: gradients in, new weights and state out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cnndsl.backend import loss_scale
from cnndsl.backend.step import StepState
from cnndsl.graph.tape import Tape, Value
from cnndsl.ir import Model, Param
from cnndsl.learned import rates
from cnndsl.lower.layout import Layout
from cnndsl.optim import Optimizer, Role, Update
from cnndsl.recipe import Lookahead, Recipe

_SMALL = 1 << 17  # elements: tensors up to this size are updated side by side


def update(state: StepState) -> StepState:
    """The optimizer's update of every learned tensor, behind the backward pass."""
    state.tape.path, state.tape.line = "optimizer", 0
    slots = _write_update(
        state.model, state.recipe, state.tape, state.weights, state.layouts, state.gradients,
        state.statistics, state.scale,
    )  # fmt: skip
    return replace(state, slots=slots)


def update_apart(state: StepState) -> StepState:
    """The update on a tape of its own, whose inputs are the gradients, `lr` and the state.

    `state` is what `report_gradients` left. Statistics are taken where they are averaged (ema).
    """
    tape, old = Tape(path="optimizer"), state.weights
    averaged = dict(state.statistics) if state.recipe.ema else dict[str, Value]()
    names = (*state.gradients, *averaged)
    weights = {n: tape.input(n, old[n].shape, old[n].dtype) for n in names}
    grads = {n: [tape.input(f"{n}.grad", g.shape, g.dtype)] for n, (g,) in state.gradients.items()}
    scale = tape.input(loss_scale.SCALE, (), state.scale.dtype) if state.scale else None
    slots = _write_update(
        state.model, state.recipe, tape, weights, state.layouts, grads,
        {n: weights[n] for n in averaged}, scale,
    )  # fmt: skip
    return replace(state, tape=tape, slots=slots)


def _write_update(
    model: Model,
    recipe: Recipe,
    tape: Tape,
    weights: Mapping[str, Value],
    layouts: Mapping[str, Layout],
    grads: Mapping[str, list[Value]],
    statistics: Mapping[str, Value],
    scale: Value | None,
) -> dict[str, tuple[str, ...]]:
    """Write the update of every learned tensor; returns the state slots beside each tensor.

    `grads` are gradients by micro-batch, to be summed; `statistics` the new running statistics,
    which are averaged as weights are: those of other weights would not fit. Small tensors are
    updated as one: a dozen operators in all instead of a dozen for each.
    """
    tensors, heads = model.tensors(), model.heads
    dtype = next(iter(grads.values()))[0].dtype
    lr = tape.input("lr", (), dtype)
    count = tape.op("Add", tape.input("step", (), dtype), tape.scalar(1.0, dtype))
    tape.outputs["step.new"] = count
    learned = {name: tensors[name] for name in grads}
    roles = {n: Role(p.shape, p.decay, n.rpartition(".")[0] in heads) for n, p in learned.items()}
    factors = rates(model, recipe)
    groups = _groups(learned, recipe.optimizer, weights, roles, factors)
    bundles = [_Bundle(tape, tuple(names), weights, layouts) for names in groups]
    joined = [bundle.joined([weights[n] for n in bundle.names]) for bundle in bundles]
    summed = [bundle.summed(grads) for bundle in bundles]
    if scale is not None:
        summed = loss_scale.unscaled(tape, summed, scale)
    penalised = [
        _with_l2(tape, g, w, tensors[bundle.names[0]].l2)
        for bundle, w, g in zip(bundles, joined, summed, strict=True)
    ]
    news = list[Value]()
    for bundle, w, g in zip(bundles, joined, _clipped(tape, penalised, recipe.clip), strict=True):
        role = roles[bundle.names[0]]
        own_lr = _own_rate(tape, lr, factors.get(bundle.names[0], 1.0))
        if len(bundle.names) > 1:
            role = Role((int(w.size),), role.decays)
        news.append(_updated(bundle, role, recipe, (w, g, own_lr, count)))
        bundle.spread("", news[-1])
    if recipe.ema:
        if statistics:
            bundles.append(_Bundle(tape, tuple(statistics), weights, layouts))
            news.append(bundles[-1].joined(list(statistics.values())))
        for bundle, new in zip(bundles, news, strict=True):
            bundle.keep("ema", _averaged(tape, bundle.slot("ema"), new, count, recipe.ema))
    if scale is not None:
        loss_scale.guard(tape, recipe, scale, summed)
    return {name: tuple(bundle.slots) for bundle in bundles for name in bundle.names}


def _updated(
    bundle: "_Bundle", role: Role, recipe: Recipe, values: tuple[Value, Value, Value, Value]
) -> Value:
    """The new weights; `values` are the old ones, their gradient, the learning rate, the count."""
    update = Update(
        bundle.tape, *values, bundle.slot, bundle.keep, role, bundle.unpacked, bundle.packed
    )
    new = recipe.optimizer.update(update)
    return _pulled_back(bundle, new, values[-1], recipe.lookahead) if recipe.lookahead else new


def _own_rate(tape: Tape, lr: Value, factor: float) -> Value:
    return lr if factor == 1 else tape.op("Mul", lr, tape.scalar(factor, lr.dtype))


def _groups(
    tensors: Mapping[str, Param],
    optimizer: Optimizer,
    weights: Mapping[str, Value],
    roles: Mapping[str, Role],
    factors: Mapping[str, float],
) -> list[list[str]]:
    """Names to update together: small tensors that are treated alike; others alone."""
    groups: dict[object, list[str]] = {}
    for name, role in roles.items():
        alone = weights[name].size > _SMALL or optimizer.updates_alone(role)
        alike = role.decays, tensors[name].l2, factors.get(name, 1.0)
        groups.setdefault(name if alone else alike, []).append(name)
    return list(groups.values())


@dataclass
class _Bundle:
    """Tensors side by side as one vector; a single one stays as it is."""

    tape: Tape
    names: tuple[str, ...]
    weights: Mapping[str, Value]
    layouts: Mapping[str, Layout]
    slots: list[str] = field(default_factory=list[str])

    def joined(self, values: list[Value]) -> Value:
        """The values as one."""
        if len(values) == 1:
            return values[0]
        flat = [v if len(v.shape) == 1 else self.tape.reshape(v, -1) for v in values]
        return self.tape.op("Concat", *flat, axis=0)

    def unpacked(self, value: Value) -> Value:
        """A lone tensor from the step's layout to ONNX's."""
        return self.layouts[self.names[0]].write_from_packed(self.tape, value)

    def packed(self, value: Value) -> Value:
        """A lone tensor from ONNX's layout to the step's."""
        return self.layouts[self.names[0]].write_to_packed(self.tape, value)

    def summed(self, grads: Mapping[str, list[Value]]) -> Value:
        """The gradients as one, summed over the micro-batches, each as a whole."""
        by_micro_batch = zip(*(grads[name] for name in self.names), strict=True)
        return self.tape.sum([self.joined(list(parts)) for parts in by_micro_batch])

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


def _pulled_back(bundle: _Bundle, new: Value, count: Value, rule: Lookahead) -> Value:
    """The weights, at every so many steps those of `lookahead`; the slow ones are kept."""
    tape, slow = bundle.tape, bundle.slot("slow")
    turns = tape.op("Div", count, tape.scalar(rule.steps, count.dtype))
    due = tape.op("Cast", tape.op("Equal", turns, tape.op("Floor", turns)), to=new.dtype)
    follow = tape.op("Mul", due, tape.scalar(rule.share, new.dtype))
    ahead = tape.op("Add", slow, tape.op("Mul", tape.op("Sub", new, slow), follow))
    bundle.keep("slow", ahead)
    return tape.op("Add", new, tape.op("Mul", tape.op("Sub", ahead, new), due))


def _averaged(tape: Tape, old: Value, new: Value, count: Value, memory: float) -> Value:
    """old + (new − old) · max(1 − memory, 9 / (9 + count)): a short memory at the start."""
    nine = tape.scalar(9.0, old.dtype)
    early = tape.op("Div", nine, tape.op("Add", count, nine))
    share = tape.op("Max", early, tape.scalar(1 - memory, old.dtype))
    return tape.op("Add", old, tape.op("Mul", tape.op("Sub", new, old), share))


def _with_l2(tape: Tape, g: Value, w: Value, l2: float) -> Value:
    """The gradient of loss + l2 · Σ w²."""
    if not l2:
        return g
    return tape.op("Add", g, tape.op("Mul", w, tape.scalar(2 * l2, w.dtype)))


def _clipped(tape: Tape, grads: list[Value], norm: float | None) -> list[Value]:
    """All gradients scaled so that their joint norm is at most `norm`."""
    if not norm:
        return grads
    squares = [
        tape.op("ReduceSumSquare", g, tape.ints(range(len(g.shape))), keepdims=0) for g in grads
    ]
    length = tape.op("Sqrt", tape.sum(squares))
    dtype = length.dtype
    above = tape.op("Add", length, tape.scalar(1e-6, dtype))
    ratio = tape.op("Div", tape.scalar(norm, dtype), above)
    factor = tape.op("Min", ratio, tape.scalar(1.0, dtype))
    return [tape.op("Mul", g, factor) for g in grads]
