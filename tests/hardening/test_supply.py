"""What comes in from outside: bounds, a lock, known holes; and a wheel that repeats."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from budget import LONG
from packaging.requirements import Requirement
from packaging.version import Version
from processes import ROOT, run

LOCK = ROOT / "requirements-dev.lock"
PACKAGE = re.compile(r"^([A-Za-z0-9_.-]+)==(\S+)", re.MULTILINE)


def declared() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [text for group in project["optional-dependencies"].values() for text in group]
    return [Requirement(text) for text in (*project["dependencies"], *extras)]


def locked() -> dict[str, str]:
    return dict(PACKAGE.findall(LOCK.read_text(encoding="utf-8")))


def test_every_dependency_has_a_lower_bound() -> None:
    for requirement in declared():
        if requirement.name != "cnndsl":
            assert requirement.specifier, f"{requirement.name} takes any version, the oldest too"


def test_the_lock_holds_every_package_with_its_hashes() -> None:
    text, found = LOCK.read_text(encoding="utf-8"), locked()
    for block in re.split(r"\n(?=[A-Za-z0-9])", text):
        if PACKAGE.match(block):
            assert "--hash=sha256:" in block, block.splitlines()[0]
    for requirement in declared():
        name = requirement.name.lower()
        if name in ("cnndsl", "torch") or "gpu" in name:
            continue
        version = next(v for k, v in found.items() if k.lower() == name)
        assert requirement.specifier.contains(Version(version), prereleases=True), requirement


@pytest.mark.skipif(not LONG, reason="asks the network: in the long form")
def test_no_hole_is_known_of_what_is_locked(tmp_path: Path, figure: Any) -> None:
    if shutil.which("pip-audit", path=os.path.dirname(sys.executable)) is None:
        pytest.skip("pip-audit is not installed: pip install pip-audit")
    wanted = tmp_path / "locked.txt"
    wanted.write_text("\n".join(f"{name}=={version}" for name, version in locked().items()))
    ended = run([
        sys.executable, "-m", "pip_audit", "-r", str(wanted), "--disable-pip", "--no-deps",
        "--progress-spinner", "off", "--timeout", "10",
    ])  # fmt: skip
    unknown = ended.out.count("could not be audited")
    if "nown vulnerabilit" not in ended.err or unknown == len(locked()):
        reason = "its data base cannot be reached" if unknown else ended.err.strip()[-200:]
        figure(f"known holes: not asked, {reason}")
        pytest.skip(f"pip-audit: {reason}")
    assert ended.code == 0, ended.out
    figure(f"known holes: none in {len(locked()) - unknown} locked packages (pip-audit)")


def built(source: Path, out: Path) -> str:
    """Hash of the wheel of a copy of the tree."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(out), str(source)],
        check=True, env=environment, stdout=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip
    (wheel,) = out.glob("*.whl")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_two_builds_are_one_wheel(tmp_path: Path, figure: Any) -> None:
    """From copies at other places with other times of their files."""
    hashes = set[str]()
    for name in ("one", "another place"):
        copy = tmp_path / name
        copy.mkdir()
        for part in ("cnndsl", "grammar", "specs"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        for file in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / file, copy / file)
        for path in copy.rglob("*"):
            os.utime(path, (time.time(), 1.6e9 + len(hashes) * 1e6))
        hashes.add(built(copy, tmp_path / f"{name} out"))
    assert len(hashes) == 1
    figure("wheel: two builds, one hash")
