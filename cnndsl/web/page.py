"""A page as a folder: HTML, script and style of this package, models, and `model.json` for them."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cnndsl.files import PART, write_whole, writing
from cnndsl.source import UserError

SETTINGS = "model.json"
_SOURCE = Path(__file__).parent / "static"
STATIC = tuple(
    sorted(path.relative_to(_SOURCE).as_posix() for path in _SOURCE.rglob("*") if path.is_file())
)
"""HTML, style and scripts, by their names in a page."""
_SIGNS = (SETTINGS, "index.html", "style.css")  # also of pages of earlier versions
CDN = "https://cdn.jsdelivr.net/npm/onnxruntime-web@1.30.0/dist/"
RUNTIME = (
    "ort.wasm.bundle.min.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.webgpu.bundle.min.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
"""What the page loads of onnxruntime-web: script and program for WebAssembly, and for WebGPU."""


@dataclass(frozen=True)
class Page:
    """What a page holds: `files` by name, and `settings`, which tell its script what they are."""

    settings: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])

    def with_runtime(self, given: str | None) -> "Page":
        """The page with the place of onnxruntime-web: an address, or a folder that is copied.

        UserError for a folder that lacks a file of `RUNTIME`.
        """
        if given is None or given.startswith(("https://", "http://")):
            address = f"{(given or CDN).rstrip('/')}/"
            return Page({**self.settings, "runtime": address}, self.files)
        copies = {f"runtime/{path.name}": path.read_bytes() for path in _runtime_files(Path(given))}
        return Page({**self.settings, "runtime": "runtime/"}, {**self.files, **copies})

    def joined(self, other: "Page") -> "Page":
        """One page of both."""
        return Page({**self.settings, **other.settings}, {**self.files, **other.files})

    def write(self, folder: Path) -> None:
        """Write the page; files of an older one are replaced. A new folder is whole or not there.

        UserError where the folder holds other things, or cannot be written.
        """
        check_folder(folder)
        if folder.exists():
            return self._fill(folder)
        with writing(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(PART, ".", folder.parent) as unfinished:
                self._fill(Path(unfinished) / "page")
                os.replace(Path(unfinished) / "page", folder)

    def _fill(self, folder: Path) -> None:
        files = {name: (_SOURCE / name).read_bytes() for name in STATIC} | dict(self.files)
        files[SETTINGS] = json.dumps(self.settings, indent=1).encode() + b"\n"
        for name, data in files.items():
            with writing(folder / name):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(folder / name, data)


def check_folder(folder: Path) -> None:
    """UserError where a page would stand among, or over, files of others."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; a page is a folder: give -o another name")
    if folder.is_dir() and any(folder.iterdir()) and not _is_page(folder):
        hint = f"give it a folder of its own: -o {folder / 'page'}"
        raise UserError(f"{folder} holds other files, and is not a page of cnndsl\n  {hint}")


def _is_page(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _SIGNS)


def _runtime_files(folder: Path) -> list[Path]:
    """The files of `RUNTIME`, also below the package's own folder."""
    dist = folder / "dist" if (folder / "dist").is_dir() else folder
    missing = [name for name in RUNTIME if not (dist / name).is_file()]
    if missing:
        raise UserError(
            f"{folder} is not a build of onnxruntime-web, {missing[0]} is missing\n"
            "  npm install onnxruntime-web, then --runtime node_modules/onnxruntime-web/dist"
        )
    return [dist / name for name in RUNTIME]
