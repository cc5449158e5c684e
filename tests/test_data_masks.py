"""Images with masks of the same names."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnndsl
from cnndsl.data.registry import open_dataset
from cnndsl.source import UserError

Image = pytest.importorskip("PIL.Image")

RNG = np.random.default_rng(0)
SIZE = (3, 8, 8)
MASK = np.arange(64).reshape(8, 8).astype(np.uint8) % 3


def fill(top: Path, count: int = 10, mask: Any = MASK, mode: str | None = None) -> Path:
    for name in ("images", "masks"):
        (top / name).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        pixels = RNG.integers(0, 256, (*mask.shape[:2], 3)).astype(np.uint8)
        with Image.fromarray(pixels) as image, Image.fromarray(mask) as drawn:
            image.save(top / "images" / f"{i}.bmp")
            if mode == "P":
                drawn.putpalette([0, 0, 0, 9, 9, 9, 7, 7, 7])
            drawn.save(top / "masks" / f"{i}.png")
    return top


def test_a_mask_belongs_to_the_image_of_its_name(tmp_path: Path) -> None:
    data = open_dataset(str(fill(tmp_path)), SIZE)
    assert (data.task, data.names) == ("segmentation", ("0", "1", "2"))
    assert (len(data.train), len(data.test)) == (8, 2)
    assert np.array_equal(data.train.y[0], MASK)


@pytest.mark.parametrize("mask", [(MASK, "P"), (np.dstack([MASK] * 3), None)])
def test_palettes_and_equal_colours_are_class_numbers(tmp_path: Path, mask: Any) -> None:
    data = open_dataset(str(fill(tmp_path, 5, *mask)), SIZE)
    assert np.array_equal(data.test.y[0], MASK)


@pytest.mark.parametrize("ending", ["jpg", "JPEG", "jfif"])
def test_a_jpeg_is_no_mask(tmp_path: Path, ending: str) -> None:
    for file in (fill(tmp_path, 2) / "masks").iterdir():
        file.rename(file.with_suffix(f".{ending}"))
    with pytest.raises(UserError, match="masks must be PNG"):
        open_dataset(str(tmp_path), SIZE)


def test_masks_are_scaled_as_images_without_mixing_classes(tmp_path: Path) -> None:
    mask = np.kron(np.array([[0, 9, 0], [9, 255, 9]]), np.ones((8, 8))).astype(np.uint8)
    data = open_dataset(str(fill(tmp_path, 5, mask)), SIZE)
    assert data.test.y.shape == (1, 8, 8)
    assert set(np.unique(data.test.y).tolist()) <= {0, 9, 255}


def test_names_and_splits(tmp_path: Path) -> None:
    for part in ("train", "val2017"):
        fill(tmp_path / part, 3)
    (tmp_path / "classes.txt").write_text("road\ncar\ntree\n")
    data = open_dataset(str(tmp_path), SIZE)
    assert (data.names, len(data.train), len(data.test)) == (("road", "car", "tree"), 3, 3)


def test_they_train_a_segmentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = cnndsl.parse("input 3x8x8; conv 4 3x3 pad relu; conv 3 1x1")
    rows = cnndsl.train(model, fill(tmp_path / "set"), epochs=1, batch=4, progress="none")
    assert 0 <= rows[-1]["val_miou"] <= 1


def test_a_mask_of_colours_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path)
    with Image.new("RGB", (8, 8), (1, 2, 3)) as image:
        image.save(tmp_path / "masks" / "0.png")
    assert len(open_dataset(str(tmp_path), SIZE).train) == 8
    assert "0.png: a mask is a PNG of class numbers" in capsys.readouterr().err


def test_masks_of_another_size_than_their_images_are_named(tmp_path: Path) -> None:
    with Image.fromarray(fill(tmp_path) and MASK[:4]) as mask:
        mask.save(tmp_path / "masks/3.png")
    told = r"1 of 10 masks has another size\n  .*3\.png is 8x4, its image 8x8"
    with pytest.raises(UserError, match=told):
        open_dataset(str(tmp_path), SIZE)


def test_the_file_of_a_value_beyond_the_classes_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path)
    (tmp_path / "classes.txt").write_text("road\ncar\n")
    net = cnndsl.parse("input 3x8x8\nconv 2 3x3 same")
    with pytest.raises(UserError, match="training mask 0 has the value 2"):
        cnndsl.train(net, tmp_path, batch=2, out=tmp_path / "run")
    assert f"{tmp_path / 'masks/7.png'} has 2; classes are 0…1\n" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_black_and_white_masks_are_told(tmp_path: Path) -> None:
    net = cnndsl.parse("input 3x8x8\nconv 2 3x3 same")
    fill(tmp_path, mask=(MASK > 0).astype(np.uint8) * 255)
    (tmp_path / "classes.txt").write_text("road\ncar\n")
    told = "training masks are of one class, road\n  255 is not a class: write 1 for the second"
    with pytest.raises(UserError, match=told):
        cnndsl.train(net, tmp_path, batch=2, out=tmp_path / "run")


@pytest.mark.parametrize("high", [50, 127, 254])
def test_gray_levels_are_no_class_numbers(tmp_path: Path, high: int) -> None:
    net = cnndsl.parse("input 3x8x8\nconv 2 3x3 same")
    fill(tmp_path, mask=(MASK > 0).astype(np.uint8) * high)
    told = f"values 0, {high}, which would be {high + 1} classes\n.*write 1 for {high}\n"
    with pytest.raises(UserError, match=told):
        cnndsl.train(net, tmp_path, batch=2, out=tmp_path / "run")


def test_an_image_without_its_mask_is_an_error(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "masks" / "3.png").unlink()
    with pytest.raises(UserError, match=r"without mask: .*3\.bmp\n.*same name"):
        open_dataset(str(tmp_path), SIZE)
    (tmp_path / "images" / "3.bmp").unlink()
    (tmp_path / "images" / "4.bmp").unlink()
    with pytest.raises(UserError, match=r"without image: .*4\.png"):
        open_dataset(str(tmp_path), SIZE)
