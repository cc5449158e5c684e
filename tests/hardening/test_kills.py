"""kill -9 at any instant: one command goes on, and the end is the same, bit for bit."""

import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from budget import count
from nursery import Child, Nursery, shared
from runs import again, arguments, check_tidy, check_whole, result, some_data


@pytest.fixture
def nursery(tmp_path: Path) -> Nursery:
    some_data(tmp_path / "some.npz")
    return shared()


def timed(nursery: Nursery, args: list[object], **job: Any) -> tuple[Child, float]:
    start = time.monotonic()
    return nursery.run(*args, **job), time.monotonic() - start


def test_kills_at_random_instants(nursery: Nursery, tmp_path: Path, figure: Any) -> None:
    """Runs are killed and resumed again and again until one gets to its end; then the next."""
    whole, seconds = timed(nursery, arguments(tmp_path, "whole"))
    assert whole.code == 0, whole.err
    wanted, instants = result(tmp_path / "whole"), random.Random(8)
    kills, ended, early, number, out = count(5, 200), 0, 0, 0, "run0"
    done = 0
    while done < kills or number == ended:
        command = again(tmp_path, out) or arguments(tmp_path, out)
        early += command[1] != "--resume" and (tmp_path / out).exists()
        child = nursery.start(*command)
        if done < kills and not child.ended.wait(instants.uniform(0, seconds)):
            child.kill(signal.SIGKILL)
        code = child.wait()
        assert code in (0, -9), child.err
        check_whole(tmp_path / out)
        done += code == -9
        if code == 0:
            assert result(tmp_path / out) == wanted
            check_tidy(tmp_path / out)
            ended += 1
            number += done < kills
            out = f"run{number}"
            if done >= kills:
                break
    figure(
        f"kill -9: {done} at random instants of runs of {seconds:.1f} s, {early} of them before "
        f"the folder held a run; all resumed, {ended} runs ended, all bit-identical"
    )


def test_kills_inside_a_save(nursery: Nursery, tmp_path: Path, figure: Any) -> None:
    """At operations on files: before an open, after half a write, before fsync, rename, unlink."""
    watched = {"watched": str(tmp_path / "whole")}
    whole = nursery.run(*arguments(tmp_path, "whole", epochs=3), fault=[0, "", False], **watched)
    assert whole.code == 0, whole.err
    operations = int(whole.err.rpartition("operations: ")[2])
    wanted, chosen = result(tmp_path / "whole"), random.Random(50)
    for number, at in enumerate(chosen.sample(range(1, operations + 1), count(4, 50))):
        out = f"run{number}"
        args, watched = arguments(tmp_path, out, epochs=3), {"watched": str(tmp_path / out)}
        assert nursery.run(*args, fault=[at, "KILL", False], **watched).code == -9
        check_whole(tmp_path / out)
        resumed = nursery.run(*(again(tmp_path, out) or args))
        assert resumed.code == 0, f"operation {at}: {resumed.err}"
        assert result(tmp_path / out) == wanted, f"operation {at}"
        check_tidy(tmp_path / out)
    figure(f"kill -9 in a save: {number + 1} of {operations} operations, all resumed bit-identical")
