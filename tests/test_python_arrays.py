"""Arrays in Python are data: they train, are resumed and evaluated."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnndsl

RNG = np.random.default_rng(0)
LABELS = np.repeat([3, 5, 8], 10)
IMAGES = (RNG.integers(0, 50, (30, 8, 8)) + LABELS[:, None, None] * 20).astype(np.uint8)
MODEL = cnndsl.parse("input 1x8x8; conv 4 3x3 relu; gap; dense 3")
HOW: dict[str, Any] = {"epochs": 1, "batch": 8, "threads": 1, "progress": "none"}


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "data",
    [
        (IMAGES, LABELS, IMAGES, LABELS),
        ((IMAGES, LABELS), (IMAGES, LABELS)),
        [IMAGES.tolist(), LABELS.tolist(), IMAGES, LABELS],
        {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": LABELS},
    ],
)
def test_arrays_train_as_the_same_file_does(data: Any) -> None:
    np.savez("set.npz", x=IMAGES, y=LABELS, x_test=IMAGES, y_test=LABELS)
    of_file, of_arrays = (cnndsl.train(MODEL, each, **HOW) for each in ("set.npz", data))
    assert [row["val_loss"] for row in of_arrays] == [row["val_loss"] for row in of_file]


def test_a_run_of_arrays_is_evaluated_and_resumed_with_them() -> None:
    data = (IMAGES, LABELS)
    cnndsl.train(MODEL, data, out="run", **HOW)
    scores = cnndsl.evaluate("run", data)
    assert scores.measured == 30
    with pytest.raises(cnndsl.UserError, match=r"arrays in Python: give them again, `data="):
        cnndsl.evaluate("run")
    with pytest.raises(cnndsl.UserError, match=r"arrays in Python: give them again, `data="):
        cnndsl.resume("run", epochs=2)
    assert len(cnndsl.resume("run", data, epochs=2, progress="none")) == 2


BAD = [
    ((IMAGES,), r"\(x, y\) or \(x, y, x_test, y_test\), not 1 arrays"),
    ((IMAGES[:5], LABELS), "5 pictures, but 30 labels"),
    ((IMAGES / 255, LABELS), r"not float64 .*\n.*\(x \* 255\)"),
    (([np.zeros((2, 2)), np.zeros(3)], LABELS), "x is not an array"),
    (
        (IMAGES, np.where(np.arange(30) == 7, np.nan, 0.5)),
        "1 of 30 targets are not finite numbers, the first is that of image 7",
    ),
    ({"pixels": IMAGES}, "holds pixels; it needs x and y"),
]


@pytest.mark.parametrize(("data", "message"), BAD)
def test_arrays_that_are_none_are_refused(data: Any, message: str) -> None:
    with pytest.raises(cnndsl.UserError, match=message):
        cnndsl.train(MODEL, data, **HOW)


ONE_HOT = np.eye(3, dtype=int)[np.searchsorted([3, 5, 8], LABELS)]


@pytest.mark.parametrize("y", [ONE_HOT, ONE_HOT.astype(float), ONE_HOT.astype(bool)])
def test_a_single_1_a_row_may_be_a_class_or_a_label(y: Any) -> None:
    """It is asked, and either answer works."""
    with pytest.raises(cnndsl.UserError, match=r"a single 1 among 3 .*may be classes or labels"):
        cnndsl.train(MODEL, (IMAGES, y), **HOW)
    row = cnndsl.train(MODEL, (IMAGES, y), task="classification", **HOW)[0]
    numbers = cnndsl.train(MODEL, (IMAGES, LABELS), **HOW)[0]
    assert row["val_loss"] == numbers["val_loss"]
    assert "val_map" in cnndsl.train(MODEL, (IMAGES, y), task="multilabel", **HOW)[0]


def test_two_classes_of_one_picture_are_told() -> None:
    y = np.vstack([ONE_HOT[:-1], [0, 1, 1]])
    test = (IMAGES, ONE_HOT, IMAGES, y)
    with pytest.raises(cnndsl.UserError, match="test picture 29 is of 2 classes"):
        cnndsl.train(MODEL, test, task="classification", **HOW)


def test_scores_and_history_are_shown_as_tables() -> None:
    history = cnndsl.train(MODEL, (IMAGES, LABELS), out="run", **HOW)
    assert repr(history).splitlines()[0].split()[:3] == ["epoch", "loss", "accuracy"]
    assert "over 30 pictures\nclass" in repr(cnndsl.evaluate("run", (IMAGES, LABELS)))


def test_a_single_picture_has_no_r_squared(capsys: pytest.CaptureFixture[str]) -> None:
    model = cnndsl.parse("input 1x8x8; conv 4 3x3 relu; gap; dense 1")
    y = LABELS + 0.5
    cnndsl.train(model, (IMAGES, y), out="run", **(HOW | {"progress": "lines"}))
    said = str(cnndsl.evaluate("run", (IMAGES[:1], y[:1])))
    assert "R² - (the true numbers are all the same) over 1 picture" in said
    assert "nan" not in said + capsys.readouterr().err
