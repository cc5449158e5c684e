"""A command in a fresh process: what it says, how it ends, how long and how large it was."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import IO, Any

ROOT = Path(__file__).parents[2]


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
    """Run to the end; output goes through files, so that no pipe can fill."""
    path = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH")) if p)
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out:
        with tempfile.TemporaryFile() as err:
            given.write(stdin)
            given.seek(0)
            start = perf_counter()
            process = subprocess.Popen(
                command, stdin=given, stdout=out, stderr=err, cwd=cwd,
                env={**os.environ, "PYTHONPATH": path, **(env or {})},
            )  # fmt: skip
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            seconds = perf_counter() - start
            said = [_text(file) for file in (out, err)]
    return Ended(process.returncode, *said, seconds, usage.ru_maxrss / 1024)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")
