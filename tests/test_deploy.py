"""docs/deploy.md: its programs answer as `cnndsl run` does."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from browser import NODE_MODULES, node_package
from documents import ROOT, fences

import cnndsl
from cnndsl.runtime.predict import open_predictor

PAGE = ROOT / "docs" / "deploy.md"
PICTURES = np.random.default_rng(0).integers(0, 256, (3, 12, 16, 3), np.uint8)


def program(language: str) -> str:
    (only,) = fences(PAGE, language)
    return only.text


@pytest.fixture(autouse=True)
def expected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str, float]]:
    """The class of each picture, its name and its probability; `model.onnx` is compiled here."""
    monkeypatch.chdir(tmp_path)
    model = cnndsl.parse("input 3x12x16; conv 8 3x3 relu; gap; dense 3")
    model.save("model.onnx", uint8=True, classes=["oak", "elm", "ash"])
    answers = [open_predictor(Path("model.onnx")).answers(p[None], 1)[0] for p in PICTURES]
    firsts = [answer.record["top"][0] for answer in answers]
    return [(first["class"], first["name"], first["probability"]) for first in firsts]


def printed(*command: str) -> list[list[str]]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def test_python_needs_onnxruntime_and_numpy_alone(expected: list[tuple[int, str, float]]) -> None:
    np.save("pictures.npy", PICTURES)
    bar = "import sys\nsys.modules |= {'cnndsl': None, 'onnx': None, 'PIL': None}\n"
    lines = printed(sys.executable, "-c", bar + program("python"))
    assert [name for name, _ in lines] == [name for _, name, _ in expected]
    assert [float(p) for _, p in lines] == pytest.approx([p for *_, p in expected], abs=1e-4)


def test_node_needs_onnxruntime_node_alone(expected: list[tuple[int, str, float]]) -> None:
    node_package("onnxruntime-node")
    node = shutil.which("node") or pytest.skip("Node is not installed")
    os.symlink(NODE_MODULES, "node_modules")
    Path("classify.mjs").write_text(program("js"))
    for pixels, (number, _, chance) in zip(PICTURES, expected, strict=True):
        Path("picture.rgb").write_bytes(pixels.tobytes())
        ((word, found, p),) = printed(node, "classify.mjs")
        assert (word, int(found)) == ("class", number)
        assert float(p) == pytest.approx(chance, abs=1e-4)


def test_what_is_not_run_says_so() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for title in ("## C++\n", "## C#\n"):
        assert text.partition(title)[2].lstrip().startswith("Not compiled by the tests.")
