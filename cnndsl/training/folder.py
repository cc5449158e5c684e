"""The run folder: what a run leaves behind, with the names that people know."""

import csv
import io
import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

from cnndsl.files import remove_parts, write_below, write_whole, writing
from cnndsl.passes.includes import says
from cnndsl.source import UserError, either, option
from cnndsl.tasks import registry
from cnndsl.training import checkpoint
from cnndsl.training.mosaics import FILES as MOSAICS

_WEIGHTS = ("best.safetensors", "last.safetensors", "best.onnx", "best.int8.onnx")
_MADE = (
    "results.csv",
    "env.json",
    "log.txt",
    "results.png",
    *MOSAICS,
    *(name for task in registry.values() for name in task.files),
    *(f"weights/{name}" for name in _WEIGHTS),
)
_PACKAGES = ("cnndsl", "onnx", "onnxruntime", "onnxruntime-gpu", "numpy")


def resume_call(path: Path) -> str:
    """What to type to go on with a run."""
    return either(f"cnndsl train --resume {path}", f"cnndsl.resume({str(path)!r})")


def next_free(base: Path = Path("runs"), kind: str = "train") -> Path:
    """`runs/train`, `runs/train2` …: the first that does not exist, made for this process alone."""
    with writing(base):
        base.mkdir(parents=True, exist_ok=True)
    count = 1
    while True:
        path = base / f"{kind}{count if count > 1 else ''}"
        with writing(path):
            try:
                path.mkdir()
                return path
            except FileExistsError:
                count += 1


class RunFolder:
    """`args.yaml model.cnn results.csv log.txt env.json weights/ checkpoints/`, held by a lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with writing(path):
            (path / "weights").mkdir(parents=True, exist_ok=True)
            self._lock = _locked(path / ".lock")
        with self, writing(path):
            for part in (path, path / "weights", self.checkpoints):
                remove_parts(part)

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints are kept."""
        return self.path / "checkpoints"

    @staticmethod
    def begun(
        path: Path, arguments: Mapping[str, Any], spec: str, used: Mapping[str, str] | None = None
    ) -> "RunFolder":
        """A folder that says what the run is, with the files that its spec uses.

        UserError, before anything is made, where there is a run or what belongs to none.
        `args.yaml` comes behind the spec: where it stands, the run can be resumed.
        """
        copies = {**(used or {}), "model.cnn": spec}
        _check_new(path, copies, used or {})
        with RunFolder(path) as folder:
            write_below(path, copies)
            folder.remember(arguments)
            folder.write("env.json", json.dumps(_environment(), indent=1) + "\n")
            return folder

    def remember(self, arguments: Mapping[str, Any]) -> None:
        """Write `args.yaml`, what the run is given besides its spec."""
        lines = [f"{key}: {json.dumps(value)}" for key, value in arguments.items()]
        self.write("args.yaml", "\n".join(lines) + "\n")

    def write(self, name: str, text: str) -> None:
        """Write a text file whole."""
        write_whole(self.path / name, text.encode())

    def results(self, rows: list[dict[str, Any]]) -> None:
        """`results.csv`, a row an epoch."""
        out = io.StringIO()
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self.write("results.csv", out.getvalue())

    def log(self, line: str) -> None:
        """Append to `log.txt`."""
        path = self.path / "log.txt"
        with writing(path), path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def keep(self, name: str, data: bytes) -> None:
        """Write a file of `weights/` whole."""
        write_whole(self.path / "weights" / name, data)

    def save(self, name: str, tensors: Mapping[str, Any], manifest: dict[str, Any]) -> None:
        """Write a checkpoint."""
        checkpoint.save(self.checkpoints, name, tensors, manifest)

    def close(self) -> None:
        """Let go of the lock."""
        self._lock.close()

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        """Let go of the lock where the block failed; else the run goes on with it."""
        if kind is not None:
            self.close()


class OthersFolder(RunFolder):
    """The folder of a run that another rank writes: nothing is written or locked here."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> None:
        """Rank 0 does."""

    def log(self, line: str) -> None:
        """Rank 0 does."""

    def keep(self, name: str, data: bytes) -> None:
        """Rank 0 does."""

    def save(self, name: str, tensors: Mapping[str, Any], manifest: dict[str, Any]) -> None:
        """Rank 0 does."""

    def close(self) -> None:
        """There is no lock."""


def _is_run(path: Path) -> bool:
    return (path / "args.yaml").exists()


def _check_new(path: Path, copies: Mapping[str, str], used: Iterable[str]) -> None:
    """UserError where a run cannot begin, or would replace files that are none of a run's."""
    begun = (path / "results.csv").exists() or (path / "checkpoints").exists()
    if begun and _is_run(path):
        raise UserError(
            f"{path} has a run already\n"
            f"  go on with `{resume_call(path)}`, or choose another {option('out')}"
        )
    for name in used:
        if Path(name).suffix != ".cnn" or name == "model.cnn":
            keeps = "a run folder keeps included files; name it like blocks.cnn"
            raise UserError(f"{name}: {keeps}")
    if _is_run(path):
        return
    for name in (*_MADE, *copies):
        found = path / name
        if found.exists() and not (name in copies and says(found, copies[name])):
            hint = f"give {option('out')} a folder of its own"
            raise UserError(f"{found} is there already, and is not of a run\n  {hint}")


def _locked(path: Path) -> IO[bytes]:
    file = path.open("ab")
    try:
        _hold(file)
    except (BlockingIOError, PermissionError):
        file.close()
        raise UserError(f"{path.parent}: another process is training there") from None
    return file


def _hold(file: IO[bytes]) -> None:
    """Lock a file until it is closed; an OSError where another has it."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _environment() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
