"""`bench MODEL.onnx …`: compiled models side by side."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from click.testing import CliRunner
from PIL import Image
from safetensors.numpy import save_file

import cnndsl
from cnndsl.cli import group, main

SPEC = "input 3x8x8; conv 4 3x3 pad relu; gap; dense 3"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The exit status and both outputs of `bench …`, beside models of one spec."""
    monkeypatch.chdir(tmp_path)
    model = cnndsl.parse(SPEC)
    model.save("net.cnn")
    model.save("bytes.onnx", uint8=True)
    model.save("floats.onnx")
    model.save("four.onnx", batch=4)

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["bench", *arguments, "--steps", "3"])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return call


def data(classes=3):
    """Images whose class is what the model answers, but for every fourth."""
    x = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), np.uint8)
    (outputs,) = onnxruntime.InferenceSession("bytes.onnx").run(None, {"input": x})
    y = (outputs.argmax(1) + (np.arange(40) % 4 == 0)) % 3
    names = np.array([f"c{i}" for i in range(classes)])
    y[:classes] = np.arange(classes)
    np.savez("data.npz", x_test=x, y_test=y, x=x, y=y, classes=names)
    return float((outputs.argmax(1) == y).mean())


def test_models_batches_and_threads_make_a_row_each(bench):
    models = ("bytes.onnx", "floats.onnx")
    ways = ("--batch", "1", "--batch", "4", "--threads", "1", "--threads", "2")
    code, out, _ = bench(*models, *ways, "--json")
    rows = json.loads(out)
    assert code == 0
    assert [(r["model"], r["batch"], r["threads"]) for r in rows] == [
        (model, batch, threads) for model in models for batch in (1, 4) for threads in (1, 2)
    ]
    for row in rows:
        assert 0 < row["median_ms"] <= row["p95_ms"]
        assert row["images_per_s"] * row["median_ms"] == pytest.approx(row["batch"] * 1e3)
        assert row["bytes"] == Path(row["model"]).stat().st_size
        assert row["accuracy"] is None


def test_the_table_has_what_was_measured(bench):
    _, out, _ = bench("floats.onnx", "four.onnx")
    heads, *rows = (line.split() for line in out.splitlines()[1:])
    assert heads == ["model", "size", "batch", "threads", "median", "ms", "p95", "ms", "images/s"]
    assert [(row[0], row[3], row[4]) for row in rows] == [
        ("floats.onnx", "1", "all"), ("four.onnx", "4", "all")
    ]  # fmt: skip


def test_accuracy_is_measured_where_data_are_given(bench):
    wanted = data()
    _, out, _ = bench("bytes.onnx", "floats.onnx", "four.onnx", "--data", "data.npz", "--json")
    assert [row["accuracy"] for row in json.loads(out)] == [pytest.approx(wanted)] * 3
    assert "accuracy" in bench("four.onnx", "--data", "data.npz")[1]


def test_classes_are_matched_by_their_names(bench):
    """Data tell c0, c1, c2; the model has them in another order, and its outputs with them."""
    share = data()
    cnndsl.parse(SPEC).save("named.onnx", uint8=True, classes=["c0", "c1", "c2"])
    turned = dict(np.load("data.npz"))
    turned |= {key: (turned[key] + 1) % 3 for key in ("y", "y_test")}
    np.savez("turned.npz", **turned | {"classes": np.array(["c2", "c0", "c1"])})
    assert json.loads(bench("named.onnx", "--data", "turned.npz", "--json")[1])[0][
        "accuracy"
    ] == pytest.approx(share)


def test_data_of_other_classes_are_an_error(bench):
    data(classes=4)
    code, _, err = bench("floats.onnx", "--data", "data.npz")
    assert code == 2
    assert "floats.onnx: gives 3 outputs; data.npz has 4 classes" in err


def test_a_model_that_tells_nothing_is_measured_as_its_images_were_prepared(bench):
    """A folder of images, cut and normalised by the metadata, by name, or not at all."""
    model = cnndsl.parse(SPEC)
    colours = np.random.default_rng(1).integers(0, 256, (30, 3))
    for i, colour in enumerate(colours.tolist()):
        Path(f"folder/{i % 3}").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 13), tuple(colour)).save(f"folder/{i % 3}/{i}.png")
    save_file(model.initial_weights(1), "w.safetensors")
    model.save("plain.onnx", weights="w.safetensors")
    named = ("--preprocess", "imagenet")
    compiled = ("net.cnn", "--weights", "w.safetensors", *named)
    CliRunner().invoke(group, ["compile", *compiled, "-o", "told.onnx"])
    scored = CliRunner().invoke(group, ["eval", *compiled, "--data", "folder", "--json"])
    found = [
        json.loads(bench(name, "--data", "folder", *more, "--json")[1])[0]["accuracy"]
        for name, more in (("told.onnx", ()), ("plain.onnx", named), ("plain.onnx", ()))
    ]
    assert found[0] == found[1] == json.loads(scored.stdout)["accuracy"] != found[2]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ("four.onnx --batch 2", 2, "four.onnx: takes batches of 4, not of 2"),
        ("nowhere.onnx", 2, "nowhere.onnx: No such file"),
        ("four.onnx net.cnn", 2, "not both"),
        ("four.onnx --conv direct", 2, "--conv says nothing to models"),
        ("four.onnx --weights w.safetensors", 2, "--weights says nothing to models"),
        ("net.cnn --data data.npz", 2, "--data says nothing to a spec"),
        ("net.cnn --preprocess imagenet", 2, "--preprocess says nothing to a spec"),
        ("four.onnx --preprocess imagenet", 2, "--preprocess says how images of --data"),
        ("bytes.onnx --data data.npz --preprocess imagenet", 2, "normalises them itself"),
        ("four.onnx --data data.npz --preprocess imagnet", 2, "did you mean `imagenet`"),
        ("net.cnn --batch 2 --batch 4", 2, "one spec, with one --batch"),
        ("net.cnn net.cnn", 2, "one spec"),
    ],
)
def test_what_cannot_be_timed(bench, arguments, code, text):
    found, _, err = bench(*arguments.split())
    assert (found, text in err) == (code, True)
