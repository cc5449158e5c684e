"""What a file of ours says of its origin: the source text, and tensors under their own names."""

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.decompile.graph import initializers
from cnndsl.ir import Model, Node
from cnndsl.layers.norm import BatchNorm
from cnndsl.passes.analyse import analyse
from cnndsl.passes.includes import read
from cnndsl.passes.settings import written_settings
from cnndsl.source import UserError
from cnndsl.weights.model_info import ModelInfo, info_from_onnx

if TYPE_CHECKING:
    from onnx import ModelProto

Tensors = dict[str, NDArray[np.float32]]
_INSTEAD = "  --graph reads the operators instead, with their weights"


def source(model: "ModelProto") -> str | None:
    """The source that a file of ours carries, its settings as a comment; None for other files."""
    entries = _entries(model)
    if "cnndsl_source" not in entries:
        return None
    said = " ".join(f"--set {pair}" for pair in written_settings(_settings(entries)))
    return (f"# compiled with {said}\n" if said else "") + entries["cnndsl_source"]


def is_step(model: "ModelProto") -> bool:
    """Whether it is a training step of ours, which `run` has no use for."""
    return "cnndsl_layouts" in _entries(model)


def used(model: "ModelProto") -> dict[str, str]:
    """Texts of the files that the source uses, by their paths beside it, each inside its folder."""
    entries = _entries(model)
    try:
        found = json.loads(entries.get("cnndsl_used", "{}"))
        texts = {str(name): str(text) for name, text in found.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise UserError(f"its metadata cannot be read: {error}") from None
    for name in texts:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or path.suffix != ".cnn" or "\\" in name:
            raise UserError(f"its metadata cannot be read: `{name}` is no file beside a spec")
    return texts


def model_info(model: "ModelProto") -> ModelInfo:
    """How images are normalised before they meet the weights, and the names of classes."""
    return info_from_onnx(_entries(model), "the model")


def spec(model: "ModelProto") -> Model:
    """The model of the source, with the files that it uses; UserError where it is not whole."""
    entries = _entries(model)
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
    there: dict[str, NDArray[Any]] = dict(initializers(model))
    for node in net.nodes:
        if isinstance(node.layer, BatchNorm) and f"{node.path}.running_var" not in there:
            _unfold(net, node, node.layer.eps, there)
    wanted = net.tensors()
    for name, param in wanted.items():
        if name not in there or there[name].shape != param.shape:
            raise UserError(f"`{name}` of the source is not among the constants\n{_INSTEAD}")
    return {name: np.asarray(there[name], np.float32) for name in wanted}


def _unfold(spec: Model, norm: Node, eps: float, there: "dict[str, NDArray[Any]]") -> None:
    """The norm's mean keeps the bias where the layer before has none of its own."""
    before = spec.nodes[norm.inputs[0]].path
    shift = there.get(f"{before}.bias")
    if shift is None:
        return
    if f"{before}.bias" in spec.tensors():
        shift = np.zeros_like(shift)
    ones = np.ones_like(shift)
    made = {"weight": ones, "bias": ones * 0, "running_mean": -shift, "running_var": ones - eps}
    there.update({f"{norm.path}.{name}": array for name, array in made.items()})


def _entries(model: "ModelProto") -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}


def _settings(entries: dict[str, str]) -> dict[str, float]:
    try:
        found = json.loads(entries.get("cnndsl_settings", "{}"))
        named = {str(name): number for name, number in found.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise UserError(f"its metadata cannot be read: {error}") from None
    if not all(n.isidentifier() and isinstance(v, int | float) for n, v in named.items()):
        raise UserError("its metadata cannot be read: the settings are no numbers by name")
    return named
