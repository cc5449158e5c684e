"""What a run was started with: kept, read again, also where an earlier version began the run."""

from pathlib import Path
from shutil import copy, copytree
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import cnndsl
from cnndsl.optim import Sgd
from cnndsl.recipe import Augment
from cnndsl.training import run
from cnndsl.training.callbacks import Callback

RUNS = Path(__file__).parent / "old_runs"


@pytest.fixture(autouse=True)
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "Plots", Callback)
    monkeypatch.setattr(run, "TensorBoard", Callback)


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


def test_a_run_of_an_earlier_version_is_evaluated(old: Path) -> None:
    assert cnndsl.evaluate(old, RUNS / "some.npz").accuracy == 1.0


def test_a_flag_is_a_bool_and_its_word_is_still_taken() -> None:
    assert Sgd().nesterov is False
    with pytest.warns(DeprecationWarning, match=r"Sgd\(nesterov='nesterov'\): write True"):
        assert Sgd(nesterov="nesterov") == Sgd(nesterov=True)  # pyright: ignore
    with pytest.warns(DeprecationWarning, match=r"Augment\(flip='flip'\): write True"):
        assert Augment("flip") == Augment(flip=True)  # pyright: ignore
