"""Images of another kind than the model's input: what becomes of them, and that it is told."""

from pathlib import Path

import numpy as np
import pytest

import cnndsl
from cnndsl.data.changes import told_changes
from cnndsl.data.dataset import Dataset
from cnndsl.data.registry import open_dataset
from cnndsl.data.splits import for_measuring
from cnndsl.runtime.images import read_picture
from cnndsl.runtime.predict import open_predictor
from cnndsl.source import UserError

Image = pytest.importorskip("PIL.Image")

RGB, GRAY = (3, 8, 8), (1, 8, 8)
SPEC = "input 3x8x8\nflatten\ndense 2"


def fill(top: Path, pixels: np.ndarray, count: int = 4) -> Path:
    """Two classes with images of the same pixels."""
    for name in ("cat", "dog"):
        (top / name).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(pixels).save(top / name / f"{i}.png")
    return top


def deep(largest: int) -> np.ndarray:
    return np.linspace(0, largest, 64).reshape(8, 8).astype(np.uint16)


HALF_CLEAR = np.full((8, 8, 4), (200, 0, 0, 255), np.uint8)
HALF_CLEAR[:4, :, 3] = 0
COLOURS = HALF_CLEAR[..., :3]
OPAQUE = np.dstack([COLOURS, np.full((8, 8), 255, np.uint8)])
GRAY_AS_RGB = np.full((8, 8, 3), 90, np.uint8)

TOLD = {
    "16 bits": (deep(65535), GRAY, ["16 bits a value"]),
    "12 bits in 16": (deep(4095), GRAY, ["16 bits a value", "12 bits by `x << 4`"]),
    "transparent": (HALF_CLEAR, RGB, ["transparent pixels, laid on white"]),
    "opaque": (OPAQUE, RGB, []),
    "colours, gray input": (COLOURS, GRAY, ["colours, which"]),
    "gray stored as RGB, gray input": (GRAY_AS_RGB, GRAY, []),
    "gray, RGB input": (GRAY_AS_RGB[..., 0], RGB, ["gray, the same values"]),
    "gray, gray input": (GRAY_AS_RGB[..., 0], GRAY, []),
}


@pytest.mark.parametrize("kind", TOLD)
def test_what_becomes_of_images_is_told_with_their_number(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they come out of the cache, and once where all are measured."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pixels, size, parts = TOLD[kind]
    folder = str(fill(tmp_path / "data", pixels))
    for arranged in ({}, {}, {"arranged": for_measuring}):
        told = "\n".join(told_changes(open_dataset(folder, size, **arranged)))
        assert told.count("8 of 8 images") == bool(parts)
        assert all(part in told for part in parts)


def test_16_bits_are_scaled_by_their_full_range(tmp_path: Path) -> None:
    file = fill(tmp_path, deep(65535), 1) / "cat" / "0.png"
    assert read_picture(file, 8, 8, 1)[..., 0].ravel().tolist() == [
        int(x) >> 8 for x in deep(65535).ravel()
    ]


def test_the_ground_is_that_of_the_recipe_in_training_and_in_use(
    tmp_path: Path,
) -> None:
    folder, run = fill(tmp_path / "data", HALF_CLEAR), tmp_path / "run"
    model = cnndsl.parse(f"{SPEC}\ntrain {{ epochs 1; batch 4; holdout 0.5 seed=1; ground black }}")
    cnndsl.train(model, folder, out=run, progress="none")
    predictor = open_predictor(run / "weights" / "best.onnx")
    fed = predictor.picture(folder / "cat" / "0.png")
    assert [fed[0, y, 0].tolist() for y in (0, 7)] == [[0, 0, 0], [200, 0, 0]]


def split_of(share: float, seed: int | None, folder: Path) -> Dataset:
    from functools import partial

    from cnndsl.data.splits import for_training

    arranged = partial(for_training, share=share, seed=seed)
    return open_dataset(str(folder), GRAY, arranged=arranged)


def numbered(top: Path, counts: dict[str, int]) -> Path:
    for name, count in counts.items():
        (top / name).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(np.full((8, 8), i, np.uint8)).save(top / name / f"{i:02}.png")
    return top


def test_a_share_of_each_class_is_held_out(tmp_path: Path) -> None:
    """Evenly spaced without a seed, by chance with one; the same for the same seed."""
    folder = numbered(tmp_path, {"cat": 20, "dog": 10})
    held = split_of(0.3, None, folder).test
    assert np.bincount(held.y).tolist() == [6, 3]
    assert held.x[:6, 0, 0, 0].tolist() == [3, 6, 9, 13, 16, 19]
    drawn, again, other = (split_of(0.3, seed, folder).test.x for seed in (1, 1, 2))
    assert np.array_equal(drawn, again)
    assert not np.array_equal(drawn, other)


def test_a_share_for_data_that_have_a_test_is_refused(tmp_path: Path) -> None:
    for part in ("train", "test"):
        numbered(tmp_path / part, {"cat": 2, "dog": 2})
    with pytest.raises(UserError, match="leave it out: these have `test`"):
        split_of(0.3, None, tmp_path)


OTHERS = {
    "a PDF": (b"%PDF-1.7\n", "is a PDF.*\n  save it as .png"),
    "a TIFF": (b"II*\0rest", "is a TIFF"),
    "HEIC": (b"\0\0\0\x18ftypheic", "is a HEIC"),
    "AVIF": (b"\0\0\0\x18ftypavif", "is an AVIF"),
    "a web page": (b"\n<!DOCTYPE html>", "is a web page.*\n  download it again"),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1", "`git lfs pull`"),
    "an archive": (b"PK\x03\x04", "is a zip archive"),
    "nothing": (b"", "is empty"),
    "text": (b"some words", "it is none of PNG, JPEG"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_a_file_that_is_no_image_is_named_for_what_it_is(kind: str, tmp_path: Path) -> None:
    data, message = OTHERS[kind]
    (tmp_path / "1.png").write_bytes(data)
    with pytest.raises(UserError, match=message):
        read_picture(tmp_path / "1.png", 8, 8)
