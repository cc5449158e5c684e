"""The images in a run folder are those of the run, with what was said of them."""

from pathlib import Path

import numpy as np

from cnndsl.plot import mosaic
from cnndsl.tasks.classification import Classification
from cnndsl.tasks.multilabel import Multilabel
from cnndsl.tasks.regression import Regression

X = np.arange(8 * 3 * 4 * 4, dtype=np.uint8).reshape(8, 3, 4, 4)


def test_targets_are_told_in_the_words_of_their_task() -> None:
    assert Classification().truths(np.array([1, 0]), ("cat", "dog")) == ["dog", "cat"]
    assert Multilabel().truths(np.array([[1, 0], [0, 0]]), ("sun", "rain")) == ["sun", "-"]
    numbers = np.array([[2.53125, 1], [-1234.5, 0.00012345]])
    told = ["x 2.53  y 1", "x -1234  y 0.000123"]
    assert Regression().truths(numbers, ("x", "y")) == told
    assert Regression(units=("cm", "")).captions(numbers, ("x", "y")) == told


def test_a_number_stands_beside_its_name() -> None:
    numbers = "true: dots 5.12  x 19.1  width 15.3"
    lines = [line.replace("\xa0", " ") for line in mosaic._wrapped(numbers)]  # pyright: ignore[reportPrivateUsage]
    assert lines == ["true: dots 5.12  x 19.1", "width 15.3"]


def test_a_mosaic_is_a_picture(tmp_path: Path) -> None:
    mosaic.save_mosaic(X, ["a long line of words, which is wrapped below"] * 8, "t", tmp_path / "m")
    assert (tmp_path / "m").read_bytes().startswith(b"\x89PNG")
