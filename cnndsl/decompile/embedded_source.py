"""What a file of ours says of its origin: the source text, and tensors under their own names."""

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnndsl.decompile.graph import initializers
from cnndsl.ir import Model
from cnndsl.passes.analyse import analyse
from cnndsl.passes.includes import read
from cnndsl.passes.settings import written_settings
from cnndsl.source import UserError
from cnndsl.weights.folded import unfolded
from cnndsl.weights.model_info import ModelInfo, info_from_onnx, onnx_entries

if TYPE_CHECKING:
    from onnx import ModelProto

Tensors = dict[str, NDArray[np.float32]]
_INSTEAD = "  --graph reads the operators instead, with their weights"


def source(model: "ModelProto") -> str | None:
    """The source that a file of ours carries, its settings as a comment; None for other files."""
    entries = onnx_entries(model)
    if "cnndsl_source" not in entries:
        return None
    said = " ".join(f"--set {pair}" for pair in written_settings(_settings(entries)))
    return (f"# compiled with {said}\n" if said else "") + entries["cnndsl_source"]


def is_step(model: "ModelProto") -> bool:
    """Whether it is a training step of ours, which `run` has no use for."""
    return "cnndsl_layouts" in onnx_entries(model)


def used(model: "ModelProto") -> dict[str, str]:
    """Texts of the files that the source uses, by their paths beside it, each inside its folder."""
    entries = onnx_entries(model)
    try:
        found = json.loads(entries.get("cnndsl_used", "{}"))
        texts = {str(name): str(text) for name, text in found.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise UserError(f"its metadata cannot be read: {error}") from None
    for name in texts:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or path.suffix != ".cnn" or "\\" in name:
            raise UserError(f"its metadata cannot be read: `{name}` is not a file beside a spec")
    return texts


def model_info(model: "ModelProto") -> ModelInfo:
    """How images are normalised before they meet the weights, and the names of classes."""
    return info_from_onnx(onnx_entries(model), "the model")


def spec(model: "ModelProto") -> Model:
    """The model of the source, with the files that it uses; UserError where it is not whole."""
    entries = onnx_entries(model)
    with TemporaryDirectory() as folder:
        main = Path(folder) / "spec.cnn"
        for name, text in (used(model) | {main.name: entries.get("cnndsl_source", "")}).items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        found, wrong = analyse(read(main), _settings(entries))
    if found is None:
        raise UserError(f"the source in the file is not whole: {wrong[0].message}\n{_INSTEAD}")
    return replace(found, name=model.graph.name or found.name)


def tensors(model: "ModelProto", net: Model) -> Tensors:
    """Every tensor of the file's own spec that it carries, by its name there.

    A batch norm that was folded comes back as one that only adds. UserError where something else
    of the spec is missing.
    """
    there = unfolded(initializers(model), net)
    wanted = net.tensors()
    for name, param in wanted.items():
        if name not in there or there[name].shape != param.shape:
            raise UserError(f"`{name}` of the source is not among the constants\n{_INSTEAD}")
    return {name: np.asarray(there[name], np.float32) for name in wanted}


def _settings(entries: dict[str, str]) -> dict[str, float]:
    try:
        found = json.loads(entries.get("cnndsl_settings", "{}"))
        named = {str(name): number for name, number in found.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise UserError(f"its metadata cannot be read: {error}") from None
    if not all(n.isidentifier() and isinstance(v, int | float) for n, v in named.items()):
        raise UserError("its metadata cannot be read: the settings are no numbers by name")
    return named
