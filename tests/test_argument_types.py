"""What the public functions refuse: one error of ours in Python's words, saying what to give."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnndsl
from cnndsl.cli import main

SPEC = "input 3x8x8; conv 4 3x3 relu; gap; dense 2"
MODEL = cnndsl.parse(SPEC)
NET: Any = "net.cnn"
IMAGES = np.zeros((2, 3, 8, 8), np.uint8)

SPECS: list[tuple[Callable[[], Any], str]] = [
    (lambda: cnndsl.load(None), "cnndsl.load: a path, not None"),
    (lambda: cnndsl.load(MODEL), "cnndsl.load: a path, not a Model"),
    (lambda: cnndsl.load(f"{SPEC}\n"), r"path of a file\n  cnndsl.parse takes"),
    (lambda: cnndsl.parse(MODEL), "the text of a spec is a str, not Model"),
    (lambda: cnndsl.parse(NET), r"'net.cnn' is a path, and no text.*\n  cnndsl.load\('net.cnn'\)"),
    (lambda: cnndsl.check(NET), r"or cnndsl.check\(Path\('net.cnn'\)\)"),
    (lambda: cnndsl.formatted(NET), "is a path, and no text of a spec"),
    (lambda: cnndsl.from_onnx(None), "an .onnx file or a ModelProto, not None"),
    (lambda: cnndsl.from_onnx(MODEL), "an .onnx file or a ModelProto, not a Model"),
]

MODELS: list[tuple[Callable[[], Any], str]] = [
    (lambda: MODEL.to_onnx(3), "weights: a file, or arrays by name, not 3"),
    (lambda: MODEL.to_onnx(seed="a"), "seed: a whole number, not 'a'"),
    (lambda: MODEL.to_onnx(seed=-1), "seed: at least 0, not -1"),
    (lambda: MODEL.to_onnx(opset="17"), "opset: a whole number, not '17'"),
    (lambda: MODEL.to_onnx(batch=1.5), "batch: a whole number, not 1.5"),
    (lambda: MODEL.to_onnx(fold="no"), "fold: True or False, not 'no'"),
    (lambda: MODEL.to_onnx(mean="a"), "mean: a number, or one a channel, not 'a'"),
    (lambda: MODEL.to_onnx(std=["a"]), "std: a number, or one a channel, not a list"),
    (lambda: MODEL.to_onnx(classes="cat"), "classes: a list of names, not 'cat'"),
    (lambda: MODEL.to_onnx(classes=2), "classes: a list of names, not 2"),
    (lambda: MODEL.to_onnx(preprocess=3), "preprocess: a text, not 3"),
    (lambda: MODEL.to_onnx(why=1), "why: True or False, not 1"),
    (lambda: MODEL.to_onnx(why=True, fold=False), "why=True goes neither with fold=False"),
    (lambda: MODEL.save(3), "path: a path, not 3"),
    (lambda: MODEL.save_page(3), "folder: a path, not 3"),
    (lambda: MODEL.save_page("page", train="yes"), "train: True or False, not 'yes'"),
    (lambda: MODEL.save_page("page", batch=8), "batch: a page that does not train"),
    (lambda: MODEL.diagram("all"), "depth: a whole number, not 'all'"),
    (lambda: MODEL.initial_weights(True), "seed: a whole number, not True"),
]


def train(model: Any = MODEL, data: Any = None, **given: Any) -> Any:
    return cnndsl.train(model, data, **given)


RUNS: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: train(NET),
        r"a model of cnndsl.load, not 'net.cnn'\n  cnndsl.load\('net.cnn'\)",
    ),
    (lambda: train(data=3), r"data: a name, a path, or arrays \(x, y\), not 3"),
    (lambda: train(data=IMAGES), r"data: a name, a path, or arrays \(x, y\), not an array"),
    (lambda: train(out=3), "out: a path, not 3"),
    (lambda: train(threads="2"), "threads: a whole number, not '2'"),
    (lambda: train(threads=0), "threads: at least 1, not 0"),
    (lambda: train(strict="yes"), "strict: True or False, not 'yes'"),
    (lambda: train(fresh=3), "fresh: patterns of paths, not 3"),
    (lambda: train(data="shapes", callbacks=cnndsl.Callback), "not the class Callback; write an"),
    (lambda: train(data="shapes", callbacks=[print]), "callbacks: objects of cnndsl.Callback, not"),
    (lambda: cnndsl.evaluate(None), "run: a path, not None"),
    (lambda: cnndsl.evaluate("some"), "some is not a run folder .*\n  `cnndsl.train` makes one"),
    (lambda: cnndsl.evaluate(NET), "net.cnn is not a run folder"),
    (lambda: cnndsl.evaluate("some", why="yes"), "why: True or False, not 'yes'"),
    (lambda: cnndsl.resume(MODEL), "run: a path, not a Model"),
]

COMPILED: list[tuple[Callable[[], Any], str]] = [
    (lambda: cnndsl.to_int8(MODEL), "an .onnx file or a ModelProto, not a Model"),
    (lambda: cnndsl.to_int8(MODEL.to_onnx()), "none are given\n  give `data`"),
    (lambda: cnndsl.to_int8(MODEL.to_onnx(), IMAGES), "arrays .x, y., not an array"),
    (lambda: cnndsl.to_int8(MODEL.to_onnx(), "shapes", calibrate=3), "calibrate=3: too few"),
    (lambda: cnndsl.to_int8(MODEL.to_onnx(), max_drop="1"), "max_drop: a number, not '1'"),
    (lambda: cnndsl.to_int8(MODEL.to_onnx(), max_drop=-1), "max_drop: at least 0, not -1"),
    (lambda: cnndsl.to_int8(MODEL.to_onnx(), progress="loud"), "progress: 'loud' is none of auto,"),
    (lambda: cnndsl.to_float16(NET), "net.cnn is a spec, no compiled model"),
    (lambda: cnndsl.to_float16(MODEL.to_onnx(), keep_float=3), "keep_float: patterns of paths"),
    (lambda: cnndsl.to_float16(MODEL.to_onnx(), keep_float="conv"), "no layer is called `conv`"),
    (lambda: cnndsl.heat_maps(MODEL.to_onnx(), []), "pictures: none are given"),
    (lambda: cnndsl.heat_maps(None, IMAGES), "an .onnx file or a ModelProto, not None"),
    (lambda: cnndsl.bench([]), "models: none are given"),
    (lambda: cnndsl.bench(MODEL), "models: a path, not a Model"),
    (lambda: cnndsl.bench("some.onnx", batch=0), "batch: at least 1, not 0"),
    (lambda: cnndsl.bench("some.onnx", steps=2), "steps: at least 3, not 2"),
    (lambda: cnndsl.bench("some.onnx"), "some.onnx: No such file"),
]

UNKNOWN = {
    "epoch": "did you mean `epochs`?",
    "batch_size": "did you mean `batch`?",
    "optimiser": "did you mean `optimizer`?",
    "callback": "did you mean `callbacks`?",
    "thread": "did you mean `threads`?",
    "lr": '`optimizer="adam lr=0.1"`',
    "learning_rate": '`optimizer="adam lr=0.1"`',
    "momentum": '`optimizer="sgd momentum=0.1"`',
    "smooth": '`loss="cross_entropy smooth=0.1"`',
    "flip": '`augment="flip"`',
    "crop": '`augment="crop=0.1"`',
    "validation_split": "did you mean `holdout`?",
    "validation_data": "`data=(x, y, x_test, y_test)`",
    "shuffle": "leave it out",
    "verbose": '`progress="none"`',
    "zzz": "settings are data, batch",
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_argument_is_answered_with_the_right_one(name: str) -> None:
    with pytest.raises(cnndsl.UserError) as raised:
        train(data="shapes", **{name: 0.1})
    assert f"cnndsl.train: a recipe has no {name}" in str(raised.value)
    assert UNKNOWN[name] in str(raised.value)


@pytest.mark.parametrize(("call", "message"), SPECS + MODELS + RUNS + COMPILED)
def test_an_argument_of_another_kind_is_told(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(cnndsl.UserError, match=message):
        call()


def test_a_wrong_type_is_a_type_error_as_well() -> None:
    with pytest.raises(TypeError):
        cnndsl.load(MODEL)


def test_a_path_is_a_file_to_check(tmp_path: Path) -> None:
    (tmp_path / "net.cnn").write_text(SPEC)
    assert not cnndsl.check(tmp_path / "net.cnn")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The history of a run."""
    monkeypatch.chdir(tmp_path)
    images = np.arange(2 * 8 * 3 * 64, dtype=np.uint32).reshape(16, 3, 8, 8).astype(np.uint8)
    data = (images, np.arange(16) % 2)
    return cnndsl.train(MODEL, data, epochs=1, batch=4, progress="none", callbacks=Seen())


class Seen(cnndsl.Callback):
    """A single callback needs no list."""


def test_a_history_stands_for_its_run(run: Any) -> None:
    data = (np.zeros((4, 3, 8, 8), np.uint8), np.arange(4) % 2)
    assert cnndsl.evaluate(run, data).measured == 4
    with pytest.raises(cnndsl.UserError, match=r"train is a run folder\n  its model is"):
        cnndsl.predict(run, data[0])
    with pytest.raises(cnndsl.UserError, match=r"is not a run folder .*\n  the run is runs/train"):
        cnndsl.evaluate(run.folder / "weights" / "best.onnx")
    with pytest.raises(cnndsl.UserError, match=r"is not a run .*\n  runs are in it: runs/train"):
        cnndsl.evaluate("runs")


@pytest.mark.parametrize(
    ("command", "way"),
    [
        ("check", "model.cnn"), ("summary", "model.cnn"), ("fmt", "model.cnn"),
        ("weights show", "weights/best.safetensors"), ("decompile", "weights/best.onnx"),
    ],
)  # fmt: skip
def test_a_command_that_takes_a_file_names_it_in_a_run_folder(
    run: Any, command: str, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*command.split(), "runs/train"])
    assert f"is a run folder\n  give runs/train/{way}\n" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="0"):
        main([*command.split(), f"runs/train/{way}"])


def test_a_run_folder_is_no_data(run: Any) -> None:
    with pytest.raises(cnndsl.UserError, match="is a run folder, which holds no data"):
        cnndsl.train(MODEL, "runs/train", epochs=1)


def test_predict_takes_whatever_holds_pictures(run: Any) -> None:
    Image = pytest.importorskip("PIL.Image")
    best, size = run.folder / "weights" / "best.onnx", (20, 10)
    Path("some").mkdir()
    for i in range(2):
        Image.new("RGB", size, (60 * i, 0, 0)).save(f"some/{i}.png")
    files = ["some/0.png", Path("some/1.png")]
    expected = [cnndsl.predict(best, file)[0] for file in files]
    opened = [Image.open(file) for file in files]
    array = np.stack([np.asarray(image.resize((8, 8))) for image in opened])
    for pictures in (files, "some", "some/*.png", opened, array, list(array)):
        assert cnndsl.predict(best, pictures) == expected
    assert cnndsl.predict(best, opened[0]) == expected[:1]


PICTURES: dict[str, tuple[Any, str]] = {
    "none": (None, "a list of such, not None"),
    "no list": ([], "none are given"),
    "a number": (5, "not 5"),
    "a dict": ({"a": 1}, "not a dict"),
    "channels first": (IMAGES, r"the model takes N x .*\n  array.transpose\(0, 2, 3, 1\)"),
    "floats": (np.zeros((2, 8, 8, 3)), "is float64, the model takes uint8 pictures"),
    "another size": (np.zeros((2, 9, 9, 3), np.uint8), r"is \(2, 9, 9, 3\), the model takes"),
}


def test_predict_says_which_pictures_it_takes(run: Any) -> None:
    best = run.folder / "weights" / "best.onnx"
    for pictures, message in PICTURES.values():
        with pytest.raises(cnndsl.UserError, match=message):
            cnndsl.predict(best, pictures)
    with pytest.raises(cnndsl.UserError, match="k: a whole number, not '3'"):
        cnndsl.predict(best, IMAGES, k="3")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.onnx", r"is a compiled model, and no spec\n  cnndsl.from_onnx\('a.onnx'\)"),
        ("a.safetensors", "is a file of weights, and no spec"),
        ("a.png", "is an image, and no spec"),
    ],
)
def test_a_file_of_another_kind_is_no_spec(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(b"\x08\x00")
    with pytest.raises(cnndsl.UserError, match=message):
        cnndsl.load(name)
