"""Runs that repeat, runs that last, and runs whose numbers break."""

import gc
import os
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from budget import count
from nursery import Nursery, shared
from runs import arguments, result, some_data
from safetensors.numpy import load_file

from cnndsl.api import parse
from cnndsl.recipe import Recipe
from cnndsl.source import UserError
from cnndsl.training import run
from cnndsl.training.callbacks import Callback
from cnndsl.training.checkpoint import newest
from cnndsl.training.settings import Settings
from cnndsl.training.trainer import Trainer

NET = "input 3x32x32\nconv 4 3x3 /2 bn relu; pool 2\nconv 8 3x3 relu\ngap; flatten; dense 10\n"


@pytest.fixture
def nursery(tmp_path: Path) -> Nursery:
    some_data(tmp_path / "some.npz")
    return shared()


def trainer(folder: Path, data: str, hook: Callback, **recipe: Any) -> Trainer:
    settings = Settings(folder / "run", threads=1, micro_batches=1, progress="none")
    chosen = replace(Recipe(batch=20, data=data), **recipe)
    return run.start(parse(NET).ir, chosen, settings, callbacks=[hook])


def test_five_runs_are_one(nursery: Nursery, tmp_path: Path, figure: Any) -> None:
    """Same seed, same threads: `results.csv` but for its times, and every weight."""
    runs = count(2, 5)
    for number in range(runs):
        args = arguments(tmp_path, f"run{number}", epochs=3)
        assert nursery.run(*args).code == 0
    first, *others = [result(tmp_path / f"run{number}") for number in range(runs)]
    assert all(other == first for other in others)
    figure(f"{runs} runs with the same seed and threads: results and weights are the same")


class Watch(Callback):
    """Memory and open files at the end of each epoch."""

    def __init__(self) -> None:
        self.megabytes = list[float]()
        self.files = list[int]()

    def on_epoch(self, run: Any, row: dict[str, Any]) -> None:
        gc.collect()
        status = Path("/proc/self/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", status)
        assert found
        self.megabytes.append(int(found[1]) / 1024)
        self.files.append(len(os.listdir("/proc/self/fd")))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")
def test_many_steps_take_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Any
) -> None:
    monkeypatch.setattr(run, "Plots", Callback)
    watch, epochs = Watch(), count(5, 40)
    trainer(tmp_path, "shapes", watch, epochs=epochs).fit()
    grown = watch.megabytes[-1] - watch.megabytes[0]
    assert grown < 20
    assert len(set(watch.files)) == 1
    figure(
        f"{epochs * 250:,} steps: memory {grown:+.1f} MB from the end of the first epoch, "
        f"{watch.files[-1]} files open all along"
    )


class Poison(Callback):
    """After a step, one weight is not a number any more, or all are too large."""

    def __init__(self, step: int, how: str) -> None:
        self.step, self.how = step, how

    def on_step(self, run: Any, loss: float) -> None:
        self.step -= 1
        if self.step:
            return
        stepper = run.compiled.stepper
        state = stepper.state()
        weight = state["conv_2.weight"]
        if self.how == "nan":
            weight.reshape(-1)[3] = np.nan
        else:
            weight[:] = np.float32(3e38)
        stepper.load(state)


def test_numbers_that_break_name_the_layer_and_keep_the_last_good_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Any
) -> None:
    """At any step, also the last one of an epoch, of an epoch's 10."""
    monkeypatch.setattr(run, "Plots", Callback)
    data, draw = str(some_data(tmp_path / "some.npz")), random.Random(12)
    steps = [10, *(draw.randrange(1, 25) for _ in range(count(3, 39)))]
    for number, step in enumerate(steps):
        how = ("nan", "large")[number % 2]
        folder = tmp_path / f"{number}"
        folder.mkdir()
        begun = trainer(folder, data, Poison(step, how), epochs=3)
        with pytest.raises(UserError) as broken:
            begun.fit()
        told = str(broken.value)
        assert "`conv_2` (`conv 8 3x3`, line 3)" in told, told
        last = folder / "run" / "weights" / "last.safetensors"
        assert f"are in {last}" in told
        kept = {path.stem: load_file(path) for path in last.parent.glob("*.safetensors")}
        assert all(np.isfinite(a).all() for file in kept.values() for a in file.values())
        saved = newest(folder / "run" / "checkpoints")
        assert all(np.isfinite(a).all() for a in saved.tensors.values())
        if "of the last checkpoint" in told:
            assert all((kept["last"][k] == saved.tensors[k]).all() for k in kept["last"])
        else:
            assert "the weights before are in" in told
    figure(f"broken numbers: {len(steps)} injected, the layer named and finite weights kept in all")
