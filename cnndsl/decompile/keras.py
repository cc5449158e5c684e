"""A Keras model as a spec: each layer in our words, as a call of it would be, with its weights."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import isclose
from pathlib import Path
from typing import Any

from cnndsl.decompile import Decompiled, free_name
from cnndsl.decompile.keras_calls import statement
from cnndsl.fmt.render import formatted
from cnndsl.frameworks.arguments import NoCounterpart
from cnndsl.frameworks.flow import NOWHERE, Flow
from cnndsl.frameworks.functions import MERGES
from cnndsl.frameworks.program import Program
from cnndsl.ir import Model
from cnndsl.passes.analyse import analyse
from cnndsl.source import Source, UserError, printable
from cnndsl.weights.align import in_order
from cnndsl.weights.base import RawWeights
from cnndsl.weights.fit import fit_weights
from cnndsl.weights.keras import KerasModel, read_model
from cnndsl.weights.keras_graph import KerasGraph, KerasLayer
from cnndsl.weights.keras_scaling import INACTIVE, scaling
from cnndsl.weights.keras_tensors import Tensors
from cnndsl.weights.match import Match, arranged
from cnndsl.weights.model_info import ModelInfo
from cnndsl.weights.modules import modules

_IMAGES = 4  # dimensions of images
_SHOWN = 5
Size = tuple[int, int]


def from_keras(path: Path, size: Size | None = None) -> Decompiled:
    """A `.keras` or whole `.h5`, Sequential or functional, as a flat spec with its weights.

    `size` is the images' height and width where the file leaves them open. UserError names the
    layers that the language has no word for.
    """
    keras = read_model(path)
    reader = _Reader(keras, size)
    text = formatted(Source("\n".join(reader.lines(str(path)))))
    spec, found = analyse(Source(text, "decompiled"))
    if spec is None:
        raise UserError(f"{path}: the model is not a valid spec: {found[0].message}")
    return Decompiled(
        text, spec, _tensors(reader.tensors(), spec, str(path)), reader.info, tuple(reader.notes)
    )  # fmt: skip


def _tensors(theirs: Tensors, spec: Model, origin: str) -> dict[str, Any]:
    """Both have the order of the text."""
    own = modules({name: p.shape for name, p in spec.tensors().items()})
    shapes = modules({name: array.shape for name, array in theirs.items()})
    names, _ = in_order(own, shapes, set(), origin)
    raw = RawWeights(theirs, channels_last=True, simplified=True)
    return dict(fit_weights(arranged(raw, Match(names, {}), spec), spec, origin))


@dataclass
class _Reader:
    """The layers as statements, and which line makes which layer's tensor."""

    keras: KerasModel
    size: Size | None
    gates: Mapping[int, str] = field(default_factory=dict[int, str])
    info: ModelInfo = field(default_factory=ModelInfo)
    notes: list[str] = field(default_factory=list[str])

    def lines(self, origin: str) -> list[str]:
        """The statements of the spec; UserError that names the layers without a word."""
        inputs = [i for i in self.keras.order if not self.keras.graph.layers[i].inputs]
        if len(inputs) != 1:
            raise UserError(f"{origin} has {len(inputs)} inputs; a spec has one")
        program, at, problems = Program(), dict[int, int](), list[str]()
        self.gates = _hard_sigmoids(self.keras.graph)
        scaled, self.info = scaling(self.keras.graph, self.keras.tensors)
        if scaled:
            self.notes.append("images are scaled from 0…255 as preprocessing: --weights keeps it")
        for i in self.keras.order:
            layer = self.keras.graph.layers[i]
            try:
                at[i] = self._add(program, i, at, i in scaled or self.gates.get(i) == "")
            except NoCounterpart as error:
                problems.append(f"`{layer.name}` ({layer.kind}): {error}")
                at[i] = at[layer.inputs[0]] if layer.inputs else program.flow.here
        if problems:
            count = f"{len(problems)} layers have" if len(problems) > 1 else "a layer has"
            shown = "".join(f"\n  {printable(text)}" for text in problems[:_SHOWN])
            raise UserError(f"{origin}: {count} no word here{shown}")
        self._name_outputs(program.flow, at)
        return [line.text for line in program.lines()]

    def _name_outputs(self, flow: Flow, at: Mapping[int, int]) -> None:
        """Several outputs have the names of their layers."""
        outputs, taken = self.keras.graph.outputs, dict[str, int]()
        for i in outputs if len(outputs) > 1 else ():
            name = free_name(self.keras.graph.layers[i].name, taken)
            taken[name] = i
            flow.go(at[i])
            flow.apply(f"output {name}")
            flow.here = at[i]

    def tensors(self) -> Tensors:
        """The tensors in the order of the statements, without those of the preprocessing."""
        return {
            f"{i}.{name}": array
            for i in self.keras.order
            for name, array in self.keras.tensors.get(i, {}).items()
            if self.keras.graph.layers[i].kind != "Normalization"
        }

    def _add(self, program: Program, i: int, at: Mapping[int, int], is_passed: bool) -> int:
        """The line that makes a layer's tensor; NoCounterpart."""
        layer, flow = self.keras.graph.layers[i], program.flow
        before = [at[j] for j in layer.inputs]
        if is_passed:
            return before[0]
        if layer.constants and i not in self.gates:
            raise NoCounterpart("it computes with a constant")
        if layer.kind.startswith(INACTIVE):
            self.notes.append(f"`{layer.name}` ({layer.kind}) does nothing at inference: left out")
            return before[0]
        if layer.kind in _MERGED and i not in self.gates:
            rank = self.keras.graph.rank(layer.inputs[0])
            return _MERGED[layer.kind](flow, _distinct(before, layer, rank))
        if len(before) > 1:
            raise NoCounterpart("the language has no word for it")
        if before:
            flow.go(before[0])
        ends = layer.kind.startswith("Global") and i in self.keras.graph.outputs
        on_images = bool(layer.inputs) and self.keras.graph.rank(layer.inputs[0]) == _IMAGES
        text = self.gates.get(i) or statement(layer, self.size, on_images)
        return flow.apply(f"{text}; flatten" if ends and not layer.config.get("keepdims") else text)


def _merge(word: str, flow: Flow, tensors: list[int]) -> int:
    return flow.merge(word, tensors, NOWHERE)


def _mean(flow: Flow, tensors: list[int]) -> int:
    flow.merge("add", tensors, NOWHERE)
    return flow.apply(f"scale 1/{len(tensors)} fixed")


def _difference(flow: Flow, tensors: list[int]) -> int:
    minuend, subtrahend = tensors
    flow.go(subtrahend)
    return flow.merge("add", [flow.apply("scale (-1) fixed"), minuend], NOWHERE)


def _maximum(flow: Flow, tensors: list[int]) -> int:
    """a + relu(b − a)."""
    first, *rest = tensors
    for other in rest:
        _difference(flow, [other, first])
        first = flow.merge("add", [flow.apply("relu"), first], NOWHERE)
    return first


def _minimum(flow: Flow, tensors: list[int]) -> int:
    """a − relu(a − b)."""
    first, *rest = tensors
    for other in rest:
        _difference(flow, [first, other])
        first = _difference(flow, [first, flow.apply("relu")])
    return first


_MERGED: Mapping[str, Callable[[Flow, list[int]], int]] = {
    **{kind: partial(_merge, word) for kind, word in MERGES.items()},
    "Average": _mean,
    "Maximum": _maximum,
    "Minimum": _minimum,
    "Subtract": _difference,
}


def _hard_sigmoids(graph: KerasGraph) -> dict[int, str]:
    """Keras's applications write relu6(x + 3) / 6 as three layers: the last is one of ours, and the
    two before it are nothing.
    """
    layers, found = graph.layers, dict[int, str]()
    readers = Counter(i for layer in layers for i in layer.inputs)
    for i, last in enumerate(layers):
        if last.kind != "Multiply" or len(last.inputs) != 1 or not _is_about(last, 1 / 6):
            continue
        relu = layers[last.inputs[0]]
        before = relu.inputs[0] if relu.kind == "ReLU" and relu.config.get("max_value") == 6 else i
        is_read_once = readers[before] == readers[last.inputs[0]] == 1
        if layers[before].kind == "Add" and _is_about(layers[before], 3) and is_read_once:
            found |= {before: "", last.inputs[0]: "", i: "hsigmoid"}
    return found


def _is_about(layer: KerasLayer, number: float) -> bool:
    given = layer.constants
    return len(given) == 1 and isinstance(given[0], int | float) and isclose(given[0], number)


def _distinct(before: list[int], layer: KerasLayer, rank: int) -> list[int]:
    """The lines that are merged; NoCounterpart for a tensor with itself, or by another axis."""
    axis = layer.config.get("axis", -1)
    if layer.kind == "Concatenate" and axis not in (-1, rank - 1):
        raise NoCounterpart(f"it joins by axis {axis}; here channels are joined")
    if len(set(before)) != len(before) or len(before) < 2:
        raise NoCounterpart("it merges a tensor with itself")
    return before
