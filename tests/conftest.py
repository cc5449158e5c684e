"""What several tests share: a small net that is trained once in a session."""

from pathlib import Path

import numpy as np
import pytest

import cnndsl
from cnndsl.data.formats import shapes
from cnndsl.quantize import proof

SMALL = """
input 3x32x32
conv 8 3x3 same bn relu; pool 2
add { conv 12 3x3 same bn relu; conv 12 3x3 same bn | conv 12 1x1 bn } relu; pool 2
conv 16 3x3 same bn relu
gap; dense 10
train { epochs 1; batch 32; optimizer adam lr=0.01; schedule onecycle }
"""


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of `SMALL`, trained for an epoch on some drawn shapes; not to be changed."""
    folder, drawn = tmp_path_factory.mktemp("trained"), shapes.load()
    x, y, names = drawn.train.x[:1280], drawn.train.y[:1280], np.array(drawn.names)
    x_test, y_test = drawn.test.x[:200], drawn.test.y[:200]
    np.savez(folder / "drawn.npz", x=x, y=y, x_test=x_test, y_test=y_test, classes=names)
    cnndsl.train(cnndsl.parse(SMALL), folder / "drawn.npz", out=folder / "run", device="cpu",
                 progress="none")  # fmt: skip
    return folder / "run"


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs draw no curves and write no events: these take longer than a small training."""
    for name in ("Plots", "TensorBoard"):
        monkeypatch.setattr(f"cnndsl.training.run.{name}", cnndsl.Callback)


@pytest.fixture
def no_pictures(no_plots: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do they draw mosaics of images."""
    monkeypatch.setattr("cnndsl.training.run.Mosaics", cnndsl.Callback)


@pytest.fixture
def short_timings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof of an int8 model times it for an instant, in tests that are not about speed."""
    monkeypatch.setattr(proof, "_SECONDS", 0.01)
