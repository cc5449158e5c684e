"""Two classes by one output: known from data and model, and followed from training to `run`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnndsl
from cnndsl.cli import main

Image = pytest.importorskip("PIL.Image")

RNG = np.random.default_rng(0)
GOOD = np.arange(60) % 2 == 1
IMAGES = (RNG.integers(0, 50, (60, 8, 8)) + GOOD[:, None, None] * 150).astype(np.uint8)
DATA = (IMAGES, np.where(GOOD, "good", "bad"))
HOW: dict[str, Any] = {"epochs": 8, "batch": 8, "threads": 1, "progress": "none",
                       "optimizer": "adam lr=0.03"}  # fmt: skip


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def model(ending: str) -> cnndsl.Model:
    return cnndsl.parse(f"input 1x8x8; conv 4 3x3 bn relu; gap; {ending}")


RECIPES = ["", "loss bce positive=balanced", "loss focal", "task binary; augment mixup=0.2"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_one_output_tells_two_classes_apart(recipe: str) -> None:
    run = cnndsl.train(model(f"dense 1; train {{ {recipe} }}"), DATA, **HOW)
    assert run[-1]["val_accuracy"] == 1
    scores = cnndsl.evaluate(run.folder, DATA).as_dict()
    assert scores["per_class"] == {"bad": 1, "good": 1}
    assert scores["confusion"] == [[30, 0], [0, 30]]
    bad, good = cnndsl.predict(run.folder / "weights/best.onnx", IMAGES[:2, ..., None])
    assert [answer[0][0] for answer in (bad, good)] == ["bad", "good"]
    assert sum(chance for _, chance in good) == pytest.approx(1)


def test_run_names_both_probabilities(capsys: pytest.CaptureFixture[str]) -> None:
    run = cnndsl.train(model("dense 1"), DATA, **HOW)
    Image.fromarray(IMAGES[1]).save("good.png")
    with pytest.raises(SystemExit, match="0"):
        main(["run", str(run.folder / "weights/best.onnx"), "good.png", "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in answer["top"]] == ["good", "bad"]
    assert answer["threshold"] == 0.5


def test_the_threshold_is_chosen_on_validation_and_travels_with_the_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A fifth of the dark images is good, too: a weight of 50 lifts all of them above ½."""
    truth = GOOD | (np.arange(60) % 10 == 4)
    images = np.where(GOOD, 200, 20)[:, None, None].repeat(8, 1).repeat(8, 2).astype(np.uint8)
    data = (images, np.where(truth, "good", "bad"))
    run = cnndsl.train(model("dense 1; train { loss bce positive=50 }"), data, **HOW)
    scores = cnndsl.evaluate(run.folder, data)
    least = scores.as_dict()["threshold"]
    assert 0.5 < least < 1
    assert scores.columns()["accuracy"] == 0.9
    assert f"accuracy 0.9000 at a threshold of {least:.3f} over 60 " in str(scores)
    best = run.folder / "weights/best.onnx"
    answers = cnndsl.predict(best, images[..., None])
    assert [name == "good" for (name, _), _ in answers] == GOOD.tolist()
    assert {chance >= least for ((name, chance), _) in answers if name == "good"} == {True}
    Image.fromarray(images[0]).save("bad.png")
    with pytest.raises(SystemExit, match="0"):
        main(["run", str(best), "bad.png", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["threshold"], told["top"][0]["name"]) == (least, "bad")
    assert told["top"][0]["probability"] < 0.5  # the threshold is above it


def test_a_class_alone_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    run = cnndsl.train(model("dense 1"), DATA, **HOW)
    scores = cnndsl.evaluate(run.folder, (IMAGES[GOOD], DATA[1][GOOD]))
    assert (scores.measured, scores.columns()["accuracy"]) == (30, 1)
    assert "without a picture to test on: bad" in capsys.readouterr().err


def test_two_outputs_stay_a_classification() -> None:
    run = cnndsl.train(model("dense 2; train { loss bce }"), DATA, **HOW | {"epochs": 1})
    assert len(cnndsl.predict(run.folder / "weights/best.onnx", IMAGES[:1, ..., None])[0]) == 2


BAD = [
    ("dense 1; train { loss cross_entropy }", DATA, "`dense 2`, or write `task binary; loss bce`"),
    ("dense 1; train { task classification }", DATA, "`dense 2`, or write `task binary; loss bce`"),
    ("dense 2; train { task binary }", DATA, "needs one output, but the model gives"),
    ("dense 1; train { task binary }", (IMAGES, np.arange(60) % 3), "of two classes"),
    ("dense 1", (IMAGES, np.zeros(60, int)), r"one class, 0: there is nothing to tell apart\n"),
    ("dense 1; train { task binary; loss cross_entropy }", DATA, "one of bce, focal"),
]


@pytest.mark.parametrize(("ending", "data", "message"), BAD)
def test_what_does_not_fit_is_refused_with_the_way_out(
    ending: str, data: Any, message: str
) -> None:
    with pytest.raises(cnndsl.UserError, match=message):
        cnndsl.train(model(ending), data, **HOW)
