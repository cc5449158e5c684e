"""Children that run the command line, forked from a process that has imported everything once.

The nursery is a process of its own: it opens no session, so that its children start as fresh ones
do, only faster: without plots, which take longer than the training. `python nursery.py` reads jobs,
a JSON line each, and answers with the child's id and, once it has ended, with its exit code
(negative: the signal that ended it).
"""

import atexit
import json
import os
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass
class Child:
    """A running child; `err` is what it says."""

    pid: int
    log: Path
    ended: threading.Event
    code: int = 0

    def wait(self, seconds: float = 120) -> int:
        """Its exit code; AssertionError where it does not end."""
        assert self.ended.wait(seconds), f"child {self.pid} does not end\n{self.err}"
        return self.code

    def kill(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        if not self.ended.is_set():
            with suppress(ProcessLookupError):  # it has ended just now
                os.kill(self.pid, number)

    @property
    def err(self) -> str:
        """Its output and errors."""
        return self.log.read_text(encoding="utf-8", errors="replace")


class Nursery:
    """Starts children. Each job is a dict: `args`, and what `_prepare` and `_work` know."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0
        path = os.pathsep.join(p for p in (str(HERE.parents[1]), os.environ.get("PYTHONPATH")) if p)
        environment = {**os.environ, "PYTHONPATH": path, "MPLBACKEND": "Agg"}
        self._server = subprocess.Popen(
            [sys.executable, str(HERE / "nursery.py")], text=True, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._children: dict[int, Child] = {}
        self._born: list[Child] = []
        self._news = threading.Condition()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._server.stdout
        for line in self._server.stdout:
            kind, pid, value = json.loads(line)
            with self._news:
                if kind == "born":
                    child = Child(pid, Path(value), threading.Event())
                    self._children[pid] = child
                    self._born.append(child)
                else:
                    child = self._children[pid]
                    child.code = value
                    child.ended.set()
                self._news.notify_all()

    def start(self, *args: object, **job: Any) -> Child:
        """A child that runs `cnndsl ARGS`."""
        self._count += 1
        log = self._folder / f"child{self._count}.log"
        wanted = len(self._born) + 1
        assert self._server.stdin
        line = json.dumps({"args": [str(a) for a in args], "log": str(log), **job})
        self._server.stdin.write(line + "\n")
        self._server.stdin.flush()
        with self._news:
            assert self._news.wait_for(lambda: len(self._born) >= wanted, 120)
        return self._born[wanted - 1]

    def run(self, *args: object, **job: Any) -> Child:
        """The same, ended."""
        child = self.start(*args, **job)
        child.wait()
        return child

    def close(self) -> None:
        """End the server."""
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.close()
        self._server.wait(60)
        self._listener.join(60)
        self._server.stdout.close()


@cache
def shared() -> Nursery:
    """One for all tests of this process; it ends with it."""
    folder = tempfile.TemporaryDirectory(prefix="nursery-")
    nursery = Nursery(Path(folder.name))
    atexit.register(folder.cleanup)
    atexit.register(nursery.close)
    return nursery


def _serve() -> None:
    sys.modules["torch"] = None  # type: ignore[assignment]  # tensorboardX would load it
    for name in ("onnxruntime", "tensorboardX.event_file_writer", "cnndsl.cli.train",
                 "cnndsl.training.run", "cnndsl.plot.curves", "requests", "pooch"):  # fmt: skip
        import_module(name)
    sys.modules["cnndsl.plot.curves"].available = lambda: False  # type: ignore[attr-defined]

    lock = threading.Lock()

    def say(*what: object) -> None:
        with lock:
            print(json.dumps(what), flush=True)

    def wait(pid: int) -> None:
        say("ended", pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    for line in sys.stdin:
        job = json.loads(line)
        with lock:  # no child is born while another thread holds it
            pid = os.fork()
        if not pid:
            _child(job)
        say("born", pid, job["log"])
        threading.Thread(target=wait, args=(pid,), daemon=True).start()


def _child(job: Mapping[str, Any]) -> None:
    code: Any = 70
    try:
        out = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(out, 2)
        _work(job)
        code = 0
    except SystemExit as left:
        code = left.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _work(job: Mapping[str, Any]) -> None:
    from cnndsl.cli import main

    if "cwd" in job:
        os.chdir(job["cwd"])
    if "version" in job:
        import cnndsl.training.fingerprint

        cnndsl.training.fingerprint.version = lambda: job["version"]
    if "steps" in job:
        _note_steps(job["steps"])
    if "fetch" in job:
        from cnndsl.data.download import fetch

        fetch(job["fetch"][0], job["fetch"][1], Path(job["fetch"][2]))
        return
    if "fault" in job:
        sys.path.insert(0, str(HERE))
        from faults import Faults

        faults = Faults(Path(job["watched"]), *job["fault"])
        faults.install()
        try:
            main(job["args"])
        finally:
            print(f"\noperations: {faults.count}")
    main(job["args"])


def _note_steps(file: str) -> None:
    """Write the time at the start of each step."""
    from time import monotonic

    from cnndsl.training.trainer import Trainer

    real = Trainer._step
    out = open(file, "a", encoding="ascii")  # noqa: SIM115

    def noted(self: Any, *rest: Any) -> None:
        out.write(f"{monotonic()}\n")
        out.flush()
        real(self, *rest)

    Trainer._step = noted  # type: ignore[method-assign]


if __name__ == "__main__":
    _serve()
