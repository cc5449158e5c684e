"""kill -9 of one of several processes at any instant: no hang, and any number of them goes on."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from budget import count
from launched import MPIEXEC, ranks_below
from runs import again, arguments, check_whole, rows, some_data

pytest.importorskip("mpi4py")
pytestmark = pytest.mark.skipif(MPIEXEC is None, reason="needs mpiexec")

BOUND = 60  # seconds from a kill to the end of all
LIMIT = 300  # seconds for a whole run
EPOCHS = 6


def command(words: list[object], processes: int) -> list[str]:
    shared = ["--processes", str(processes), "--checkpoint-every", "3"]
    return [sys.executable, "-m", "cnndsl", *map(str, words), *shared]


def numbers(run: Path) -> list[dict[str, float]]:
    kept = ("loss", "accuracy", "val_loss", "val_accuracy")
    return [{name: float(row[name]) for name in kept} for row in rows(run)]


def killed(words: list[object], after: float, instants: random.Random) -> bool:
    """Whether one of two processes was killed before their run had ended."""
    started = subprocess.Popen(
        command(words, 2), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        started.wait(after)
    except subprocess.TimeoutExpired:
        ranks = ranks_below(started.pid)
        if ranks:
            os.kill(instants.choice(ranks), signal.SIGKILL)
        else:
            started.terminate()  # still before mpiexec
        return started.wait(BOUND) != 0
    finally:
        started.kill()
    return False


def test_a_process_is_killed_at_random_instants(tmp_path: Path, figure: Any) -> None:
    """Half of the runs go on by another number of processes."""
    some_data(tmp_path / "some.npz", 100)
    arguments(tmp_path, "spec", epochs=EPOCHS)
    spec = tmp_path / f"net{EPOCHS}.cnn"
    spec.write_text(spec.read_text().replace("bn ", ""))  # `bn` sees the parts of a process
    begun = time.monotonic()
    words = arguments(tmp_path, "whole", epochs=EPOCHS)
    subprocess.run(command(words, 2), check=True, capture_output=True, timeout=LIMIT)
    seconds, wanted = time.monotonic() - begun, numbers(tmp_path / "whole")
    instants, kills = random.Random(21), 0
    for number in range(count(2, 20)):
        out = f"run{number}"
        words = arguments(tmp_path, out, epochs=EPOCHS)
        kills += killed(words, instants.uniform(0, seconds), instants)
        check_whole(tmp_path / out)
        line = command(again(tmp_path, out) or words, 2 if number % 2 else (1, 4)[number % 4 // 2])
        ended = subprocess.run(line, capture_output=True, text=True, timeout=LIMIT)
        assert ended.returncode == 0, ended.stderr
        for row, other in zip(numbers(tmp_path / out), wanted, strict=True):
            assert row == pytest.approx(other, rel=1e-3, abs=1e-3)
    figure(f"kill -9 of a process: {kills} at random instants, 0 hangs, all resumed to the end")
