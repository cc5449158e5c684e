"""What the documentation shows is true: examples, outputs, tables, commands, options, links."""

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from documents import (
    FENCE,
    PAGES,
    ROOT,
    TABLE,
    commands,
    diagrams,
    fences,
    flags,
    is_quick,
    lay_out,
    limit_codes,
    pattern,
    said,
    sessions,
    with_tables,
)

import cnndsl
from cnndsl import limits
from cnndsl.cli import ALIASES
from cnndsl.lints import inspect
from cnndsl.lower.conv.table import algorithms
from cnndsl.lower.layout import Layout
from cnndsl.passes.analyse import analyse
from cnndsl.passes.includes import read
from cnndsl.report.manual import codes

NAMES = [page.name for page in PAGES]
DOCS = ROOT / "docs"
CLI = (DOCS / "cli.md").read_text(encoding="utf-8")
ALL = [*PAGES, ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md"]
EXTERNAL = {"build", "jq", "pip", "python", "venv", "apt-get", "make", "head"}


def page(name: str) -> Path:
    """A page by its file name."""
    return PAGES[NAMES.index(name)]


@pytest.fixture
def here(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder as the current one, with `specs` and the files of the page."""
    lay_out(page(request.getfixturevalue("name")), tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    return tmp_path


def alone(*arguments: str) -> str:
    """What a Python process of its own prints; it must succeed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"
    return done.stdout


# Specs


@pytest.mark.parametrize("name", NAMES)
def test_specs_are_right_or_wrong_as_they_say(name: str, here: Path):
    for fence in fences(page(name), "cnn"):
        if fence.info.startswith("part"):
            continue  # included by another
        file = here / "example.cnn"
        file.write_text(fence.text, encoding="utf-8")
        wrong = fence.info.startswith("wrong") or name == "mistakes.md"
        model, found = (inspect if wrong else analyse)(read(file))
        assert (found != []) == wrong, f"line {fence.line}: {[d.message for d in found]}"
        assert (model is None) <= wrong


# Console blocks


@pytest.mark.parametrize("name", NAMES)
def test_quick_commands_print_what_is_shown(name: str, here: Path):
    for fence in fences(page(name), "console"):
        for command, shown in sessions(fence.text):
            if is_quick(command) and shown:
                printed = said(command)
                assert pattern(shown).fullmatch(printed), f"line {fence.line}:\n{printed}"


@pytest.mark.parametrize("name", NAMES)
def test_commands_and_their_options_exist(name: str):
    for fence in fences(page(name), "console"):
        for line, _ in sessions(fence.text):
            words = line.split()
            if words[0] != "cnndsl":
                assert words[0] in EXTERNAL
                continue
            assert words[1] in {*commands(), *ALIASES}
            assert {w.partition("=")[0] for w in words[2:] if w.startswith("-")} <= flags()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tutorial.md"])
def test_the_tutorial_can_be_followed(name: str, here: Path):
    from PIL import Image

    from cnndsl.data.formats import shapes

    Image.fromarray(shapes.load().test.x[0].transpose(1, 2, 0)).save("picture.png")
    for fence in fences(page(name), "console", "python"):
        if fence.info == "followed":
            assert alone("-c", fence.text).strip() in shapes.load().classes
        for command, _ in sessions(fence.text):
            if not is_quick(command) and "cifar" not in command:
                alone("-m", *command.split())
    assert (here / "run" / "results.png").exists()


# Python blocks


@pytest.mark.parametrize("name", NAMES)
def test_python_compiles(name: str):
    for fence in fences(page(name), "python"):
        compile(fence.text, f"{name}:{fence.line}", "exec")


@pytest.mark.parametrize("name", NAMES)
def test_quick_python_runs(name: str, here: Path):
    for fence in fences(page(name), "python"):
        if fence.info == "":
            exec(compile(fence.text, f"{name}:{fence.line}", "exec"), {})


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_slow_python_runs(name: str, here: Path):
    for fence in fences(page(name), "python"):
        if fence.info == "slow":
            alone("-c", fence.text)


@pytest.mark.parametrize("path", list(DOCS.rglob("*.py")), ids=lambda p: p.name)
def test_programs_compile(path: Path):
    compile(path.read_text(encoding="utf-8"), str(path), "exec")


def test_weights_of_a_step_are_turned_back_as_training_md_says():
    block = next(f for f in fences(page("training.md"), "python") if "onnx_layout" in f.text)
    names: dict[str, Any] = {}
    exec(block.text, names)
    layout = Layout((6, 2, 3, 3), (2, 3, 2, 3, 3), (0, 3, 4, 2, 1), (2, 18, 3))
    array = np.arange(108.0).reshape(6, 2, 3, 3)
    entry = {"shape": layout.shape, "split": layout.split, "perm": layout.perm}
    assert np.array_equal(names["onnx_layout"](layout.to_packed(array), entry), array)


def test_algorithms_of_training_md_are_those_that_exist():
    text = (DOCS / "training.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+) \| [^|]+ \| [^|]+ \|$", text, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z0-9-]+)`", row)}
    assert set(algorithms()) <= named


# Diagrams


def test_diagrams_are_drawn_as_they_are_now():
    drawn = diagrams()
    assert len(drawn) == 3
    for file, svg in drawn.items():
        assert file.read_text(encoding="utf-8") == svg, "run python tests/documents.py"
        assert len(svg) < 60_000


# The command line's page


def test_every_command_is_described_and_no_other():
    titles = " ".join(re.findall(r"^## (.+)$", CLI, re.MULTILINE))
    described = set(re.findall(r"\b[a-z]+\b", titles)) & {*commands(), "predict"}
    assert described == set(commands())
    named = set(re.findall(r"cnndsl ([a-z]+)", CLI))
    assert named <= {*commands(), *ALIASES}
    assert set(ALIASES) <= named


def test_every_option_is_described_and_no_other():
    text = FENCE.sub("", CLI) + "".join(f.text for f in fences(page("cli.md"), "console"))
    named = set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", text))
    assert named == flags()


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "w.cnn").write_text("input 32x32x3\nrelu\n")
    monkeypatch.chdir(tmp_path)
    assert _exit_code("check", "w.cnn") == 0
    (tmp_path / "pyproject.toml").write_text("[tool.cnndsl.check]\nstrict = true\n")
    assert _exit_code("check", "w.cnn") == 1
    monkeypatch.setenv("CNNDSL_CHECK_STRICT", "0")
    assert _exit_code("check", "w.cnn") == 0
    assert _exit_code("check", "w.cnn", "--strict") == 1


def _exit_code(*words: str) -> object:
    with pytest.raises(SystemExit) as left:
        cnndsl.cli.main(list(words))  # pyright: ignore
    return left.value.code


def test_the_configuration_of_lints_md_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (block,) = fences(page("lints.md"), "toml")
    (tmp_path / "w.cnn").write_text("input 3x32x32\nconv 32 3x3 same relu\nconv 32 5x5 same\n")
    monkeypatch.chdir(tmp_path)
    assert _exit_code("check", "w.cnn", "--strict") == 1
    (tmp_path / "pyproject.toml").write_text(block.text)
    assert _exit_code("check", "w.cnn") == 0
    assert _exit_code("check", "w.cnn", "--ignore", "W504") == 1


# Coming from


CONV2D = (  # keras.layers.Conv2D.__init__, and what every layer takes
    "filters kernel_size strides padding data_format dilation_rate groups activation use_bias "
    "kernel_initializer bias_initializer kernel_regularizer bias_regularizer "
    "activity_regularizer kernel_constraint bias_constraint input_shape name trainable dtype"
)


def test_every_parameter_of_keras_conv2d_is_translated():
    text = (DOCS / "coming-from.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)=", text, re.MULTILINE)
    assert rows[: len(CONV2D.split())] == CONV2D.split()


# Tables


@pytest.mark.parametrize("name", [n for n in NAMES if TABLE.search(page(n).read_text("utf-8"))])
def test_derived_tables_are_those_of_now(name: str):
    text = page(name).read_text(encoding="utf-8")
    assert text == with_tables(text), "write them anew: python tests/documents.py"


def test_the_house_is_the_one_that_is_enforced():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert "<!-- house all -->" in text
    assert text == with_tables(text), "write it anew: python tests/documents.py"


def test_every_limit_has_its_line():
    text = (DOCS / "limits.md").read_text(encoding="utf-8")
    assert {n for n in vars(limits) if n.isupper()} == {*limit_codes(), "ERRORS"}
    assert all(f"`{code}`" in text for code in codes() if code.startswith("E9"))


# The pages themselves


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.name)
def test_links_lead_somewhere(path: Path):
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.name)
def test_codes_and_headings(path: Path):
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"\b[EW]\d{3}\b", text)) <= set(codes())
    levels = [len(m) for m in re.findall(r"^(#+) ", FENCE.sub("", text), re.MULTILINE)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
