"""kill -9 of workers of a search at any instant: no trial is lost, none is done twice."""

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from budget import count
from runs import some_data

from cnndsl.passes.includes import read
from cnndsl.study.folder import StudyFolder
from cnndsl.study.plan import Plan
from cnndsl.study.results import study
from cnndsl.study.search import Effort, begin, go_on
from cnndsl.training.run_config import RunConfig

_WORKERS = 4
_LONGEST = 600  # seconds


def test_workers_killed_at_random_instants(tmp_path: Path, figure: Any) -> None:
    """One of four is killed again and again, and another one started in its place."""
    kills, trials = count(2, 40), count(6, 120)
    folder, plan = begin(tmp_path / "study", _plan(tmp_path, trials))
    instants, start = random.Random(3), time.monotonic()
    workers = [_worker(folder) for _ in range(_WORKERS)]
    done = 0
    while any(w.poll() is None for w in workers):
        assert time.monotonic() - start < _LONGEST
        time.sleep(instants.uniform(0, 2))
        victim = instants.randrange(_WORKERS)
        if done < kills and workers[victim].poll() is None:
            workers[victim].kill()
            workers[victim].wait()
            workers[victim] = _worker(folder)
            done += 1
    found = go_on(folder, plan, Effort())
    assert [t.number for t in found.trials] == list(range(trials))
    assert found.counts.keys() <= {"trained", "repeated", "pruned"}
    for trial in found.trained:
        lines = (trial.folder / "results.csv").read_text().splitlines()
        assert [line.partition(",")[0] for line in lines] == ["epoch", "1", "2"]
    assert len(study(folder, plan).trials) == trials  # the journal can be read to its end
    figure(f"search: {done} of {_WORKERS} workers killed, {trials} trials, none lost or done twice")


def _plan(folder: Path, trials: int) -> Plan:
    some_data(folder / "some.npz")
    spec = folder / "net.cnn"
    spec.write_text(
        "let width = 4\ninput 3x32x32\nconv width 3x3 same /2 bn relu; gap; dense 10\n"
        f'train {{ data "{folder / "some.npz"}"; epochs 2; batch 8 }}\n'
        "search { width 2 to 900 }\n"
    )
    return Plan(read(spec), RunConfig(str(spec)), trials=trials, sampler="random", pruner="none")


def _worker(folder: StudyFolder) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cnndsl.study.process", str(folder.path), "1", "inf"]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)
