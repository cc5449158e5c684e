"""A run: what it leaves behind, how it ends, and that resuming changes nothing."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file

from cnndsl.api import parse
from cnndsl.backend.artifact import inference_model
from cnndsl.backend.step import StepOptions
from cnndsl.cli import main
from cnndsl.data.dataset import Dataset
from cnndsl.data.formats.shapes import CLASSES, load
from cnndsl.finetune import Freeze
from cnndsl.lower.driver import Plan
from cnndsl.lr_schedules import Plateau
from cnndsl.optim import Adam, Sgd
from cnndsl.recipe import Augment, Recipe, Views
from cnndsl.runs import evaluate
from cnndsl.source import UserError
from cnndsl.training import calibration, checkpoint, run
from cnndsl.training.calibration import calibrate
from cnndsl.training.callbacks import Callback
from cnndsl.training.interval import Interval, interval
from cnndsl.training.settings import Settings
from cnndsl.training.signals import Interrupted
from cnndsl.training.trainer import Trainer
from cnndsl.weights.initial import initial_weights

pytestmark = pytest.mark.usefixtures("no_plots")

SPEC = """input 3x32x32
conv 4 3x3 /2 bn relu; pool 2; dropout 0.2
conv 8 3x3 relu
gap; flatten; dense 10
"""
RECIPE = Recipe(batch=20, epochs=2, augment=Augment(flip=True, crop=2), seed=5)
TIMES = {"seconds", "images_per_s"}
FILES = {
    "args.yaml", "model.cnn", "results.csv", "results.png", "confusion_matrix.png", "log.txt",
    "train_batch.png", "val_predictions.png", "val_worst.png",
    "env.json", "weights/best.safetensors", "weights/last.safetensors", "weights/best.onnx",
}  # fmt: skip


@cache
def shapes() -> Dataset:
    return load()


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """200 + 50 of the shapes in a file."""
    path, all_ = tmp_path / "some.npz", shapes()
    arrays = {"x": all_.train.x[:200], "y": all_.train.y[:200]}
    tests = {"x_test": all_.test.x[:50], "y_test": all_.test.y[:50]}
    np.savez(path, **arrays, **tests, classes=np.array(CLASSES))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    return str(path)


@pytest.fixture
def begin(tmp_path: Path, data: str) -> Iterator[Any]:
    """Starts a run, or resumes it; lets go of its folder at the end."""
    begun = list[Trainer]()

    def start(
        out: str, recipe: Recipe = RECIPE, text: str = SPEC, how: Any = run.start,
        threads: int = 1, micro_batches: int | None = 1, **more: Any,
    ) -> Trainer:  # fmt: skip
        settings = Settings(tmp_path / out, "cpu", threads, Plan(), micro_batches, progress="none")
        begun.append(how(parse(text).ir, replace(recipe, data=data), settings, **more))
        return begun[-1]

    yield start
    for trainer in begun:
        trainer.folder.close()


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if k not in TIMES} for row in found]


def weights(folder: Path, name: str = "last") -> bytes:
    return (folder / "weights" / f"{name}.safetensors").read_bytes()


class Leave(Callback):
    """Sends this process a signal after some steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def on_step(self, run: Any, loss: float) -> None:
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGINT)


def test_two_runs_with_the_same_seed_are_the_same(begin: Any, tmp_path: Path) -> None:
    for name in ("a", "b"):
        begin(name).fit()
    begin("c", replace(RECIPE, seed=6)).fit()
    a, b, c = (tmp_path / name for name in "abc")
    assert rows(a) == rows(b)
    assert weights(a) == weights(b)
    assert weights(a) != weights(c)
    assert list(rows(a)[0]) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "lr"]
    assert len(rows(a)) == 2


def test_whitened_kernels_are_of_the_training_images(begin: Any) -> None:
    """And not of chance: another seed begins with the same."""
    text = SPEC.replace("conv 4 3x3 /2", "conv 4 3x3 /2 init=whiten")
    recipe = replace(RECIPE, freeze=(Freeze(("conv_1.weight",)),))
    runs = [begin(f"run{seed}", replace(recipe, seed=seed), text) for seed in (1, 2)]
    first, second = (trainer.weights() for trainer in runs)
    np.testing.assert_array_equal(first["conv_1.weight"], second["conv_1.weight"])
    assert not np.array_equal(first["conv_2.weight"], second["conv_2.weight"])
    rows = first["conv_1.weight"].reshape(4, -1)
    np.testing.assert_array_equal(rows[2:], -rows[:2])


@pytest.mark.parametrize("steps", [3, 10, 14])
def test_an_interrupted_run_ends_as_if_it_had_not_been(
    begin: Any, tmp_path: Path, steps: int
) -> None:
    """Ten steps an epoch: within the first, at its end, within the second."""
    recipe = replace(RECIPE, optimizer=Adam(), ema=0.9)
    begin("whole", recipe).fit()
    broken = begin("broken", recipe, callbacks=[Leave(steps)])
    with pytest.raises(Interrupted) as stopped:
        broken.fit()
    assert stopped.value.code == 130
    assert broken.progress.epoch * 10 + broken.progress.step == steps
    broken.folder.close()
    begin("broken", recipe, how=run.resume).fit()
    for name in ("last", "best"):
        assert weights(tmp_path / "whole", name) == weights(tmp_path / "broken", name)
    assert rows(tmp_path / "whole") == rows(tmp_path / "broken")


def test_an_interrupted_run_by_replicas_ends_as_if_it_had_not_been(
    begin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "_SHORT", 0)
    monkeypatch.setattr(calibration, "_STEADY", 1e9)
    recipe, text = replace(RECIPE, batch=40, optimizer=Adam(), ema=0.9), SPEC.replace(" bn", "")
    how = {"text": text, "threads": 2, "micro_batches": None}
    begin("whole", recipe, **how).fit()
    broken = begin("broken", recipe, callbacks=[Leave(3)], **how)
    with pytest.raises(Interrupted):
        broken.fit()
    broken.folder.close()
    again = begin("broken", recipe, **how | {"how": run.resume})
    assert again.compiled.options.replicas == 2
    again.fit()
    assert weights(tmp_path / "whole") == weights(tmp_path / "broken")


def test_calibration_tries_ways_and_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "_SHORT", 0)
    model, recipe = parse(SPEC.replace(" bn", "")).ir, replace(RECIPE, batch=64)
    first, settings = initial_weights(model), Settings(tmp_path, threads=2)
    best, trials = calibrate(model, recipe, StepOptions(64), first, settings)
    tried = {(t.options.replicas, t.options.micro_batches) for t in trials}
    assert tried == {(1, 1), (1, 2), (1, 4), (2, 1)}
    assert best.options == trials[0].options
    assert [t.cost for t in trials] == sorted(t.cost for t in trials)
    assert all(t.cost == t.ms if t.options.replicas == 1 else t.cost < t.ms for t in trials)
    start = best.step.initial_state(first)
    for name, array in best.stepper.state().items():
        np.testing.assert_array_equal(array, start[name])


def test_the_last_two_checkpoints_are_kept_and_the_newest_whole_one_is_taken(
    begin: Any, tmp_path: Path
) -> None:
    begin("run", replace(RECIPE, epochs=3)).fit()
    folder = tmp_path / "run" / "checkpoints"
    names = ["epoch00002-step0000000", "epoch00003-step0000000"]
    wanted = [f"{name}.{end}" for name in names for end in ("json", "safetensors")]
    assert sorted(p.name for p in folder.iterdir()) == wanted
    assert checkpoint.newest(folder).manifest["progress"]["epoch"] == 3
    damaged = folder / f"{names[1]}.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\xff")
    assert checkpoint.newest(folder).manifest["progress"]["epoch"] == 2
    (folder / f"{names[0]}.json").write_text("{")
    with pytest.raises(UserError, match="no whole checkpoint"):
        checkpoint.newest(folder)


def test_another_spec_or_recipe_is_refused_with_the_difference(begin: Any) -> None:
    first = begin("run", replace(RECIPE, epochs=1))
    first.fit()
    first.folder.close()
    other = replace(RECIPE, epochs=1, batch=4)
    with pytest.raises(
        UserError, match=r"another batch\n  batch: was \d+\n  batch: now 4"
    ) as refused:
        begin("run", other, how=run.resume)
    assert "force=True" in str(refused.value)
    with pytest.raises(UserError, match="another spec"):
        begin("run", replace(RECIPE, epochs=1), SPEC + "# more\n", run.resume)
    longer = replace(RECIPE, epochs=2)
    resumed = begin("run", longer, how=run.resume)
    assert len(resumed.fit()) == 2


def test_a_folder_in_use_or_with_a_run_is_refused(begin: Any) -> None:
    held = begin("run", replace(RECIPE, epochs=1))
    with pytest.raises(UserError, match="another process is training there"):
        begin("run")
    held.fit()
    held.folder.close()
    with pytest.raises(UserError, match="has a run already"):
        begin("run")


@pytest.mark.parametrize("optimizer", [Sgd(lr=1e30), Adam(lr=1e36)])
def test_a_loss_that_breaks_names_the_layer_and_keeps_finite_weights(
    begin: Any, tmp_path: Path, optimizer: Any
) -> None:
    with pytest.raises(UserError, match=r"epoch 1, step \d+; it began in the") as broken:
        begin("run", replace(RECIPE, optimizer=optimizer)).fit()
    assert "line 2" in str(broken.value) or "line 3" in str(broken.value)
    kept = load_file(tmp_path / "run" / "weights" / "last.safetensors")
    assert all(np.isfinite(array).all() for array in kept.values())


def test_early_stopping_stops_and_stays_stopped(begin: Any, tmp_path: Path) -> None:
    recipe = replace(RECIPE, optimizer=Sgd(lr=0.0), epochs=9, stop=2)
    text = SPEC.replace(" bn", "")
    first = begin("run", recipe, text)
    assert len(first.fit()) == 3
    first.folder.close()
    (tmp_path / "run" / "results.csv").unlink()
    assert len(begin("run", recipe, text, run.resume).fit()) == 3
    assert len(rows(tmp_path / "run")) == 3


def test_a_plateau_lowers_the_rate(begin: Any) -> None:
    schedule = Plateau(gamma=0.5, patience=1)
    recipe = replace(RECIPE, optimizer=Sgd(lr=1e-30), schedule=schedule, epochs=3)
    found = begin("run", recipe, SPEC.replace(" bn", "")).fit()
    assert [row["lr"] for row in found] == pytest.approx([1e-30, 0.5e-30, 0.25e-30])


def test_training_learns_and_the_best_epoch_is_kept(begin: Any, tmp_path: Path) -> None:
    trainer = begin("run", replace(RECIPE, epochs=4, optimizer=Adam(lr=0.01)))
    history = trainer.fit()
    assert history[-1]["loss"] < history[0]["loss"]
    best = max(row["val_accuracy"] for row in history)
    assert trainer.scores.accuracy == pytest.approx(best)
    assert trainer.scores.confusion.sum() == 50


def cnndsl(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "cnndsl", *arguments]


def train_command(tmp_path: Path, data: str, out: str, *more: str) -> list[str]:
    spec = tmp_path / "net.cnn"
    recipe = "train { batch 20; epochs 30; optimizer adam; augment flip crop=2 }\n"
    spec.write_text(SPEC + recipe)
    common = ["--threads", "1", "--micro-batch", "20", "--progress", "lines", *more]
    return cnndsl("train", str(spec), "--data", data, "--out", str(tmp_path / out), *common)


def resume_command(tmp_path: Path, out: str) -> list[str]:
    return cnndsl("train", "--resume", str(tmp_path / out), "--threads", "1")


def begun(command: list[str], folder: Path) -> "subprocess.Popen[str]":
    """A run in another process, in its loop: it has written a checkpoint."""
    before = set(folder.glob("checkpoints/*.json"))
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while set(folder.glob("checkpoints/*.json")) <= before:
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.01)
    return process


@pytest.mark.slow
def test_the_command_leaves_every_file_and_survives_anything(tmp_path: Path, data: str) -> None:
    """SIGINT, SIGTERM and three times SIGKILL: the weights are those of the uninterrupted run."""
    subprocess.run(train_command(tmp_path, data, "whole"), check=True, timeout=300)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    left = {str(p.relative_to(whole)) for p in whole.rglob("*") if p.is_file()}
    assert left >= FILES
    command, kills = train_command(tmp_path, data, "broken"), random.Random(0)
    for number, code in ((2, 130), (15, 143), (9, -9), (9, -9), (9, -9)):
        process = begun(command, broken)
        time.sleep(kills.uniform(0, 0.5) if number == 9 else 0)
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
        assert process.returncode == code
        assert ("--resume" in said) is (number != 9)
        command = resume_command(tmp_path, "broken")
    subprocess.run(command, check=True, timeout=300)
    assert weights(whole) == weights(broken)
    assert rows(whole) == rows(broken)


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    assert left.value.code == 0
    return capsys.readouterr().out


def test_events_need_no_pytorch_even_where_it_is(tmp_path: Path) -> None:
    """tensorboardX would import it, which takes longer than a small training's start."""
    program = (
        "import sys, pathlib, types; from cnndsl.training.callbacks import TensorBoard\n"
        "board, folder = TensorBoard(), types.SimpleNamespace(path=pathlib.Path(sys.argv[1]))\n"
        "board.on_start(types.SimpleNamespace(folder=folder)); board.close()\n"
        "print('torch' in sys.modules, any(folder.path.iterdir()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]


def test_best_onnx_and_eval(
    begin: Any, tmp_path: Path, data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    image = pytest.importorskip("PIL.Image")
    trainer = begin("run")
    trainer.fit()
    with image.fromarray(shapes().test.x[0].transpose(1, 2, 0)) as picture:
        picture.save(tmp_path / "one.png")
    best = str(tmp_path / "run" / "weights" / "best.onnx")
    answer = json.loads(ran(capsys, "run", best, str(tmp_path / "one.png"), "--json"))
    assert {row["name"] for row in answer["top"]} <= set(CLASSES)
    assert len(answer["top"]) == 5
    scores = json.loads(ran(capsys, "eval", str(tmp_path / "run"), "--json", "--threads", "1"))
    assert scores["accuracy"] == pytest.approx(trainer.scores.accuracy)
    assert scores["loss"] == pytest.approx(trainer.scores.loss, rel=1e-6)
    assert list(scores["per_class"]) == list(CLASSES)
    assert np.sum(scores["confusion"]) == 50
    assert "taken most often for" in ran(capsys, "eval", str(tmp_path / "run"), "--mirror")


def test_best_onnx_averages_the_views_of_the_recipe(begin: Any, tmp_path: Path) -> None:
    """Epochs are scored without; `eval` scores what is deployed, unless it is told other views."""
    trainer = begin("run", replace(RECIPE, epochs=1, views=Views(mirror=True, shift=2)))
    trainer.fit()
    scores = [evaluate(trainer.folder.path, views=words) for words in (None, "mirror shift=2", "")]
    first, same, plain = scores
    log = (trainer.folder.path / "log.txt").read_text(encoding="utf-8")
    assert f"with `views mirror shift=2`, as in best.onnx: {first.summary('val_')}" in log
    assert first.loss == same.loss != plain.loss == trainer.scores.loss
    options = replace(trainer.evaluator.options, views=Views(mirror=True, shift=2))
    best = load_file(trainer.folder.path / "weights" / "best.safetensors")
    graph = inference_model(trainer.model, best, options)
    stored = onnx.load(trainer.folder.path / "weights" / "best.onnx")
    assert stored.graph == graph.graph


def test_bench_has_its_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "net.cnn"
    spec.write_text(SPEC)
    common = ("bench", str(spec), "--batch", "16", "--threads", "1", "--steps", "3")
    found = json.loads(ran(capsys, *common, "--json"))
    assert found["train"].keys() >= {"ms_per_step", "images_per_s", "micro_batch", "algorithms"}
    assert found["train"]["algorithms"].keys() == {"conv_1", "conv_2"}
    assert found["train"]["ms_per_step"] * found["train"]["images_per_s"] == pytest.approx(16e3)
    assert found["inference"].keys() >= {"ms_per_batch", "images_per_s"}
    assert "training step of 16" in ran(capsys, *common)


@pytest.mark.parametrize(
    ("text", "step", "seconds", "due"),
    [("5", 10, 0, True), ("5", 11, 1e9, False), ("2m", 7, 119, False), ("0.5m", 7, 31, True),
     (None, 10, 1e9, False)],
)  # fmt: skip
def test_an_interval_is_of_steps_or_of_minutes(
    text: str | None, step: int, seconds: float, due: bool
) -> None:
    assert interval(text).is_due(step, seconds) is due


@pytest.mark.parametrize("text", ["0", "0m", "m", "-3", "5 steps", "1h", "nan"])
def test_an_interval_that_is_none_is_told(text: str) -> None:
    with pytest.raises(UserError, match="write checkpoint_every=500 for steps"):
        interval(text)


class Break(Callback):
    """Breaks the run off after some steps, as a kill does: nothing is saved."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def on_step(self, run: Any, loss: float) -> None:
        self.left -= 1
        if not self.left:
            raise RuntimeError


def test_a_run_that_is_killed_within_an_epoch_goes_on_from_its_interval(
    begin: Any, tmp_path: Path
) -> None:
    begin("whole").fit()
    trainer = begin("cut", callbacks=[Break(9)])
    trainer.settings = replace(trainer.settings, within=Interval(steps=3))
    with pytest.raises(RuntimeError):
        trainer.fit()
    again = begin("cut", how=run.resume)
    assert again.progress.step == 6
    again.fit()
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
