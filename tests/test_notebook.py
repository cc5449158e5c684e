"""What Jupyter shows: the `%%cnn` cell, models, summaries, diagnostics, training."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import cnndsl
from cnndsl.report.html import Findings, History

interactiveshell = pytest.importorskip("IPython.core.interactiveshell")

SPEC = "input 3x8x8\nlet width = 4\nconv width 3x3 same relu\ngap; dense 5\n"


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    made = interactiveshell.InteractiveShell()
    made.extension_manager.load_extension("cnndsl")
    yield made
    made.history_manager.end_session()


def well_formed(html: str) -> None:
    ElementTree.fromstring(f"<div>{html}</div>")


def test_a_cell_is_a_model(shell: Any) -> None:
    shown = shell.run_cell_magic("cnn", "small --set width=16", SPEC)
    assert shell.user_ns["small"] is shown
    assert shown.params == cnndsl.parse(SPEC, width=16).params
    assert shell.run_cell_magic("cnn", "", SPEC) is shell.user_ns["model"]


def test_a_mistake_stops_the_notebook_and_unbinds_the_name(shell: Any, capsys: Any) -> None:
    shell.run_cell_magic("cnn", "small", SPEC)
    ran = shell.run_cell(f"%%cnn small\n{SPEC.replace('conv', 'cnov')}")
    assert isinstance(ran.error_in_exec, cnndsl.Failed)
    assert "small" not in shell.user_ns
    shown = capsys.readouterr().out
    assert "small:3:1: error[E101]" in shown
    assert "^^^^" in shown
    assert "Traceback" not in shown


def test_a_wrong_line_says_how_it_is_written(shell: Any) -> None:
    with pytest.raises(cnndsl.UserError, match="write %%cnn NAME --set k=16"):
        shell.run_cell_magic("cnn", "small --width 3", SPEC)
    with pytest.raises(cnndsl.UserError, match="did you mean `width`"):
        shell.run_cell_magic("cnn", "--set wdith=3", SPEC)


def test_a_cell_uses_files_beside_the_notebook(
    shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("parts.cnn").write_text("block cell(c) { conv c 3x3 pad relu }\n")
    text = 'use "parts.cnn"\ninput 3x8x8\ncell 4; gap; dense 5\n'
    assert shell.run_cell_magic("cnn", "net", text).params == cnndsl.parse(SPEC).params


def test_a_model_shows_rows_totals_and_its_diagram() -> None:
    html = cnndsl.parse(SPEC)._repr_html_()
    well_formed(html)
    assert "137 parameters" in html
    assert "<svg" in html
    assert re.search(r"linear-gradient\(to left,#2a9fb555 100.0%", html)  # the largest: conv


def test_what_specs_say_is_text_in_html() -> None:
    found = cnndsl.check("input 3x8x8\n<script>alert(1)</script>\n")
    html = found._repr_html_()
    well_formed(html)
    assert "<script>" not in html
    assert isinstance(found, Findings)
    assert cnndsl.check(SPEC)._repr_html_() == "<div>no mistakes</div>"


def test_training_shows_its_curves_and_rows() -> None:
    rows = History(
        {"epoch": i, "loss": 1 / i, "accuracy": 0.5, "val_loss": 1 / i, "val_accuracy": 0.4}
        for i in (1, 2, 3)
    )
    html = rows._repr_html_()
    assert html.count("<tr>") == 4
    assert "0.333333" in html
    assert 'src="data:image/png;base64,' in html
    well_formed(html.replace("<img", "<img ").replace('">', '"/>', 1))
    assert History([])._repr_html_().count("<tr>") == 1
