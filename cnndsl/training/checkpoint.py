"""Checkpoints: a safetensors file and a JSON manifest with its hash, both written whole.

The last two are kept; the newest whose hash agrees is resumed.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.files import write_whole, writing
from cnndsl.source import UserError

_KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """State tensors in ONNX's layout, and everything else as JSON values."""

    tensors: dict[str, NDArray[Any]]
    manifest: dict[str, Any]

    def weights(self) -> dict[str, NDArray[Any]]:
        """The weights, without the optimizer's state beside them: `conv_1.weight.mean`."""
        named = {n for n in self.tensors if "." in n}  # not `step`
        return {n: self.tensors[n] for n in named if n.rpartition(".")[0] not in named}


def save(
    folder: Path, name: str, tensors: Mapping[str, NDArray[Any]], manifest: dict[str, Any]
) -> None:
    """Write `name`, then remove all but the last two."""
    from safetensors.numpy import save as pack

    with writing(folder):
        folder.mkdir(exist_ok=True)
    data = pack({k: np.ascontiguousarray(v) for k, v in tensors.items()})
    write_whole(folder / f"{name}.safetensors", data)
    entry = {**manifest, "sha256": hashlib.sha256(data).hexdigest()}
    entry["manifest_sha256"] = _digest(entry)
    write_whole(folder / f"{name}.json", json.dumps(entry, indent=1).encode())
    tidy(folder)


def tidy(folder: Path) -> None:
    """Remove all but the last two, and tensors that a killed process left without a manifest."""
    with writing(folder):
        for manifest in _by_age(folder)[:-_KEPT]:
            manifest.unlink()
        for tensors in folder.glob("*.safetensors"):
            if not tensors.with_suffix(".json").exists():
                tensors.unlink()


def _by_age(folder: Path) -> list[Path]:
    """The manifests, oldest first; a longer number is a larger one."""
    return sorted(folder.glob("*.json"), key=lambda path: (len(path.name), path.name))


def any_in(folder: Path) -> bool:
    """Whether a checkpoint has ever been finished there."""
    return any(folder.glob("*.json"))


def newest(folder: Path) -> Checkpoint:
    """The newest whole checkpoint; UserError where there is none."""
    for manifest in reversed(_by_age(folder)):
        found = _read(manifest)
        if found is not None:
            return found
        print(f"left out: {manifest}: the checkpoint is damaged", file=sys.stderr)
    raise UserError(
        f"{folder} holds no whole checkpoint to resume from\n"
        "  start anew: `cnndsl train SPEC --weights RUN/weights/last.safetensors`"
    )


def _read(path: Path) -> Checkpoint | None:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        data = path.with_suffix(".safetensors").read_bytes()
        said = manifest.pop("manifest_sha256"), manifest["sha256"]
        if said != (_digest(manifest), hashlib.sha256(data).hexdigest()):
            return None
        return Checkpoint(load(data), manifest)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError):
        return None


def _digest(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
