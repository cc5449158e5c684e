"""A run folder is enough: to go on, to evaluate and to compile, whoever began the run."""

import json
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from running import session
from safetensors.numpy import save

import cnndsl
from cnndsl.cli import main
from cnndsl.data.formats import shapes
from cnndsl.files import CannotWrite
from cnndsl.losses import MeanSquaredError
from cnndsl.optim import Sgd
from cnndsl.recipe import Augment
from cnndsl.training.callbacks import Callback
from cnndsl.training.folder import (
    _MADE,  # pyright: ignore[reportPrivateUsage]
    next_free,
)
from cnndsl.training.run_config import read_config, read_model
from cnndsl.training.signals import Interrupted
from cnndsl.weights.safetensors import _signature  # pyright: ignore[reportPrivateUsage]

pytestmark = pytest.mark.usefixtures("no_plots")

SPEC = """input 3x32x32
let p = 0.2
conv 8 3x3 /2 bn relu; pool 2; dropout p
conv 8 3x3 relu
gap; dense 10
train { batch 20; epochs 2; optimizer adam lr=0.01; augment flip crop=2; ema 0.9 }
"""
FIXED = {"threads": 1, "progress": "none"}


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """200 + 50 of the shapes in a file."""
    path, all_ = tmp_path / "some.npz", shapes.load()
    arrays = {"x": all_.train.x[:200], "y": all_.train.y[:200]}
    tests = {"x_test": all_.test.x[:50], "y_test": all_.test.y[:50]}
    np.savez(path, **arrays, **tests, classes=np.array(shapes.CLASSES))
    monkeypatch.chdir(tmp_path)
    Path("net.cnn").write_text(SPEC)
    return str(path)


def train(out: str, model: cnndsl.Model | None = None, **more: Any) -> Any:
    return cnndsl.train(model or cnndsl.load("net.cnn"), "some.npz", out=out, **FIXED | more)


def command(*arguments: object) -> int:
    """The exit code of a command in this process."""
    with pytest.raises(SystemExit) as left:
        main([str(a) for a in arguments])
    assert isinstance(left.value.code, int)
    return left.value.code


def evaluated(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    capsys.readouterr()
    assert command("eval", *arguments, "--json", "--threads", 1) == 0
    return json.loads(capsys.readouterr().out)


def answers(model: str, pictures: Any) -> Any:
    (out,) = session(onnx.load(model)).run(None, {"input": pictures})
    return out


def weights(out: str) -> bytes:
    return Path(out, "weights", "last.safetensors").read_bytes()


class LeaveAt(Callback):
    def __init__(self, step: int, message: str = "") -> None:
        self.left, self.message = step, message

    def on_step(self, run: Any, loss: float) -> None:
        self.left -= 1
        if not self.left:
            raise Interrupted(130, self.message)


# From Python


def test_a_fresh_process_trains_twice_with_a_callback() -> None:
    program = (
        "import cnndsl\n"
        "class Mine(cnndsl.Callback): pass\n"
        "for out in 'ab':\n"
        "    model = cnndsl.load('net.cnn')\n"
        "    cnndsl.train(model, 'some.npz', out=out, epochs=1, callbacks=[Mine()], threads=1)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120, capture_output=True)
    assert weights("a") == weights("b")


def test_a_recipe_is_given_as_objects_or_in_the_words_of_a_spec() -> None:
    objects = train("a", optimizer=Sgd(lr=0.1, nesterov=True, momentum=0.9), epochs=1,
                    loss=MeanSquaredError(), augment=Augment(flip=True))  # fmt: skip
    words = train("b", optimizer="sgd lr=0.1 momentum=0.9 nesterov", epochs=1, loss="mse",
                  augment="flip")  # fmt: skip
    assert objects[-1]["val_loss"] == words[-1]["val_loss"]
    assert weights("a") == weights("b")


def test_objects_are_read_as_a_spec_is() -> None:
    train(
        "a",
        optimizer=Sgd(lr=np.float32(0.5), nesterov=True, momentum=0.9),  # type: ignore
        epochs=np.int64(1),
        augment=Augment(flip=True),
        ema=None,
    )  # type: ignore
    train("b", optimizer="sgd lr=0.5 momentum=0.9 nesterov", epochs=1, augment="flip", ema=None)
    assert weights("a") == weights("b")
    assert cnndsl.evaluate("a", threads=1).accuracy == cnndsl.evaluate("b", threads=1).accuracy


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"optimizer": Sgd}, r"give an object, `Sgd\(\)`"),
        ({"optimizer": Sgd(lr=-1.0)}, "at least 0, not -1"),
        ({"epochs": None}, "epochs: None is not a setting"),
        ({"batch": [1]}, "is not a setting"),
        ({"device": "gpu"}, "'gpu' is none of auto, cpu, cuda"),
        ({"threads": -1}, "threads: at least 1"),
        ({"progress": "fancy"}, "is none of auto, bar"),
        ({"optimizer": "sdg"}, "unknown optimizer `sdg`"),
        ({"epochs": 0}, "at least 1, not 0"),
        ({"loss": "mse smooth=1"}, "has no key"),
        ({"watch": "val_acc"}, "has no column `val_acc` to watch; one of loss, accuracy, val_loss"),
        ({"watch": "val_loss min_delta=-1"}, "at least 0, not -1"),
        ({"task": "detection"}, "unknown task `detection`"),
        ({"epoch": 1}, "a recipe has no epoch\n  did you mean `epochs`?"),
    ],
)
def test_a_recipe_that_is_none_is_told_before_anything_is_written(
    change: dict[str, Any], told: str
) -> None:
    with pytest.raises((cnndsl.Failed, cnndsl.UserError), match=told):
        train("run", **change)
    assert not Path("run").exists()


def test_the_command_goes_on_with_a_run_begun_in_python(capsys: pytest.CaptureFixture[str]) -> None:
    changes = {"optimizer": Sgd(lr=0.05, momentum=0.9), "epochs": 3, "loss": MeanSquaredError()}
    whole = train("whole", cnndsl.load("net.cnn", p=0.5), **changes)
    with pytest.raises(Interrupted):
        train("cut", cnndsl.load("net.cnn", p=0.5), **changes, callbacks=[LeaveAt(14)])
    assert command("train", "--resume", "cut", "--progress", "none") == 0
    assert weights("cut") == weights("whole")
    best = max(whole, key=lambda row: row["val_accuracy"])
    scores = evaluated(capsys, "cut")
    assert scores["accuracy"] == pytest.approx(best["val_accuracy"])
    assert scores["loss"] == pytest.approx(best["val_loss"], rel=1e-5)


def test_a_stopped_run_goes_on_in_python() -> None:
    whole = train("whole")
    with pytest.raises(KeyboardInterrupt, match="x"):
        train("cut", callbacks=[LeaveAt(14, "x")])
    assert cnndsl.resume("cut", progress="none")[-1]["val_loss"] == whole[-1]["val_loss"]
    assert weights("cut") == weights("whole")
    assert whole.folder == Path("whole")
    with pytest.raises(cnndsl.UserError, match="epochs"):
        cnndsl.resume("cut", epochs=1, progress="none")
    assert len(cnndsl.resume("cut", epochs=3, progress="none")) == 3
    assert len(cnndsl.resume("cut", progress="none")) == 3


def test_what_is_raised_can_be_sent_to_another_process() -> None:
    with pytest.raises(cnndsl.Failed) as failed:
        cnndsl.parse("input 3x8x8; cnov 3; dense 10")
    full = CannotWrite(Path("x"), OSError(28, "full"))
    for error in (failed.value, Interrupted(130, "saved"), full):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)
    assert pickle.loads(pickle.dumps(failed.value)).diagnostics[0].code == "E101"


def test_pictures_are_classified_in_python() -> None:
    train("run", epochs=1)
    pictures = shapes.load().test.x[:3].transpose(0, 2, 3, 1)
    best = cnndsl.predict("run/weights/best.onnx", pictures, k=2)
    assert len(best) == 3
    assert {name for row in best for name, _ in row} <= {*shapes.CLASSES}
    assert all(a >= b for (_, a), (_, b) in best)
    with pytest.raises(cnndsl.UserError, match="holds no picture"):
        cnndsl.predict("run/weights/best.onnx", pictures[:0])


# Where a run is kept


def test_runs_begun_at_once_have_folders_of_their_own() -> None:
    folders = [next_free() for _ in range(3)]
    assert folders == [Path("runs/train"), Path("runs/train2"), Path("runs/train3")]
    history = cnndsl.train(cnndsl.load("net.cnn"), "some.npz", epochs=1, threads=1)
    assert history.folder == Path("runs/train4")


def test_a_link_that_leads_nowhere_is_told() -> None:
    Path("runs").symlink_to("nowhere/disk")
    with pytest.raises(cnndsl.UserError, match="runs: cannot be written"):
        next_free()


@pytest.mark.parametrize(
    "name", ["model.cnn", "env.json", "weights/best.onnx", "confusion_matrix.png", "results.csv"]
)
def test_a_folder_that_is_no_run_is_left_alone(name: str) -> None:
    path = Path("mine", name)
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(cnndsl.UserError, match="is there already, and is not of a run"):
        train("mine")
    assert path.read_text() == "mine"
    assert [p for p in Path("mine").rglob("*") if p.is_file()] == [path]


# Going on


def test_what_a_forced_run_goes_on_with_is_kept() -> None:
    """The command that an interrupted run tells works, also behind --force."""
    options = ("--threads", 1, "--progress", "none")
    assert command("train", "net.cnn", "--data", "some.npz", "--out", "run", *options) == 0
    assert command("train", "--resume", "run", "--batch", 5, *options) == 2
    assert command("train", "--resume", "run", "--epochs", 3, *options) == 0
    assert command("train", "--resume", "run", *options) == 0
    assert Path("run/results.csv").read_text().count("\n") == 4
    assert len(cnndsl.resume("run", epochs=4, force=True, progress="none")) == 4
    assert command("train", "--resume", "run", *options) == 0
    assert command("train", "--resume", "run", "--epochs", 5, "--force", *options) == 0
    assert len(cnndsl.resume("run", progress="none")) == 5


def test_more_epochs_extend_a_run_and_the_schedule_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = ("--schedule", "cosine", "--optimizer", "adam lr=0.01", "--threads", 1)
    assert command("train", "net.cnn", "--data", "some.npz", "--out", "run", *settings) == 0
    capsys.readouterr()
    assert command("train", "--resume", "run") == 0
    assert (
        "nothing is left to do: all 2 epochs are done\n  --epochs 4 goes on"
        in capsys.readouterr().err
    )
    assert command("train", "--resume", "run", "--epochs", 4) == 0
    said = capsys.readouterr().err
    assert "2 epochs become 4: `schedule cosine` is laid over all of them anew" in said
    assert "epoch 3 goes on with a learning rate of 0.005\n" in said
    assert Path("run/results.csv").read_text().count("\n") == 5
    assert command("train", "--resume", "run", "--epochs", 3) == 2


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--optimizer", "sgdd"), "--optimizer:1:11: error[E503]: unknown optimizer `sgdd`"),
        (("--augment", "flip crup=3"), "did you mean `crop`?"),
        (("--loss", "mse; epochs 3"), "--loss: `epochs` is a setting of its own"),
        (("--weights", "net.cnn"), "net.cnn"),
    ],
)
def test_a_refused_start_leaves_no_folder(
    option: tuple[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("train", "net.cnn", "--data", "some.npz", *option) != 0
    assert said in capsys.readouterr().err
    assert not Path("runs").exists()


def test_settings_in_the_words_of_a_spec_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--optimizer", "sgd lr=0.02 momentum=0.9", "--loss", "mse", "--augment", "flip crop=1")
    assert command("train", "net.cnn", "--data", "some.npz", "--out", "run", *words) == 0
    config = read_config(Path("run"))
    recipe = config.recipe_for(read_model(Path("run"), config))
    assert recipe.optimizer == Sgd(lr=0.02, momentum=0.9)
    assert recipe.loss == MeanSquaredError()
    assert recipe.augment == Augment(flip=True, crop=1)


def test_what_a_killed_start_has_left_is_removed() -> None:
    Path("run").mkdir()
    ours, other = Path("run/.model.cnn.0a1b2c3d.part"), Path("run/.film.mp4.part")
    ours.touch()
    other.touch()
    train("run", epochs=1)
    assert (ours.exists(), other.exists()) == (False, True)


def test_all_that_a_run_makes_is_known() -> None:
    """What is there under one of these names is not replaced."""
    train("run", epochs=1)
    made = {p.relative_to("run").as_posix() for p in Path("run").rglob("*") if p.is_file()}
    ours = {*_MADE, "args.yaml", "model.cnn", ".lock"}
    assert not {name for name in made - ours if not name.startswith("checkpoints/")}


def test_another_setting_is_another_network(capsys: pytest.CaptureFixture[str]) -> None:
    train("run", epochs=1)
    assert command("train", "--resume", "run", "--set", "p=0.5") == 2
    assert "set: was \n  set: now p=0.5" in capsys.readouterr().err


def test_force_goes_on_with_another_optimizer() -> None:
    train("run", epochs=1)
    Path("run", "args.yaml").write_text('data: "some.npz"\n')
    spec = Path("run", "model.cnn")
    spec.write_text(SPEC.replace("adam lr=0.01", "sgd lr=0.01 momentum=0.9"))
    assert command("train", "--resume", "run", "--progress", "none") == 2
    assert command("train", "--resume", "run", "--progress", "none", "--force") == 0


def test_force_cannot_go_on_with_weights_of_another_shape(
    capsys: pytest.CaptureFixture[str],
) -> None:
    train("run", epochs=1)
    spec = Path("run", "model.cnn")
    spec.write_text(SPEC.replace("conv 8", "conv 4", 1))
    assert command("train", "--resume", "run", "--force") == 2
    assert "conv_1.weight is 8x3x3x3, the model has 4x3x3x3" in capsys.readouterr().err


@pytest.mark.parametrize("option", [("--out", "b"), ("--weights", "w.safetensors")])
def test_what_only_starts_a_run_is_refused_beside_resume(
    option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    train("run", epochs=1)
    assert command("train", "--resume", "run", *option) == 2
    assert f"{option[0]} starts a run" in capsys.readouterr().err


def test_the_folder_is_free_again_though_a_callback_fails() -> None:
    class Broken(Callback):
        def close(self) -> None:
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        train("run", epochs=1, callbacks=[Broken()])
    assert command("train", "--resume", "run", "--progress", "none") == 0


def test_the_rate_of_a_row_is_one_that_the_epoch_used() -> None:
    found = train("run", epochs=3, schedule="step every=1 gamma=0.1", optimizer="sgd lr=0.01")
    assert [row["lr"] for row in found] == pytest.approx([1e-2, 1e-3, 1e-4])


# The same network everywhere


def test_the_weights_know_what_pictures_are_normalised_by() -> None:
    train("run", epochs=1)
    best = "run/weights/best.safetensors"
    assert command("compile", "run/model.cnn", "--weights", best, "--uint8", "-o", "u.onnx") == 0
    assert command("compile", "run", "-o", "f.onnx") == 0
    pictures = np.load("some.npz")["x_test"]
    raw = np.ascontiguousarray(pictures.transpose(0, 2, 3, 1))
    expected = answers("run/weights/best.onnx", raw)
    assert np.array_equal(answers("u.onnx", raw), expected)
    said = {p.key: p.value for p in onnx.load("f.onnx").metadata_props}
    normal = json.loads(said["cnndsl_normalisation"])
    mean, std = (np.reshape(normal[k], (3, 1, 1)) for k in ("mean", "std"))
    floats = ((pictures / 255 - mean) / std).astype(np.float32)
    assert np.allclose(answers("f.onnx", floats), expected, atol=1e-5)
    model = cnndsl.load("run/model.cnn").to_onnx(best, uint8=True)
    (out,) = session(model).run(None, {"input": raw})
    assert np.array_equal(out, expected)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("some",), "some is not a run folder"),
        (("run", "--set", "p=0"), "a run keeps its own settings"),
        (("run", "--seed", "3"), "--seed is of fresh weights"),
        (("m.onnx",), "cnndsl decompile m.onnx -o m.cnn --weights m.safetensors"),
    ],
)
def test_what_is_compiled_is_a_spec_or_a_run(
    given: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("some").mkdir()
    Path("run").mkdir()
    assert command("compile", *given, "-o", "new.onnx") == 2
    assert told in capsys.readouterr().err
    assert not Path("new.onnx").exists()


def test_other_data_meet_the_same_network(capsys: pytest.CaptureFixture[str]) -> None:
    """Pictures of another set are normalised as the run's were: that is what is deployed."""
    train("run", epochs=2)
    arrays = dict(np.load("some.npz"))
    np.savez("dark.npz", **arrays | {"x": arrays["x"] // 3})
    assert evaluated(capsys, "run", "--data", "dark.npz") == evaluated(capsys, "run")


def test_data_of_other_classes_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    train("run", epochs=1)
    arrays = dict(np.load("some.npz"))
    np.savez("more.npz", **arrays | {"classes": np.array([*shapes.CLASSES, "more"])})
    assert command("eval", "run", "--data", "more.npz") == 2
    assert "more.npz has 11 classes, the model 10 outputs" in capsys.readouterr().err


def test_all_pictures_of_data_that_are_named_are_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also where a class has none; training holds a part of them back."""
    train("run", epochs=1)
    arrays = dict(np.load("some.npz"))
    few = arrays["y_test"] > 1
    np.savez("all.npz", x=arrays["x_test"][few], y=arrays["y_test"][few] - 2,
             classes=np.array(shapes.CLASSES[2:]))  # fmt: skip
    scores = evaluated(capsys, "run", "--data", "all.npz")
    assert scores["images"] == few.sum() == np.sum(scores["confusion"])
    assert [scores["per_class"][name] for name in shapes.CLASSES[:2]] == [None, None]
    table = cnndsl.evaluate("run", "all.npz", threads=1)
    assert f"over {few.sum()} pictures of 8 of 10 classes" in str(table)
    assert str(table).count("\n") == 1 + 8
    told = capsys.readouterr().err
    assert f"measured: {few.sum()} pictures of all.npz\n" in told
    assert "not measured, without a picture to test on: disc, ring\n" in told


def test_the_test_part_of_data_that_are_named_is_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    train("run", epochs=1)
    cnndsl.evaluate("run", "some.npz")
    assert "measured: 50 pictures of some.npz (test)\n" in capsys.readouterr().err


def test_classes_are_matched_by_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    """In another order, and with other shares: which only the run's own weigh the loss by."""
    words = SPEC.replace("epochs 2", "epochs 1; loss cross_entropy weights=balanced")
    train("run", cnndsl.parse(words))
    arrays = dict(np.load("some.npz"))
    turned = {key: 9 - arrays[key] for key in ("y", "y_test")}
    kept = np.flatnonzero(turned["y"] > 0)
    turned |= {"x": arrays["x"][kept], "y": turned["y"][kept]}
    np.savez("turned.npz", **arrays | turned | {"classes": np.array(shapes.CLASSES[::-1])})
    assert evaluated(capsys, "run", "--data", "turned.npz") == evaluated(capsys, "run")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("batch 300", "fill no batch of 300\n  --batch 200"),
        ("augment crop=99", "`crop=99` is more"),
    ],
)
def test_a_recipe_that_the_pictures_are_too_few_or_small_for_makes_no_folder(
    change: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("net.cnn").write_text(re.sub(rf"{change.split()[0]} [^;}}]*", change, SPEC))
    assert command("train", "net.cnn", "--data", "some.npz", "--out", "new") == 2
    assert message in capsys.readouterr().err
    assert not Path("new").exists()


def test_another_batch_begins_the_epoch_anew(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Interrupted):
        train("run", callbacks=[LeaveAt(5)])
    assert command("train", "--resume", "run", "--batch", 10, "--force", "--progress", "none") == 0
    log = Path("run", "results.csv").read_text().splitlines()
    accuracy = log[0].split(",").index("accuracy")
    assert all(0 <= float(line.split(",")[accuracy]) <= 1 for line in log[1:])


def test_a_class_without_test_pictures_has_no_share(capsys: pytest.CaptureFixture[str]) -> None:
    train("run", epochs=1)
    arrays = dict(np.load("some.npz"))
    kept = arrays["y_test"] != 0
    few = {"x_test": arrays["x_test"][kept], "y_test": arrays["y_test"][kept]}
    np.savez("few.npz", **arrays | few)
    assert evaluated(capsys, "run", "--data", "few.npz")["per_class"][shapes.CLASSES[0]] is None


# Pictures to a compiled model


def compiled(text: str, name: str = "m") -> str:
    Path(f"{name}.cnn").write_text(text)
    assert command("compile", f"{name}.cnn", "--uint8", "-o", f"{name}.onnx") == 0
    return f"{name}.onnx"


def test_the_main_output_answers_wherever_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    heads = "output output { gap; dense 3 }\noutput aux { gap; dense 5 }"
    model = compiled(f"input 3x8x8\nconv 4 3x3\n{heads}\n")
    np.save("x.npy", np.zeros((8, 8, 3), np.uint8))
    capsys.readouterr()
    assert command("run", model, "x.npy", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["top"]) == 3


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_arrays_of_another_type_are_no_pictures(
    dtype: str, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("x.npy", np.zeros((8, 8, 3), dtype))
    assert command("run", compiled("input 3x8x8; gap; dense 3"), "x.npy") == 2
    assert f"is {dtype}, the model takes uint8 pictures" in capsys.readouterr().err


def test_pictures_have_one_or_three_channels(capsys: pytest.CaptureFixture[str]) -> None:
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (8, 8)).save("x.png")
    assert command("run", compiled("input 2x8x8; gap; dense 3"), "x.png") == 2
    assert "pictures have 1 or 3 channels, the model takes 2" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{", "[]", '{"mean": 0}', '{"mean": [0], "std": ["x"]}'])
def test_a_normalisation_that_is_none_is_told(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = cnndsl.parse("input 3x8x8; gap; dense 3")
    tensors = model.initial_weights()
    Path("m.cnn").write_text(model.ir.source.text)
    Path("w.safetensors").write_bytes(save(dict(tensors), metadata=_signature(tensors, text)))
    assert command("compile", "m.cnn", "--weights", "w.safetensors", "-o", "m.onnx") == 2
    assert "w.safetensors: its normalisation cannot be read" in capsys.readouterr().err


def test_fewer_epochs_than_a_run_has_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--threads", 1, "--progress", "none")
    assert command("train", "net.cnn", "--data", "some.npz", "--out", "run", *options) == 0
    assert command("train", "--resume", "run", "--epochs", 1, *options) == 2
    said = capsys.readouterr().err
    assert "the run is one of 2 epochs, and 1 would be fewer\n  leave --epochs out" in said
    assert command("train", "--resume", "run", "--epochs", 1, "--force", *options) == 0
    assert (
        "the run has had 2 epochs, and fewer are not taken back" in Path("run/log.txt").read_text()
    )


def test_images_that_fill_no_batch_and_uneven_classes_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rng, y = np.random.default_rng(0), np.repeat([0, 1], [64, 5])
    np.savez("uneven.npz", x=rng.integers(0, 255, (69, 8, 8, 1), np.uint8), y=y)
    Path("two.cnn").write_text("input 1x8x8; flatten; dense 2; train { epochs 1; batch 10 }")
    assert (
        command("train", "two.cnn", "--data", "uneven.npz", "--holdout", "0.2", "--out", "u") == 0
    )
    said = " ".join(capsys.readouterr().err.split())
    assert "1 epoch of 5 steps of 10 (6 images left over, others each time)" in said
    assert "0 has 13 times as many images as 1; `loss cross_entropy weights=balanced`" in said
