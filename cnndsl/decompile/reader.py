"""Operators one after the other to layers with their tensors; nothing passes unchecked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import inf, isfinite, prod
from typing import Any

import numpy as np

from cnndsl.decompile.fuse import per_channel, scalar
from cnndsl.decompile.graph import Array, Graph, Op
from cnndsl.fields import Spec, specs
from cnndsl.fmt.unroll import Step
from cnndsl.layers.base import Layer, Reject
from cnndsl.layers.input import Input
from cnndsl.shapes import Shape, show

Rule = Callable[["Reader", Op], int]
RULES: dict[str, Rule] = {}


def reads(*kinds: str) -> Callable[[Rule], Rule]:
    """Registers how operators are read; the rule returns the position of its last step."""

    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(kinds, rule))
        return rule

    return register


@dataclass
class Reader:
    """The steps so far: layers, their tensors, and which step makes which of the graph's values."""

    graph: Graph
    steps: list[Step] = field(default_factory=list[Step])
    shapes: list[Shape] = field(default_factory=list[Shape])
    tensors: list[Mapping[str, Array]] = field(default_factory=list[Mapping[str, Array]])
    at: dict[str, int] = field(default_factory=dict[str, int])

    def run(self) -> None:
        """Read the whole graph; UserError for what the language has no word for."""
        size = self.graph.shapes[self.graph.input][1:]
        self.steps.append(Step(Input(size), ()))
        self.shapes.append(size)
        self.tensors.append({})
        self.at[self.graph.input] = 0
        for op in self.graph.ops:
            index = _rule(op)(self, op)
            self._compare(op, index)
            self.at[op.output] = index

    def _compare(self, op: Op, index: int) -> None:
        """The language and ONNX agree on the shape, and the batch stays the batch."""
        ours = (self.graph.batch, *self.shapes[index])
        theirs = self.graph.shapes.setdefault(op.output, ours)
        if theirs != ours:
            op.refuse(f"gives {show(theirs[1:])}, as a layer it would give {show(ours[1:])}")

    def add(self, op: Op, layer: Layer, *inputs: int, **tensors: Array) -> int:
        """One more step; its position. UserError where the layer cannot take its input."""
        _check_bounds(op, layer)
        given = tuple(self.shapes[i] for i in inputs)
        try:
            shape = layer.infer(given)
        except Reject as reject:
            op.refuse(f"as `{layer.word}`: {reject.message}")
        wanted = {p.name: p.shape for p in layer.params(given[0])}
        found = {name: tensors[name].shape for name in tensors}
        if wanted != found:
            own, other = _listed(found), _listed(wanted)
            op.refuse(f"its tensors, {own}, do not fit `{layer.word}`, which has {other}")
        self.steps.append(Step(layer, inputs))
        self.shapes.append(shape)
        self.tensors.append({n: np.asarray(t, np.float32) for n, t in tensors.items()})
        return len(self.steps) - 1

    def x(self, op: Op, i: int = 0) -> int:
        """The step that makes an input of an operator."""
        found = self.at.get(op.inputs[i]) if i < len(op.inputs) else None
        if found is None:
            op.refuse("takes a constant or a second result where a layer takes a tensor")
        return found

    def image(self, op: Op) -> tuple[int, tuple[int, int, int]]:
        """The step that makes the first input, and its channels, height, width."""
        x = self.x(op)
        if len(self.shapes[x]) != 3:
            op.refuse(f"takes {show(self.shapes[x])}, not images")
        return x, self.image_at(x)

    def image_at(self, x: int) -> tuple[int, int, int]:
        """Channels, height, width of a step that makes images."""
        channels, height, width = self.shapes[x]
        return channels, height, width

    def array(self, op: Op, i: int, rank: int | None = None) -> Array | None:
        """A constant input, of that many dimensions if it is said; None where it is left out."""
        if i >= len(op.inputs) or not op.inputs[i]:
            return None
        if op.inputs[i] not in self.graph.constants:
            op.refuse(f"its input {i + 1} is computed; the language has constants there only")
        found = self.graph.constants[op.inputs[i]]
        if found.dtype.kind not in "fib" or (rank is not None and found.ndim != rank):
            op.refuse(f"its input {i + 1} is of the wrong kind")
        return found

    def weight(self, op: Op, i: int, rank: int | None = None) -> Array:
        """A constant input that must be there."""
        found = self.array(op, i, rank)
        return op.refuse(f"has no input {i + 1}") if found is None else found

    def number(self, op: Op, i: int, default: float) -> float:
        """A constant input that is one number."""
        if self.array(op, i) is None:
            return default
        found = scalar(self.graph, op.inputs[i])
        return op.refuse(f"its input {i + 1} is not one number") if found is None else found

    def channels(self, op: Op, value: Array, x: int) -> Array:
        """A constant as one number for each channel of a step's output."""
        shape = self.shapes[x]
        found = per_channel(value, shape[0], len(shape) + 1)
        if found is None:
            op.refuse(f"a constant of {show(value.shape)} is not a number for each channel")
        return found.reshape(-1, *(1 for _ in shape[1:]))

    def is_flat(self, x: int) -> bool:
        """Whether a step makes vectors."""
        return len(self.shapes[x]) == 1

    def same_values(self, x: int, op: Op) -> Shape:
        """The output shape of an operator that only renames positions."""
        theirs = self.graph.shapes.get(op.output)
        if theirs is None or theirs[0] != self.graph.batch:
            op.refuse("its output has no shape that is known before it runs, batch by batch")
        if prod(theirs[1:]) != prod(self.shapes[x]) or len(theirs) not in (2, 4):
            op.refuse(f"makes {show(theirs[1:])} of {show(self.shapes[x])}; here are vectors, and "
                      "images as channels x height x width")  # fmt: skip
        return theirs[1:]


def _listed(shapes: Mapping[str, Shape]) -> str:
    return ", ".join(f"{name} {show(shape)}" for name, shape in shapes.items()) or "none"


def _check_bounds(op: Op, layer: Layer) -> None:
    """The numbers are some that the language lets one write."""
    for spec in specs(type(layer)):
        value: Any = getattr(layer, spec.name)
        for number in np.ravel(value).tolist():
            if isinstance(number, int | float) and not _is_within(spec, number):
                op.refuse(f"as `{layer.word}` it would have {spec.title} {number}")


def _is_within(spec: Spec, number: float) -> bool:
    low = -inf if spec.low is None else spec.low
    high = inf if spec.high is None else spec.high
    return low <= number <= high and isfinite(number)


def _rule(op: Op) -> Rule:
    if op.kind in RULES:
        return RULES[op.kind]
    known = ", ".join(sorted(k for k in RULES if not k.endswith("6") and k not in _OURS))
    op.refuse(f"the language has no word for it\n  supported are: {known}")


_OURS = {"Affine", "ChannelNormalization", "Shuffle", "Silu"}


def joined(reader: Reader, outputs: Mapping[str, int]) -> list[Step]:
    """The steps, those marked that may stand behind the layer before; biases said where needed."""
    ends = set(outputs.values())
    steps = list[Step]()
    for i, step in enumerate(reader.steps):
        behind = step.inputs == (i - 1,) and i > 1 and i - 1 not in ends
        steps.append(replace(step, follows=step.layer.post and behind))
    return [replace(step, layer=_said(steps, i)) for i, step in enumerate(steps)]


def _said(steps: list[Step], i: int) -> Layer:
    """A layer whose bias, if it has the choice, is what its statement says or implies."""
    layer = steps[i].layer
    bias = getattr(layer, "bias", None)
    if bias is None:
        return layer
    words = list[str]()
    while i + 1 < len(steps) and steps[i + 1].follows and _readers(steps, i) == 1:
        i += 1
        words.append(steps[i].layer.word)
    return replace(layer, bias=None) if bias != ("bn" in words) else layer  # pyright: ignore


def _readers(steps: list[Step], i: int) -> int:
    return sum(step.inputs.count(i) for step in steps[i + 1 :])
