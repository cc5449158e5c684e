"""The wheel is whole: grammar, specs and pages travel inside it."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from cnndsl.web.page import STATIC

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parent.parent


def python(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=300, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    python("-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(CHECKOUT))
    (found,) = folder.glob("cnndsl-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("site")
    pip = ("-m", "pip", "install", "--no-deps", "--no-index", "--target", str(folder), str(wheel))
    python(*pip)
    return folder


def elsewhere(installed: Path) -> dict[str, object]:
    """Runs in another folder; the wheel before the environment's dependencies, no `.pth` files."""
    path = os.pathsep.join([str(installed), sysconfig.get_path("purelib")])
    return {"cwd": installed.parent, "env": {"PYTHONPATH": path, "PATH": os.environ["PATH"]}}


def test_grammar_and_specs_are_inside(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    specs = {f"cnndsl/specs/{path.name}" for path in (CHECKOUT / "specs").glob("*.cnn")}
    assert specs
    assert {"cnndsl/grammar/cnn.lark", *specs} <= names
    pages = (CHECKOUT / "cnndsl/pages").glob("*.md")
    assert {f"cnndsl/pages/{page.name}" for page in pages} <= names
    assert {f"cnndsl/web/static/{name}" for name in STATIC} <= names
    assert not any(name.startswith(("tests/", "docs/", "benchmarks/")) for name in names)


def test_a_spec_from_the_wheel_is_checked_by_the_wheel(installed: Path) -> None:
    specs = sorted(str(path) for path in (installed / "cnndsl/specs").glob("*.cnn"))
    run = elsewhere(installed)
    where = python("-S", "-c", "import cnndsl; print(cnndsl.__file__)", **run).stdout.strip()
    assert where == str(installed / "cnndsl/__init__.py")
    shown = python("-S", "-m", "cnndsl", "check", *specs, **run).stdout
    assert shown.count(": ok · ") == len(specs)


def test_the_wheel_compiles_a_spec(installed: Path, tmp_path: Path) -> None:
    spec, out = installed / "cnndsl/specs/cifar10.cnn", tmp_path / "m.onnx"
    python("-S", "-m", "cnndsl", "compile", str(spec), "-o", str(out), **elsewhere(installed))
    assert out.stat().st_size > 1_000_000
