"""Resuming: what was given stays, and what has changed is refused with the difference."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nursery import Nursery, shared
from runs import arguments, pictures, some_data

from cnndsl.data.formats import shapes
from cnndsl.training.run_config import read_config


@pytest.fixture
def nursery(tmp_path: Path) -> Nursery:
    some_data(tmp_path / "some.npz", 60)
    return shared()


def epochs(run: Path) -> int:
    with (run / "results.csv").open(encoding="utf-8") as file:
        return len(list(csv.DictReader(file)))


def other_data(path: Path) -> None:
    """As many pictures, with one of them changed by one level of one colour."""
    data = pictures()
    x = data.train.x[:60].copy()
    x[7, 0, 0, 0] ^= 1
    np.savez(path, x=x, y=data.train.y[:60], x_test=data.test.x[:50], y_test=data.test.y[:50],
             classes=np.array(shapes.CLASSES))  # fmt: skip


def test_every_change_is_refused_with_the_difference(
    nursery: Nursery, tmp_path: Path, figure: Any
) -> None:
    run = tmp_path / "run"
    assert nursery.run(*arguments(tmp_path, "run", epochs=1)).code == 0
    resume = ["train", "--resume", run]
    tried: dict[str, tuple[list[object], dict[str, Any], list[str]]] = {
        "seed": (["--seed", 7], {}, ["seed: was 0", "seed: now 7"]),
        "batch": (["--batch", 40], {}, ["batch: was 20", "batch: now 40"]),
        "optimizer": (["--lr", 0.5], {}, ["optimizer: was Adam(lr=0.001", "now Adam(lr=0.5"]),
    }
    for key, (more, job, said) in tried.items():
        refused = nursery.run(*resume, *more, **job)
        assert refused.code == 2, refused.err
        assert f"the run was made with another {key}\n" in refused.err
        assert all(text in refused.err for text in [*said, "--force"]), refused.err
    assert nursery.run(*resume, version="9.9").code == 0
    spec = run / "model.cnn"
    text = spec.read_text()
    spec.write_text(text.replace("conv 8 3x3", "conv 9 3x3"))
    refused = nursery.run(*resume)
    assert "another spec" in refused.err, refused.err
    assert "spec: -conv 8 3x3 relu\n" in refused.err
    assert "spec: +conv 9 3x3 relu\n" in refused.err
    spec.write_text(text)
    other_data(tmp_path / "some.npz")
    refused = nursery.run(*resume)
    assert refused.code == 2
    assert "another data\n  data: was 60 + 50 pictures, 10 classes, sha256" in refused.err
    forced = nursery.run(*resume, "--force", "--epochs", 2, version="9.9")
    assert forced.code == 0, forced.err
    assert epochs(run) == 2
    figure(f"resume: {len(tried) + 2} kinds of change, all refused with the difference")


def test_what_was_given_is_kept_and_data_are_found_from_anywhere(
    nursery: Nursery, tmp_path: Path
) -> None:
    """Relative data and weights, threads, device, micro-batch; a flag stands above them."""
    given: list[object] = ["--threads", 1, "--device", "cpu", "--micro-batch", 20]
    arguments(tmp_path, "run", epochs=1)
    started = nursery.run("train", "net1.cnn", "--data", "some.npz", "--out", "run", *given,
                          cwd=str(tmp_path))  # fmt: skip
    assert started.code == 0, started.err
    stored = read_config(tmp_path / "run")
    assert stored.data == str(tmp_path / "some.npz")
    assert (stored.threads, stored.device, stored.micro_batch) == (1, "cpu", 20)
    (tmp_path / "away").mkdir()
    assert nursery.run("train", "--resume", "../run", cwd=str(tmp_path / "away")).code == 0
    moved = (tmp_path / "some.npz").rename(tmp_path / "away" / "same.npz")
    lost = nursery.run("train", "--resume", tmp_path / "run")
    assert lost.code == 2, lost.err
    found = nursery.run("train", "--resume", tmp_path / "run", "--data", moved, "--threads", 2)
    assert found.code == 0, found.err


def test_a_run_that_ended_before_its_first_checkpoint_starts_from_the_beginning(
    nursery: Nursery, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    for at in range(1, 40):
        ended = nursery.run(*arguments(tmp_path, "run", epochs=1), fault=[at, "KILL", False],
                            watched=str(run))  # fmt: skip
        assert ended.code == -9
        if (run / "args.yaml").exists():
            break
    assert not list(run.glob("checkpoints/*.json"))
    resumed = nursery.run("train", "--resume", run)
    assert resumed.code == 0, resumed.err
    assert epochs(run) == 1


def test_threads_reach_the_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stored count, and above it the flag's."""
    from cnndsl.cli import main
    from cnndsl.training import run

    seen = list[tuple[Any, Any]]()

    def stop(model: Any, recipe: Any, settings: Any, *rest: Any, **more: Any) -> Any:
        seen.append((settings.threads, settings.device))
        raise KeyboardInterrupt

    some_data(tmp_path / "some.npz", 60)
    monkeypatch.setattr(run, "start", stop)
    monkeypatch.setattr(run, "resume", stop)
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "model.cnn").write_text("input 3x32x32\nflatten; dense 10\n")
    (folder / "args.yaml").write_text('device: "cpu"\nthreads: 3\ndata: "shapes"\n')
    for more in ([], ["--threads", "2", "--device", "auto"]):
        with pytest.raises(SystemExit) as left:
            main(["train", "--resume", str(folder), *more])
        assert left.value.code == 130
    assert seen == [(3, "cpu"), (2, "auto")]
