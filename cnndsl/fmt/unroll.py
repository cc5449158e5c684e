"""A model as a flat spec: blocks, repeats, conditions and values written out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, cast

from cnndsl.fields import Spec, specs
from cnndsl.fmt.render import formatted
from cnndsl.ir import Model
from cnndsl.layers.base import Layer, Merge
from cnndsl.layers.merge import Residual
from cnndsl.recipe import CHOSEN, PLAIN, Recipe
from cnndsl.shapes import show
from cnndsl.source import Source


def unrolled(model: Model) -> str:
    """One line a layer, with the words that follow it, and the settings that the spec gives.

    Tensors that are used again get labels `t1`, `t2` …; weights get names of their own.
    """
    lines = flat(_steps(model), model.outputs) + _train(model.recipe)
    return formatted(Source("\n".join(lines), model.name))


@dataclass(frozen=True)
class Step:
    """A layer of a flat spec. `inputs` are positions of earlier steps; the first is the input."""

    layer: Layer
    inputs: tuple[int, ...]
    follows: bool = False
    """Whether it may stand in the statement of the step before."""


def flat(steps: Sequence[Step], outputs: Mapping[str, int]) -> list[str]:
    """The statements of layers in order, and outputs in theirs; labels avoid names of outputs."""
    return _Writer(steps, outputs).lines()


def _steps(model: Model) -> list[Step]:
    """The layers of a model; an auto residual that does not add takes the branch alone."""
    steps = list[Step]()
    for node in model.nodes:
        shapes = {model.nodes[x].shape for x in node.inputs}
        alone = isinstance(node.layer, Residual) and len(shapes) > 1
        steps.append(Step(node.layer, node.inputs[:1] if alone else node.inputs, node.follows))
    return steps


def statement(layer: Layer) -> str:
    """A layer as it is written: `conv 64 3x3 same /2`."""
    values = [(spec, getattr(layer, spec.name)) for spec in specs(type(layer))]
    written = [item(s, v) for s, v in values if s.required or v != s.default]
    return " ".join([layer.word, *(item for item in written if item)])


def item(spec: Spec, value: Any) -> str:
    """A field as it is written: `64`, `3x3`, `/2`, `eps=0.001`."""
    if spec.kind == "flag":
        return spec.word_for(value)
    text = show(cast("tuple[int, ...]", value)) if isinstance(value, tuple) else _number(value)
    if spec.role == "word" or (spec.role == "arg" and spec.required):
        return text
    if isinstance(value, tuple) and len(set(cast("tuple[int, ...]", value))) == 1:
        text = _number(value[0])
    if spec.key == "stride" and "x" not in text:
        return f"/{text}"
    if spec.key:
        return f"{spec.key}={text}"
    return f"({text})" if text.startswith("-") else text


def _number(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)


class _Writer:
    """Walks the steps; a label is given where a later step reaches back."""

    def __init__(self, steps: Sequence[Step], outputs: Mapping[str, int]) -> None:
        self._steps = steps
        self._outputs = outputs
        self._is_in_order = self._has_outputs_in_order()
        self._ends = set(outputs.values()) if self._is_in_order else set[int]()
        self._labels: dict[int, str] = {}
        self._at = 0  # the step whose output is current

    def lines(self) -> list[str]:
        """The statements."""
        self._label_all()
        out = list[str]()
        for i, step in enumerate(self._steps):
            if step.follows and step.inputs == (i - 1,) and not self._is_used_elsewhere(i - 1):
                out[-1] = f"{self._label(i)}{out[-1]} {statement(step.layer)}"
                self._at = i
            else:
                out += self._statement(i, step)
            out += [f"output {name}" for name in self._names() if self._is_output_here(name, i)]
        if not self._is_in_order:
            for name, at in self._outputs.items():
                out += [*self._from(at), *([f"output {name}"] if name in self._names() else [])]
        return out

    def _has_outputs_in_order(self) -> bool:
        """Whether each output can be named behind its layer, the last one where the spec ends."""
        at = list(self._outputs.values())
        return at == sorted(at) and at[-1] == len(self._steps) - 1

    def _is_used_elsewhere(self, i: int) -> bool:
        return i in self._labels or i in self._ends

    def _is_output_here(self, name: str, i: int) -> bool:
        return self._is_in_order and self._outputs[name] == i

    def _names(self) -> list[str]:
        """The outputs that need to be named; what a spec ends with is `output` without it."""
        names, at = list(self._outputs), list(self._outputs.values())
        return names[:-1] if names[-1] == "output" and at.count(at[-1]) == 1 else names

    def _label_all(self) -> None:
        """Tensors that are not just the input of the next step."""
        reads = [(i, j, x) for i, s in enumerate(self._steps) for j, x in enumerate(s.inputs)]
        wanted = {x for i, j, x in reads if j or x != i - 1}
        wanted |= set() if self._is_in_order else set(self._outputs.values())
        free = (f"t{n}" for n in count(1) if f"t{n}" not in self._outputs)
        self._labels = dict(zip(sorted(wanted), free, strict=False))

    def _statement(self, i: int, step: Step) -> list[str]:
        before = self._from(step.inputs[0]) if step.inputs else []
        others = " ".join(self._labels[x] for x in step.inputs[1:])
        word = "add" if isinstance(step.layer, Residual) else step.layer.word
        text = f"{word} {others}" if others else statement(step.layer)
        if isinstance(step.layer, Merge) and not others:
            text = "id"
        self._at = i
        return [*before, f"{self._label(i)}{text}"]

    def _label(self, i: int) -> str:
        return f"{self._labels[i]}: " if i in self._labels else ""

    def _from(self, x: int) -> list[str]:
        if x == self._at:
            return []
        self._at = x
        return [f"from {self._labels[x]}"]


def _train(recipe: Recipe | None) -> list[str]:
    """The `train` section with the settings that the spec itself gives."""
    if recipe is None:
        return []
    named = [name for name in (*PLAIN, *CHOSEN) if name in recipe.said and name != "data"]
    settings = [part for name in named for part in recipe.setting(name).split("; ")]
    if "data" in recipe.said:
        settings.insert(0, f"data {recipe.places['data.name'].text}")
    short = f"train {{ {''.join(settings)} }}"
    return ["train {", *settings, "}"] if len(settings) > 1 else [short]
