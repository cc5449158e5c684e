"""What comes in from outside: bounds, a lock, known holes; and a wheel that repeats."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from budget import LONG
from packaging.requirements import Requirement
from packaging.version import Version
from processes import ROOT, run

LOCK = ROOT / "requirements-dev.lock"
PACKAGE = re.compile(r"^([A-Za-z0-9_.-]+)==(\S+)", re.MULTILINE)


UNLOCKED = ("browser", "parity", "interop")  # extras of tests and benchmarks alone


def declared() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = project["optional-dependencies"].items()
    extras = [text for name, group in groups if name not in UNLOCKED for text in group]
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
        if name == "cnndsl" or "gpu" in name:
            continue
        version = next(v for k, v in found.items() if k.lower() == name)
        assert requirement.specifier.contains(Version(version), prereleases=True), requirement


@pytest.mark.skipif(not LONG, reason="asks the network: in the long form")
def test_no_hole_is_known_of_what_is_locked(tmp_path: Path, figure: Any) -> None:
    """By pip-audit; where its service is not to be had, by the pages of PyPI."""
    wanted = tmp_path / "locked.txt"
    wanted.write_text("\n".join(f"{name}=={version}" for name, version in locked().items()))
    audit = run([
        sys.executable, "-m", "pip_audit", "-r", str(wanted), "--disable-pip", "--no-deps",
        "--progress-spinner", "off", "--timeout", "10",
    ])  # fmt: skip
    if "nown vulnerabilit" in audit.err and "could not be audited" not in audit.out:
        assert audit.code == 0, audit.out
        figure(f"known holes: none in {len(locked())} locked packages (pip-audit)")
        return
    found = {name: known_holes(name, version) for name, version in locked().items()}
    asked = {name: holes for name, holes in found.items() if holes is not None}
    assert not any(asked.values()), asked
    figure(f"known holes: none in {len(asked)} of {len(found)} locked packages (PyPI's pages)")
    if not asked:
        pytest.skip("neither pip-audit's service nor PyPI can be reached")


def known_holes(name: str, version: str) -> list[str] | None:
    """What PyPI knows of a release: mirrors may have the page of the newest one only."""
    for page in (f"{name}/{version}", name):
        try:
            with urlopen(f"https://pypi.org/pypi/{page}/json", timeout=10) as answer:
                found = json.load(answer)
        except OSError:
            continue
        if found["info"]["version"] == version:
            return [hole["id"] for hole in found["vulnerabilities"]]
    return None


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
