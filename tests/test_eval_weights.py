"""`eval SPEC --weights FILE`: weights of others are scored without a run."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from safetensors.numpy import save_file

import cnndsl
from cnndsl.cli import group

SPEC = "input 3x4x4\nconv 2 1x1 nobias\ngap\n"
# Red or green: the mean of a channel decides.
TENSORS = {"conv_1.weight": np.eye(2, 3, dtype=np.float32).reshape(2, 3, 1, 1)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    from PIL import Image

    for name, colour in (("a_red", (255, 0, 0)), ("b_green", (0, 255, 0))):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(3):
            Image.new("RGB", (8, 8 + i), colour).save(tmp_path / "data" / name / f"{i}.png")
    (tmp_path / "s.cnn").write_text(SPEC)
    save_file(TENSORS, tmp_path / "w.safetensors")
    return tmp_path


def evaluated(folder: Path, *more: str) -> Result:
    given = ["eval", f"{folder}/s.cnn", "--weights", f"{folder}/w.safetensors", "--json"]
    return CliRunner().invoke(group, [*given, "--data", f"{folder}/data", *more])


@pytest.mark.parametrize("preprocess", [(), ("--preprocess", "imagenet")])
def test_weights_are_scored_on_a_folder(folder: Path, preprocess: tuple[str, ...]) -> None:
    found = evaluated(folder, *preprocess)
    assert found.exit_code == 0, found.output
    assert '"accuracy": 1.0' in found.stdout
    assert ("tells no preprocessing" in found.stderr) == (not preprocess)


def test_a_spec_alone_says_what_it_needs(folder: Path) -> None:
    found = CliRunner().invoke(group, ["eval", f"{folder}/s.cnn"])
    assert isinstance(found.exception, cnndsl.UserError)
    assert "which weights of it? --weights FILE" in str(found.exception)
