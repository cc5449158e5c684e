"""What a run was started with: kept, read again, also where an earlier version began the run."""

import json
from pathlib import Path
from shutil import copy, copytree
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

import cnndsl
from cnndsl.cli import main
from cnndsl.fields import specs
from cnndsl.optim import Sgd
from cnndsl.passes.analyse import recipe_of
from cnndsl.recipe import CHOSEN, Augment, Recipe
from cnndsl.setting_values import settings_of
from cnndsl.training.recipe_json import from_json, to_json, whole
from cnndsl.training.run_config import RunConfig, read_config

pytestmark = pytest.mark.usefixtures("no_plots")

RUNS = Path(__file__).parent / "old_runs"


@pytest.fixture(params=["command", "python"])
def old(tmp_path: Path, request: Any) -> Path:
    """A run of version 0.1 that was interrupted within its second epoch."""
    folder = copytree(RUNS / "begun_by_0_1", tmp_path / "run")
    if request.param == "python":
        copy(RUNS / "begun_by_0_1_python" / "args.yaml", folder)
    return folder


def test_a_run_of_an_earlier_version_goes_on(old: Path) -> None:
    """To the weights that the earlier version came to without the interruption."""
    rows = cnndsl.resume(old, data=RUNS / "some.npz", progress="none")
    assert [row["epoch"] for row in rows] == [1, 2]
    found, whole = (
        load_file(p) for p in (old / "weights/last.safetensors", RUNS / "whole.safetensors")
    )
    assert found.keys() == whole.keys()
    for name, array in whole.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-6)


def test_what_differs_from_an_earlier_version_is_said(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cnndsl.resume(old, data=RUNS / "some.npz", progress="lines")
    told = "the run was begun by cnndsl 0.1.0; from here on:\n  of epochs that are equal"
    assert told in capsys.readouterr().err
    assert told in (old / "log.txt").read_text()


def test_a_micro_batch_that_divides_no_batch_is_told_with_those_that_do() -> None:
    recipe = Recipe(batch=16)
    assert RunConfig("n.cnn", {}, micro_batch=8).settings(None, recipe).micro_batches == 2
    for size, fitting in ((5, "micro_batch=4 or micro_batch=8"), (32, "micro_batch=16")):
        with pytest.raises(cnndsl.UserError, match=f"batch of 16\n  take {fitting}$"):
            RunConfig("n.cnn", {}, micro_batch=size).settings(None, recipe)
    assert RunConfig("n.cnn", {}, micro_batch=16).settings(None, recipe, 2).micro_batches == 1


@pytest.mark.parametrize("name", ["quantize", "precision"])
def test_no_words_leave_out_what_a_spec_says(name: str) -> None:
    assert settings_of({name: ""}) == {name: None} == settings_of({name: None})


def test_a_run_of_a_later_version_is_left_alone(old: Path) -> None:
    (old / "args.yaml").write_text("format: 99\n")
    for use in (cnndsl.resume, cnndsl.evaluate):
        with pytest.raises(cnndsl.UserError, match="is of format 99, this cnndsl knows up to 2"):
            use(old)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('threads: "two"', "threads: 'two' is not of type int"),
        ("recipe: []", "a recipe has settings by name"),
        ('recipe: {"epoch": 3}', "a recipe has no epoch"),
        ('recipe: {"epochs": 0}', "at least 1, not 0"),
        ('recipe: {"optimizer": {"word": "sdg"}}', "knows no optimizer"),
        ('recipe: {"optimizer": {"word": "sgd", "speed": 1}}', "knows no optimizer"),
        ('recipe: {"loss": {"word": "mse", "smooth": 1}}', "knows no loss"),
        ("threads: 2 3", "is not a run folder"),
        ('checkpoint_every: "often"', "is not a number of steps, and none of minutes"),
    ],
)
def test_a_damaged_record_is_told(old: Path, line: str, told: str) -> None:
    (old / "args.yaml").write_text(f"format: 2\n{line}\n")
    with pytest.raises((cnndsl.UserError, cnndsl.Failed), match=told):
        cnndsl.evaluate(old)


def test_command_and_python_keep_the_same_record(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.cnn").write_text("input 3x8x8; let n = 3; gap; dense n; train { batch 5; epochs 1 }")
    words = "--optimizer", "sgd lr=0.1 nesterov", "--augment", "flip", "--seed", "3", "--set", "n=3"
    data = str(RUNS / "some.npz")
    with pytest.raises(SystemExit):
        main(["train", "net.cnn", "--data", data, "--out", "a", "--threads", "1", *words])
    cnndsl.train(
        cnndsl.load("net.cnn", n=3), data, out="b", threads=1, progress="none",
        optimizer=Sgd(lr=0.1, nesterov=True), augment=Augment(flip=True), seed=3,
    )  # fmt: skip
    assert read_config(Path("a")) == read_config(Path("b"))


def test_a_run_of_an_earlier_version_is_evaluated(old: Path) -> None:
    assert cnndsl.evaluate(old, RUNS / "some.npz").accuracy == 1.0


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_recipe_is_kept_as_it_is(drawn: st.DataObject) -> None:
    """Any loss, optimizer and schedule with any of its numbers changed."""
    chosen = dict[str, Any]()
    for name, registry in CHOSEN.items():
        cls = drawn.draw(st.sampled_from(list(registry.values())))
        changes = {
            s.name: drawn.draw(st.floats(s.low or 0, s.high or 1e3))
            for s in specs(cls)
            if s.kind == "float" and drawn.draw(st.booleans())
        }
        lists = {s.name: (1.5, 30.0) for s in specs(cls) if s.kind == "floats"}
        chosen[name] = cls(**changes, **lists)
    plain = {"ema": 0.25, "stop": 3, "seed": 2**32 - 1, "augment": Augment(True, 2, 3, 0.5, 0.1)}
    recipe = Recipe(**chosen, **plain)
    stored = json.loads(json.dumps(to_json(whole(recipe))))
    assert Recipe(**from_json(stored, "test")) == recipe
    words = [
        recipe.setting(name) for name, value in whole(recipe).items() if value not in (None, ())
    ]
    assert recipe_of("; ".join(words), "test") == recipe


def test_a_flag_is_a_bool_and_its_word_is_still_taken() -> None:
    assert Sgd().nesterov is False
    with pytest.warns(DeprecationWarning, match=r"Sgd\(nesterov='nesterov'\): write True"):
        assert Sgd(nesterov="nesterov") == Sgd(nesterov=True)  # pyright: ignore
    with pytest.warns(DeprecationWarning, match=r"Augment\(flip='flip'\): write True"):
        assert Augment("flip") == Augment(flip=True)  # pyright: ignore
