"""ONNX back to a spec: the source that a file of ours carries, or the graph read as layers.

    read (graph) → a split is slices → written norms are one operator → channels first → fuse:
    several operators that are one word → constants of a chain are merged → Reader: layers → the
    flat writer

Each layer's shape is compared with onnx's; what has no word is refused, never guessed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cnndsl.decompile import embedded_source
from cnndsl.decompile import operators as operators
from cnndsl.decompile import windows as windows
from cnndsl.decompile.affine import merge_constants
from cnndsl.decompile.embedded_source import Tensors
from cnndsl.decompile.fuse import fuse, merge_reshapes
from cnndsl.decompile.layout import TURNED, channels_first
from cnndsl.decompile.norms import fuse_norms
from cnndsl.decompile.preprocessing import take_preprocessing
from cnndsl.decompile.read import read
from cnndsl.decompile.reader import Reader, joined
from cnndsl.decompile.split import split_to_slices
from cnndsl.fmt.render import formatted
from cnndsl.fmt.unroll import Step, flat
from cnndsl.ir import Model
from cnndsl.passes.analyse import analyse
from cnndsl.passes.control import RESERVED, WORDS
from cnndsl.passes.synonyms import reserved_words
from cnndsl.source import Source, UserError
from cnndsl.weights.model_info import ModelInfo

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True)
class Decompiled:
    """A spec, its model, and the file's tensors under the names of the spec."""

    text: str
    model: Model
    tensors: Tensors
    info: ModelInfo = field(default_factory=ModelInfo)
    """Of a graph, what its metadata tell and what it did to images before its first layer."""
    notes: tuple[str, ...] = ()
    """What of the file the spec does not say."""


def decompiled(model: "ModelProto") -> Decompiled:
    """The source that a checked file of ours carries, with its tensors; else its operators."""
    if embedded_source.source(model) is None:
        return from_graph(model)
    spec = embedded_source.spec(model)
    return Decompiled(spec.source.text, spec, embedded_source.tensors(model, spec))


def from_graph(model: "ModelProto") -> Decompiled:
    """The operators of a checked model as a flat spec.

    UserError names an operator or attribute that has no word.
    """
    graph = read(model)
    split_to_slices(graph)
    fuse_norms(graph)
    channels_first(graph)
    fuse(graph)
    merge_reshapes(graph)
    merge_constants(graph)
    info = take_preprocessing(graph, embedded_source.model_info(model))
    reader = Reader(graph)
    reader.run()
    outputs = _outputs(graph.outputs, reader)
    steps = joined(reader, outputs)
    text = formatted(Source("\n".join(flat(steps, outputs))))
    spec, found = analyse(Source(text, "decompiled"))
    if spec is None:
        raise UserError(f"the model is not a valid spec: {found[0].message}")
    _compare(spec, steps, reader)
    return Decompiled(text, spec, _tensors(spec, reader), info, tuple(graph.notes))


def _outputs(names: list[str], reader: Reader) -> dict[str, int]:
    """Where the outputs are made, by names that the language can write; a single one needs none."""
    if any(name not in reader.at for name in names):
        raise UserError("an output is a constant, or a second result of an operator")
    if len(reader.steps) == 1:
        raise UserError("the model has no layers")
    at = [reader.at[name] for name in names]
    names = [name.removesuffix(TURNED) for name in names]
    last = len(reader.steps) - 1
    if len(names) == 1:
        return {"output": last}
    found = dict[str, int]()
    for name, index in zip(names, at, strict=True):
        is_unsaid = name == "output" and index == last and at.count(last) == 1
        found[name if is_unsaid else free_name(name, found)] = index
    return found


def free_name(name: str, taken: Mapping[str, int]) -> str:
    """The nearest name of an output that the language has not taken."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)[:50]
    forbidden = {*RESERVED, *WORDS, *reserved_words(), "input", "output", *taken}
    if plain[:1].isalpha() and plain not in forbidden:
        return plain
    others = (f"out_{n}" for n in (plain, *range(len(taken) + 1)))
    return next(n for n in others if n not in taken)


def _compare(spec: Model, steps: list[Step], reader: Reader) -> None:
    """What the text says is what was read."""
    read = [(s.layer.word, s.inputs, shape) for s, shape in zip(steps, reader.shapes, strict=True)]
    said = [(n.layer.word, n.inputs, n.shape) for n in spec.nodes]
    if said != read:
        raise AssertionError("the written spec is not the graph that was read")


def _tensors(spec: Model, reader: Reader) -> Tensors:
    named = zip(spec.nodes, reader.tensors, strict=True)
    return {f"{node.path}.{name}": t for node, tensors in named for name, t in tensors.items()}
