"""Runs of several processes, and the processes below their launcher."""

import os
import shutil
import sys
from pathlib import Path

MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")


def ranks_below(launcher: int) -> list[int]:
    """The processes that compute below a launcher."""
    found = list[int]()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        pid = int(path.parent.name)
        try:
            if b"--distributed" in path.read_bytes() and _is_below(pid, launcher):
                found.append(pid)
        except OSError:
            continue
    return [pid for pid in found if not any(_parent(other) == pid for other in found)]


def _is_below(pid: int, top: int) -> bool:
    while pid > 1 and pid != top:
        pid = _parent(pid)
    return pid == top


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
