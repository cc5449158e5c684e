"""A fault at every operation on files: the message names it, nothing is lost, the run goes on."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from budget import count
from nursery import Child, Nursery, shared
from processes import Ended, run
from runs import again, arguments, check_tidy, check_whole, result, some_data

from cnndsl.training.checkpoint import any_in

MENDS = {
    "ENOSPC": ("No space left on device", "free some space"),
    "EIO": ("Input/output error", "the disk reports a fault"),
    "EROFS": ("Read-only file system", "choose a folder on a disk that can be written"),
    "EACCES": ("Permission denied", "choose a folder that you may write"),
}


@pytest.fixture
def nursery(tmp_path: Path) -> Nursery:
    some_data(tmp_path / "some.npz", 60)
    return shared()


def check_told(child: Child | Ended, folder: Path, kind: str) -> None:
    """Exit code 2, the file, the reason and what to do; no traceback."""
    assert child.code == 2, child.err
    reason, mend = MENDS[kind]
    told = child.err[child.err.index("error: ") :]
    assert f"{folder}" in told.splitlines()[0], told
    assert reason in told, told
    assert mend in told, told
    assert "Traceback" not in child.err


def operations(nursery: Nursery, folder: Path) -> int:
    """How many there are in a whole run, which then stands in `whole`."""
    watched = str(folder / "whole")
    args = arguments(folder, "whole", epochs=2)
    whole = nursery.run(*args, fault=[0, "", False], watched=watched)
    assert whole.code == 0, whole.err
    return int(whole.err.rpartition("operations: ")[2])


def test_a_fault_at_every_operation(nursery: Nursery, tmp_path: Path, figure: Any) -> None:
    """A single EIO at each; a full disk, a read-only one and a forbidden folder from it on."""
    total, chosen = operations(nursery, tmp_path), random.Random(9)
    wanted = result(tmp_path / "whole")
    tried = [(at, "EIO", False) for at in chosen.sample(range(1, total + 1), count(3, 80))]
    for kind in ("ENOSPC", "EROFS", "EACCES"):
        tried += [(at, kind, True) for at in chosen.sample(range(1, total + 1), count(1, 15))]
    survived = 0
    for number, (at, kind, lasting) in enumerate(tried):
        out = tmp_path / f"run{number}"
        args = arguments(tmp_path, out.name, epochs=2)
        struck = nursery.run(*args, fault=[at, kind, lasting], watched=str(out))
        survived += struck.code == 0  # such as a fault while a part is removed
        if struck.code:
            check_told(struck, out, kind)
            if any_in(out / "checkpoints"):
                assert f"go on with `cnndsl train --resume {out}`" in struck.err
        check_whole(out)
        resumed = nursery.run(*(again(tmp_path, out.name) or args))
        assert resumed.code == 0, f"{kind} at {at}: {resumed.err}"
        assert result(out) == wanted, f"{kind} at {at}"
        check_tidy(out)
        shutil.rmtree(out)
    figure(
        f"faults: {len(tried)} at {total} operations (EIO, ENOSPC, EROFS, EACCES): "
        f"{len(tried) - survived} told with exit code 2, {survived} harmless, "
        "all resumed bit-identical"
    )


def test_a_disk_that_is_full(nursery: Nursery, tmp_path: Path, figure: Any) -> None:
    """A real one: a tmpfs too small for the run, then larger."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a disk cannot be mounted here; test_a_fault_at_every_operation injects it")
    try:
        total = operations(nursery, tmp_path)
        assert total > 0
        args = arguments(tmp_path, "disk/run", epochs=2)
        full = nursery.run(*args)
        check_told(full, disk / "run", "ENOSPC")
        check_whole(disk / "run")
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        resumed = nursery.run(*(again(tmp_path, "disk/run") or args))
        assert resumed.code == 0, resumed.err
        assert result(disk / "run") == result(tmp_path / "whole")
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)
    figure("full disk: a real one of 64 KiB, told with exit code 2, resumed bit-identical")


def test_a_folder_that_may_not_be_written(nursery: Nursery, tmp_path: Path) -> None:
    """Another's folder, for a process without root's right to write there all the same."""
    assert nursery.run(*arguments(tmp_path, "run", epochs=2)).code == 0
    bound = list[str]()
    if os.getuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root writes everywhere, and there is no setpriv to change that")
        bound = ["setpriv", "--bounding-set", "-dac_override", "--"]
    tries = [again(tmp_path, "run"), arguments(tmp_path, "run/new", epochs=2)]
    for path in (tmp_path / "run", *(tmp_path / "run").rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
        if bound:
            os.chown(path, 65534, 65534)
    for args in tries[: count(1, 2)]:
        ended = run([*bound, sys.executable, "-m", "cnndsl", *map(str, args)])
        check_told(ended, tmp_path / "run", "EACCES")
    check_whole(tmp_path / "run")
    (tmp_path / "run").chmod(0o755)
