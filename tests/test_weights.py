"""Weights files: found by content, read as they are, fitted to a model."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from cnndsl.source import UserError
from cnndsl.weights import formats, read_raw
from cnndsl.weights.model_info import ModelInfo
from cnndsl.weights.safetensors import pack_weights

TENSORS = {"b.weight": np.ones((2, 3), np.float32), "a.bias": np.zeros(3, np.float32)}


def test_formats_are_found_by_themselves() -> None:
    assert "Safetensors" in {type(each).__name__ for each in formats()}


def test_the_content_decides_before_the_extension(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(save(TENSORS))
    assert {n: a.tolist() for n, a in read_raw(path).tensors.items()} == {
        n: a.tolist() for n, a in TENSORS.items()
    }


def test_info_and_other_metadata_come_along(tmp_path: Path) -> None:
    info = ModelInfo((0.5,), (0.25,), ("cat", "dog"))
    (tmp_path / "a.safetensors").write_bytes(pack_weights(TENSORS, info))
    (tmp_path / "b.safetensors").write_bytes(save(TENSORS, metadata={"format": "pt"}))
    assert read_raw(tmp_path / "a.safetensors").info == info
    assert read_raw(tmp_path / "b.safetensors").info == ModelInfo()
    assert read_raw(tmp_path / "b.safetensors").metadata == {"format": "pt"}


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("w.dat", b"what is this", "is not a weights file that cnndsl reads"),
        ("w.safetensors", b"", "cannot be read as safetensors"),
    ],
)
def test_what_no_format_reads(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=problem):
        read_raw(tmp_path / name)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        read_raw(tmp_path / "w.safetensors")
    with pytest.raises(UserError, match="is a folder; give a file"):
        read_raw(tmp_path)
