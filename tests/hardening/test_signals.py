"""SIGINT and SIGTERM end a run within a step; two processes never spoil each other's files."""

import hashlib
import http.server
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from budget import count
from nursery import Child, Nursery, shared
from runs import again, arguments, check_tidy, check_whole, result, rows, some_data

from cnndsl.training import checkpoint

WIDE = "input 3x32x32\nconv 64 3x3 same relu\nconv 256 3x3 same relu\nconv 256 3x3 same relu\n" + (
    "conv 256 3x3 same relu\ngap; flatten; dense 10\n"
)


@pytest.fixture
def nursery(tmp_path: Path) -> Nursery:
    some_data(tmp_path / "some.npz")
    return shared()


def times(path: Path) -> list[float]:
    """When each step began; the last line may be unfinished."""
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [float(line) for line in lines]


def wait_for_steps(child: Child, path: Path, steps: int) -> None:
    """Until it is in its loop; a run that was left behind its last step has no more."""
    end = time.monotonic() + 60
    while len(times(path)) < steps and not child.ended.is_set():
        assert time.monotonic() < end, "no steps"
        time.sleep(0.002)


def test_signals_at_random_instants(nursery: Nursery, tmp_path: Path, figure: Any) -> None:
    """A chain of runs of 400 steps, each left after some steps and resumed."""
    draw, slowest, late, left, number = random.Random(10), 0.0, 0, 0, 0
    args, out = arguments(tmp_path, "run0", epochs=40), "run0"
    while left < count(4, 100):
        steps = tmp_path / f"steps{left}-{number}"
        child = nursery.start(*(again(tmp_path, out) or args), steps=str(steps))
        wait_for_steps(child, steps, 1)
        time.sleep(draw.uniform(0, 0.3))
        kind, now = draw.choice((signal.SIGINT, signal.SIGTERM)), time.monotonic()
        child.kill(kind)
        sent = time.monotonic()
        code = child.wait()
        if code == 0:  # it was at its end
            number += 1
            out = f"run{number}"
            args = arguments(tmp_path, out, epochs=40)
            continue
        slowest = max(slowest, time.monotonic() - now)
        left += 1
        assert code == 128 + kind, child.err
        hint = f"go on with `cnndsl train --resume {tmp_path / out}`"
        assert hint in child.err or len(rows(tmp_path / out)) == 40  # all steps are done
        begun = sum(t > sent for t in times(steps))  # one, if it came while a batch was awaited
        assert begun <= 1, f"{begun} steps began after the signal"
        late += begun
        check_whole(tmp_path / out)
        assert checkpoint.any_in(tmp_path / out / "checkpoints")
    figure(
        f"signals: {left}; {late} of them were followed by a step, none by two; "
        f"saved and left in {slowest:.2f} s at most"
    )


def test_a_second_interrupt_leaves_at_once(nursery: Nursery, tmp_path: Path, figure: Any) -> None:
    """Even within a step of seconds; what stood before stands."""
    spec, steps = tmp_path / "wide.cnn", tmp_path / "steps"
    spec.write_text(WIDE)
    child = nursery.start(
        "train", spec, "--data", tmp_path / "some.npz", "--out", tmp_path / "wide", "--threads", 1,
        "--batch", 200, "--micro-batch", 200, "--conv", "direct", steps=str(steps),
    )  # fmt: skip
    wait_for_steps(child, steps, 1)
    time.sleep(0.2)
    child.kill(signal.SIGINT)
    time.sleep(0.2)
    assert not child.ended.is_set(), "the step was over too soon to try this"
    start = time.monotonic()
    child.kill(signal.SIGINT)
    assert child.wait() == 130
    took = time.monotonic() - start
    assert took < 1
    check_whole(tmp_path / "wide")
    figure(f"a second SIGINT within a step: left in {took:.3f} s")


def test_two_processes_on_one_folder(nursery: Nursery, tmp_path: Path, figure: Any) -> None:
    """One trains, the other is refused; or it comes later and finds a run."""
    assert nursery.run(*arguments(tmp_path, "whole", epochs=1)).code == 0
    wanted, refused = result(tmp_path / "whole"), 0
    for number in range(count(2, 50)):
        out = f"race{number}"
        pair = [nursery.start(*arguments(tmp_path, out, epochs=1)) for _ in range(2)]
        codes = sorted(child.wait() for child in pair)
        assert codes == [0, 2], [child.err for child in pair]
        loser = next(child for child in pair if child.code == 2)
        refused += "another process is training there" in loser.err
        assert "training there" in loser.err or "has a run already" in loser.err
        assert result(tmp_path / out) == wanted
        check_whole(tmp_path / out)
        assert not list((tmp_path / out).rglob("*.part"))
    figure(f"two processes on one run folder: {number + 1} races, {refused} refused by the lock")


class Slow(http.server.BaseHTTPRequestHandler):
    """Gives the file in small parts."""

    content = np.random.default_rng(0).bytes(400_000)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        try:
            for start in range(0, len(self.content), 20_000):
                self.wfile.write(self.content[start : start + 20_000])
                time.sleep(0.002)
        except OSError:
            return

    def log_message(self, *args: object) -> None:  # type: ignore[override]
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/set.gz"
    server.shutdown()
    thread.join()
    server.server_close()


def test_two_processes_on_one_download(
    nursery: Nursery, tmp_path: Path, address: str, figure: Any
) -> None:
    """At no time is there half a file under the name; one of the two may be killed."""
    draw, killed = random.Random(3), 0
    known = f"sha256:{hashlib.sha256(Slow.content).hexdigest()}"
    for number in range(count(3, 50)):
        path = tmp_path / f"cache{number}" / "set.gz"
        job = {"fetch": [address, known, str(path)]}
        pair = [nursery.start(**job) for _ in range(2)]
        if number % 2:
            time.sleep(draw.uniform(0, 0.3))
            pair[0].kill(signal.SIGKILL)
        while not all(child.ended.is_set() for child in pair):
            assert not path.exists() or path.read_bytes() == Slow.content
            time.sleep(0.001)
        killed += pair[0].code == -9
        assert pair[0].code in (0, -9), pair[0].err
        assert pair[1].code == 0, pair[1].err
        assert path.read_bytes() == Slow.content
    figure(
        f"two processes on one download: {number + 1} races, {killed} with one killed, all whole"
    )


def test_what_is_left_is_tidy(nursery: Nursery, tmp_path: Path) -> None:
    """A process that is killed among its writes leaves parts; the next one removes them."""
    run = tmp_path / "run"
    fault: list[object] = [60, "KILL", False]
    assert nursery.run(*arguments(tmp_path, "run"), fault=fault, watched=str(run)).code == -9
    (run / "weights" / ".last.safetensors.0a1b2c3d.part").write_bytes(b"half")
    assert nursery.run(*again(tmp_path, "run")).code == 0
    check_tidy(run)
