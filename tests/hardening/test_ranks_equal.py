"""Fifty steps by one, two and four processes of MPI: the same losses, without `bn` and over all."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from budget import LONG
from launched import MPIEXEC
from runs import arguments, rows, some_data

pytest.importorskip("mpi4py")
pytestmark = [
    pytest.mark.skipif(MPIEXEC is None, reason="needs mpiexec"),
    pytest.mark.skipif(not LONG, reason="tests/test_distributed.py has the short form"),
]

LIMIT = 300  # seconds for a run
EPOCHS = 5  # of ten steps


@pytest.mark.parametrize("sync", [False, True])
def test_ranks_give_the_same_losses_over_fifty_steps(
    sync: bool, tmp_path: Path, figure: Any
) -> None:
    some_data(tmp_path / "some.npz", 200)
    arguments(tmp_path, "spec", epochs=EPOCHS)
    spec = tmp_path / f"net{EPOCHS}.cnn"
    text = spec.read_text()
    spec.write_text(text if sync else text.replace("bn ", ""))
    found = dict[int, list[dict[str, float]]]()
    for ranks in (1, 2, 4):
        words = arguments(tmp_path, f"run{ranks}", epochs=EPOCHS)
        micro = words.index("--micro-batch")
        del words[micro : micro + 2]  # a part of 20 images has none of 20
        more = ["--processes", str(ranks), *(["--sync-bn"] if sync and ranks > 1 else [])]
        line = [sys.executable, "-m", "cnndsl", *map(str, words), *more]
        subprocess.run(line, check=True, capture_output=True, timeout=LIMIT)
        found[ranks] = numbers(tmp_path / f"run{ranks}")
    assert len(found[1]) == EPOCHS
    worst = 0.0
    for ranks in found:
        for row, one in zip(found[ranks], found[1], strict=True):
            assert row == pytest.approx(one, rel=1e-4)
            worst = max(worst, *(abs(row[name] / one[name] - 1) for name in one if one[name]))
    kind = "`bn` over all" if sync else "no `bn`"
    figure(f"50 steps by 1, 2 and 4 processes, {kind}: losses differ by {worst:.1e} at most")


def numbers(run: Path) -> list[dict[str, float]]:
    return [{name: float(row[name]) for name in ("loss", "val_loss")} for row in rows(run)]
