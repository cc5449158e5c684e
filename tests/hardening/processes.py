"""A command in a fresh process: what it says, how it ends, how long and how large it was."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

# A child's peak counts the memory that it shared with its parent before `exec`. So the child is
# started by a parent of 9 MB, which waits for it and writes down code, seconds and kilobytes.
_PARENT = """\
import os, sys, time
start = time.perf_counter()
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - start
with open(sys.argv[1], "w") as file:
    print(os.waitstatus_to_exitcode(status), seconds, usage.ru_maxrss, file=file)
"""


@dataclass(frozen=True)
class Ended:
    """A process that has ended; `code` is negative where a signal ended it."""

    code: int
    out: str
    err: str
    seconds: float  # start of the interpreter included
    peak: float  # MB, the largest resident set


def cnndsl(*arguments: str | Path, **how: Any) -> Ended:
    """The command line, as a user calls it."""
    return run([sys.executable, "-m", "cnndsl", *map(str, arguments)], **how)


def run(
    command: Sequence[str],
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Ended:
    """Run a program (found on the path) to its end."""
    path = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH")) if p)
    with tempfile.NamedTemporaryFile() as usage:
        ended = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _PARENT, usage.name, *command], input=stdin,
            capture_output=True, check=True, cwd=cwd,
            env={**os.environ, "PYTHONPATH": path, **(env or {})},
        )  # fmt: skip
        code, seconds, peak = usage.read().split()
    out, err = (text.decode("utf-8", "replace") for text in (ended.stdout, ended.stderr))
    return Ended(int(code), out, err, float(seconds), int(peak) / 1024)
