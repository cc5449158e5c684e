"""ONNX back to a spec: the source that a file of ours carries, or the graph read as layers.

    read (graph) → fuse: several operators that are one word → Reader: layers → the flat writer

Each layer's shape is compared with onnx's; what has no word is refused, never guessed.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnndsl.decompile import operators as operators
from cnndsl.decompile import windows as windows
from cnndsl.decompile.fuse import fuse
from cnndsl.decompile.graph import read
from cnndsl.decompile.reader import Reader, joined
from cnndsl.fmt.render import formatted
from cnndsl.fmt.unroll import Step, flat
from cnndsl.ir import Model
from cnndsl.passes.analyse import analyse
from cnndsl.passes.control import RESERVED, WORDS
from cnndsl.passes.habits import reserved_words
from cnndsl.source import Source, UserError

if TYPE_CHECKING:
    from onnx import ModelProto

Tensors = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Decompiled:
    """A spec, its model, and the file's tensors under the names of the spec."""

    text: str
    model: Model
    tensors: Tensors


def from_graph(model: "ModelProto") -> Decompiled:
    """The operators of a checked model as a flat spec.

    UserError names an operator or attribute that has no word.
    """
    graph = read(model)
    fuse(graph)
    reader = Reader(graph)
    reader.run()
    outputs = _outputs(graph.outputs, reader)
    steps = joined(reader, outputs)
    text = formatted(Source("\n".join(flat(steps, outputs, ()))))
    spec, found = analyse(Source(text, "decompiled"))
    if spec is None:
        raise UserError(f"the model is no valid spec: {found[0].message}")
    _compare(spec, steps, reader)
    return Decompiled(text, spec, _tensors(spec, reader))


def _outputs(names: list[str], reader: Reader) -> dict[str, int]:
    """Where the outputs are made, by names that the language can write; a single one needs none."""
    if any(name not in reader.at for name in names):
        raise UserError("an output is a constant, or a second result of an operator")
    if len(names) == 1:
        return {"output": reader.at[names[0]]}
    found = dict[str, int]()
    for name in names:
        found[_free(name, found)] = reader.at[name]
    return found


def _free(name: str, taken: Mapping[str, int]) -> str:
    """The nearest name that the language has not taken."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)[:50]
    forbidden = {*RESERVED, *WORDS, *reserved_words(), "input", "output", *taken}
    if plain[:1].isalpha() and plain not in forbidden:
        return plain
    return next(n for n in (f"out_{plain}", *(f"out_{i}" for i in range(10**6))) if n not in taken)


def _compare(spec: Model, steps: list[Step], reader: Reader) -> None:
    """What the text says is what was read."""
    read = [(s.layer.word, s.inputs, shape) for s, shape in zip(steps, reader.shapes, strict=True)]
    said = [(n.layer.word, n.inputs, n.shape) for n in spec.nodes]
    if said != read:
        raise AssertionError("the written spec is not the graph that was read")


def _tensors(spec: Model, reader: Reader) -> Tensors:
    named = zip(spec.nodes, reader.tensors, strict=True)
    return {f"{node.path}.{name}": t for node, tensors in named for name, t in tensors.items()}


def from_metadata(model: "ModelProto") -> str | None:
    """The source that a file of ours carries, its settings as a comment; None for other files."""
    entries = {entry.key: entry.value for entry in model.metadata_props}
    if "cnndsl_source" not in entries:
        return None
    settings = _settings(entries.get("cnndsl_settings", "{}"))
    said = " ".join(f"--set {name}={_shown(value)}" for name, value in settings.items())
    return (f"# compiled with {said}\n" if said else "") + entries["cnndsl_source"]


def named_tensors(model: "ModelProto") -> Tensors:
    """The constants of a file of ours under their own names, for the spec that it carries."""
    graph = read(model)
    text = from_metadata(model) or ""
    entries = {entry.key: entry.value for entry in model.metadata_props}
    settings = _settings(entries.get("cnndsl_settings", "{}"))
    spec, found = analyse(Source(text, "decompiled"), settings)
    if spec is None:
        raise UserError(
            f"the source in the file does not stand by itself: {found[0].message}\n{_INSTEAD}"
        )
    wanted = spec.tensors()
    tensors = {name: graph.constants[name] for name in wanted if name in graph.constants}
    missing = next((n for n in wanted if n not in tensors), None)
    bad = next((n for n, p in wanted.items() if n in tensors and tensors[n].shape != p.shape), None)
    if missing or bad:
        raise UserError(
            f"`{missing or bad}` of the source is not in the graph as it was: "
            f"batch norms are folded\n{_INSTEAD}"
        )
    return {name: np.asarray(t, np.float32) for name, t in tensors.items()}


_INSTEAD = "  --graph reads the operators instead, with their weights"


def _settings(text: str) -> dict[str, float]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"its metadata cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise UserError("its metadata cannot be read: the settings are no table")
    named = {str(k): v for k, v in found.items()}
    if not all(k.isidentifier() and isinstance(v, int | float) for k, v in named.items()):
        raise UserError("its metadata cannot be read: the settings are no numbers by name")
    return named


def _shown(value: float) -> str:
    return str(value).lower()
