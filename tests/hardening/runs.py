"""A tiny training run that is fast and has everything, and what must be true of what it leaves."""

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from safetensors.numpy import load_file

from cnndsl.data.dataset import Dataset
from cnndsl.data.formats import shapes
from cnndsl.training import checkpoint

SPEC = """input 3x32x32
conv 4 3x3 /2 bn relu; pool 2; dropout 0.2
conv 8 3x3 relu
gap; flatten; dense 10
train {{ batch 20; epochs {epochs}; optimizer adam; augment flip crop=2; ema 0.9 }}
"""
TIMES = {"seconds", "images_per_s"}


@cache
def pictures() -> Dataset:
    """The shapes, drawn once."""
    return shapes.load()


def some_data(path: Path, count: int = 200) -> Path:
    """Some of the shapes in a file."""
    data = pictures()
    arrays = {"x": data.train.x[:count], "y": data.train.y[:count]}
    tests = {"x_test": data.test.x[:50], "y_test": data.test.y[:50]}
    np.savez(path, **arrays, **tests, classes=np.array(shapes.CLASSES))
    return path


def arguments(folder: Path, out: str, *more: object, epochs: int = 4) -> list[object]:
    """`train` of the tiny net in a folder, with fixed blocking and threads."""
    spec = folder / f"net{epochs}.cnn"
    if not spec.exists():
        spec.write_text(SPEC.format(epochs=epochs))
    data = folder / "some.npz"
    return [
        "train", spec, "--data", data, "--out", folder / out, "--threads", 1, "--micro-batch", 20,
        "--progress", "lines", *more,
    ]  # fmt: skip


def again(folder: Path, out: str) -> list[object]:
    """The one command that goes on, with nothing said twice.

    Where the process ended before the folder held a run, there is nothing to resume: the same
    command starts it.
    """
    if (folder / out / "args.yaml").exists():
        return ["train", "--resume", folder / out]
    return []


def rows(run: Path) -> list[dict[str, str]]:
    """`results.csv` without its times."""
    with (run / "results.csv").open(encoding="utf-8") as file:
        return [{k: v for k, v in r.items() if k not in TIMES} for r in csv.DictReader(file)]


def result(run: Path) -> tuple[Any, ...]:
    """All that two equal runs have in common, bit for bit."""
    names = ("last.safetensors", "best.safetensors")
    return (rows(run), _graph(run), *((run / "weights" / name).read_bytes() for name in names))


def _graph(run: Path) -> bytes:
    """`best.onnx` but for its comments, which name the spec's file or the run's copy of it."""
    model = onnx.load(run / "weights" / "best.onnx")
    for node in model.graph.node:
        node.doc_string = ""
    return model.SerializeToString(deterministic=True)


def check_whole(run: Path) -> None:
    """No half file stands under a final name."""
    for path in run.rglob("*"):
        if path.is_dir() or path.name.startswith("."):
            continue
        if path.suffix == ".safetensors":
            assert load_file(path), path
        elif path.suffix == ".json":
            assert json.loads(path.read_text()), path
        elif path.suffix == ".onnx":
            onnx.checker.check_model(str(path))
        elif path.suffix == ".png":
            assert path.read_bytes()[-8:-4] == b"IEND", path
        elif path.name == "results.csv":
            assert all(None not in r.values() for r in rows(run)), path
    if checkpoint.any_in(run / "checkpoints"):
        checkpoint.newest(run / "checkpoints")


def check_tidy(run: Path) -> None:
    """Nothing is left of what was killed: two checkpoints, no parts."""
    assert not [p for p in run.rglob(".*") if p.name != ".lock"]
    kept = sorted(p.name for p in (run / "checkpoints").iterdir())
    assert len(kept) == 4
    assert {Path(n).stem for n in kept[::2]} == {Path(n).stem for n in kept[1::2]}
