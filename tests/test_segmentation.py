"""Masks from data to files: what is refused, what is told, what `run` writes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnndsl
from cnndsl.backend.artifact import inference_model
from cnndsl.backend.inference import Options
from cnndsl.cli import main
from cnndsl.data.dataset import Dataset, Split, Targets
from cnndsl.losses import VOID, CrossEntropy, Dice
from cnndsl.recipe import Recipe
from cnndsl.runtime import masks
from cnndsl.runtime.images import read_framed, read_picture
from cnndsl.source import UserError
from cnndsl.tasks.segmentation import Segmentation
from cnndsl.training.targets import resolved
from cnndsl.weights.initial import initial_weights
from cnndsl.weights.model_info import ModelInfo

Image = pytest.importorskip("PIL.Image")

MAP = "input 3x8x8\nconv 3 3x3 same\n"
GOOD = np.arange(2 * 64).reshape(2, 8, 8) % 3


def data(y: Targets, names: int = 3) -> Dataset:
    split = Split(np.zeros((len(y), 3, 8, 8), np.uint8), y)
    return Dataset("some", split, split, tuple("abcdefgh"[:names]))


def read(y: Targets, net: str = MAP, recipe: Recipe | None = None, names: int = 3) -> Dataset:
    return resolved(cnndsl.parse(net).ir, recipe or Recipe(), data(y, names))[1]


def with_value(value: int) -> Targets:
    y = GOOD.copy()
    y[1, 2, 3] = value
    return y


def test_masks_for_a_map_are_a_segmentation() -> None:
    recipe, found = resolved(cnndsl.parse(MAP).ir, Recipe(), data(GOOD))
    assert recipe.task == Segmentation()
    assert isinstance(recipe.loss, CrossEntropy)
    assert found.train.y.dtype == np.uint8
    assert np.array_equal(found.train.y, GOOD)


@pytest.mark.parametrize(
    ("y", "net", "told"),
    [
        (with_value(7), MAP, r"training mask 1 has the value 7: classes are 0…2, and 255 is ig"
         r"nored\n  `ignore=7`"),
        (with_value(-1), MAP, "training mask 1 has the value -1.*\n  write 255 for pixels of no"),
        (with_value(256), MAP, "training mask 1 has the value 256"),
        (np.full((2, 8, 8), VOID), MAP, "training masks have no pixel that is not ignored"),
        (GOOD, "input 3x8x8\nconv 3 3x3 /2 pad\n",
         r"gives maps of 4x4, the masks are 8x8\n  end the spec with `upsample 2 bilinear`\n"
         r"  .*:2: conv 3 3x3 /2 pad"),
        (GOOD[:, :4], MAP, "maps of 8x8, the masks are 4x8\n  take masks as large as the images"),
        (GOOD, "input 3x8x8\nconv 3 3x3\n", "maps of 6x6, the masks are 8x8\n  pad the conv"),
        (GOOD, "input 3x8x8\ngap; dense 3\n",
         r"a segmentation needs a map of C×H×W, but the model gives \(3,\)\n"
         r"  .*:2: gap; dense 3\n  some has masks of 8x8: end the spec with `conv 3 1x1`, with"),
        (GOOD, "input 3x8x8\nconv 4 3x3 same\n", "3 classes, the model 4 outputs\n  end the spec "
         "with `conv 3 1x1`"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_is_told_with_the_way_out(y: Targets, net: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        read(y, net)


def test_a_class_can_be_left_out() -> None:
    recipe = Recipe(loss=CrossEntropy(ignore=7))
    assert read(with_value(7), recipe=recipe).train.y[1, 2, 3] == VOID


def test_masks_and_classes_without_use_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    y = GOOD.copy()
    y[0] = VOID
    read(y, MAP.replace("conv 3", "conv 4"), names=4)
    told = capsys.readouterr().err
    assert "some: 1 of 2 masks are ignored as a whole\n" in told
    assert "some: no mask has d\n" in told


def test_a_mask_is_told_by_its_most_frequent_classes() -> None:
    y = np.array([[[0, 0, 1, VOID]], [[VOID] * 4]], np.uint8)
    assert Segmentation().truths(y, ("sky", "sea")) == ["sky 66.7%  sea 33.3%", "-"]
    (answer,) = Segmentation().answers(np.array([[[[0.0, 1]], [[1, 0]], [[0, 0]]]]), ("sky",), 5)
    assert answer.text == "sky 50.0%  class 1 50.0%"
    assert answer.mask is not None
    assert answer.mask.tolist() == [[1, 0]]


# Files


def test_the_palette_is_the_one_of_pascal_voc() -> None:
    colours = masks.palette().tolist()
    assert colours[:4] == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert colours[VOID] == [224, 224, 192]
    assert len({tuple(c) for c in colours}) == 256


def test_background_and_ignored_pixels_are_not_painted() -> None:
    images = np.full((1, 1, 1, 3), 100, np.uint8)
    found = masks.overlaid(images, np.array([[[0, VOID, 1]]], np.uint8))
    assert found[0, :, 0].T.tolist() == [[100] * 3, [100] * 3, [114, 50, 50]]


@pytest.mark.parametrize("size", [(64, 64), (200, 80), (30, 75), (1, 40)])
def test_a_mask_lies_where_the_model_has_seen_its_pixels(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    """A model that answers with the brightness of its input marks the bright half of the file."""
    path, pixels = tmp_path / "a.png", np.zeros((*size, 3), np.uint8)
    pixels[:, size[1] // 2 :] = 255
    Image.fromarray(pixels).save(path)
    seen = (read_picture(path, 64, 64)[..., 0] > 127).astype(np.uint8)
    files = masks.save_masks(tmp_path / "new" / "out", path, "a", seen)
    image = Image.open(files["mask"])
    found = np.asarray(image)
    assert image.mode == "P"
    assert found.shape == size
    known = found != VOID
    _, framing = read_framed(path, 64, 64)
    left, top, right, bottom = framing.box
    assert known.sum() == pytest.approx((right - left) * (bottom - top), rel=0.1)
    assert (found == pixels[..., 0] // 255)[known].mean() > 0.98
    assert np.asarray(Image.open(files["overlay"])).shape == (*size, 3)


def run(*arguments: object) -> None:
    with pytest.raises(SystemExit) as left:
        main(["run", *map(str, arguments)])
    assert left.value.code == 0


def test_run_writes_masks_and_overlays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files of one name from two folders, and images of one array, do not replace each other."""
    monkeypatch.chdir(tmp_path)
    model = cnndsl.parse(MAP).ir
    info = ModelInfo(classes=tuple("abc"), task=Segmentation())
    graph: Any = inference_model(model, initial_weights(model, 0), Options(info=info))
    Path("net.onnx").write_bytes(graph.SerializeToString())
    for folder in ("one", "two"):
        Path(folder).mkdir()
        Image.fromarray(np.full((10, 12, 3), 9, np.uint8)).save(f"{folder}/x.png")
    np.save("many.npy", np.zeros((2, 3, 8, 8), np.float32))
    run("net.onnx", "one/x.png", "two/x.png", "many.npy", "--out", "masks")
    assert {path.name for path in Path("masks").iterdir()} == {
        "x.mask.png", "x.overlay.png", "x-2.mask.png", "x-2.overlay.png",
        "many.mask.png", "many-2.mask.png",
    }  # fmt: skip
    assert "  → masks/x-2.mask.png  → masks/x-2.overlay.png\n" in capsys.readouterr().out
    run("net.onnx", "one/x.png")
    assert Path("runs/predict/x.mask.png").exists()
    (mask,) = cnndsl.predict("net.onnx", "one/x.png")
    assert mask.shape == (8, 8)


def test_a_map_for_class_numbers_and_a_loss_of_masks_are_told_with_the_way_out() -> None:
    classes = np.array([0, 1, 2])
    with pytest.raises(UserError, match=r":2: conv 3 3x3 same\n  .*class numbers of 3 classes: end "
                       r"the spec with `gap; dense 3`"):  # fmt: skip
        read(classes)
    with pytest.raises(UserError, match=r"`dice` does not learn class numbers of 3 classes\n"
                       r"  losses that do: `cross_entropy`"):  # fmt: skip
        read(classes, "input 3x8x8\ngap; dense 3\n", Recipe(loss=Dice()))
