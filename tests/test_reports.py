"""What `summary`, `diff`, `init` and `completion` print."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import cnndsl
from cnndsl import style as styles
from cnndsl.cli import main
from cnndsl.report import changes
from cnndsl.report.summary import Summary, summarise
from cnndsl.report.table import bar, table
from cnndsl.report.units import mib

SPECS = Path(__file__).parents[1] / "specs"
SMALL = "input 3x8x8\nconv 4 3x3 same relu; pool 2\nflatten; dense 5\n"


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    return int(left.value.code or 0)


def summary(name: str) -> Summary:
    return summarise(cnndsl.load(SPECS / f"{name}.cnn").ir)


# summary


@pytest.mark.parametrize("by", ["layer", "block", "type"])
def test_rows_add_up_however_they_are_cut(by: Any) -> None:
    whole = summary("resnet50")
    cut = whole.by(by)
    for cost in ("params", "statistics", "macs", "memory"):
        assert sum(getattr(r, cost) for r in cut.rows) == sum(getattr(r, cost) for r in whole.rows)
    assert sum(r.params for r in cut.rows) == 25_557_032
    assert len(cut.rows) == {"layer": 125, "block": 21, "type": 6}[by]


def test_sorting_puts_the_most_expensive_first() -> None:
    rows = summary("vgg16").sorted_by("params").rows
    assert rows[0].text == "dense 4096 relu"
    assert rows[0].params == 102_764_544
    rows = summary("vgg16").sorted_by("macs").rows
    assert [r.macs for r in rows] == sorted((r.macs for r in rows), reverse=True)


def test_bars_are_shares_in_halves() -> None:
    assert bar(8, 8) == "━━━━━━━━"
    assert bar(4, 8) == "━━━━····"
    assert bar(5, 16) == "━━╸·····"
    assert bar(1, 10_000) == "╸·······"  # something is more than nothing
    assert bar(0, 8) == bar(0, 0) == "········"


def printed(bars: bool, **how: Any) -> str:
    console = Console(width=120, color_system=None, **how)
    with console.capture() as captured:
        console.print(table(summarise(cnndsl.parse(SMALL).ir), bars))
    return captured.get()


def test_bars_add_a_column_for_memory() -> None:
    assert "·····" not in printed(False)
    lines = printed(True).splitlines()
    (dense,) = [line for line in lines if "dense" in line]
    (conv,) = [line for line in lines if "conv" in line]
    assert "325 ━━━━━━━━" in dense
    assert "112 ━━━·" in conv
    assert "2.0 KiB ━━━━━━━━" in conv  # conv and relu


def test_sizes_have_their_unit() -> None:
    assert [mib(n) for n in (40, 2048, 3 << 20)] == ["40 B", "2.0 KiB", "3.0 MiB"]


def test_the_command_sorts_and_cuts(capsys: pytest.CaptureFixture[str]) -> None:
    spec = str(SPECS / "resnet18.cnn")
    assert run("summary", spec, "--by", "type", "--sort", "params", "--json") == 0
    rows = json.loads(capsys.readouterr().out)["layers"]
    assert [row["type"] for row in rows][:2] == ["conv", "dense"]
    assert run("summary", spec, "--bars") == 0
    assert "·····" in capsys.readouterr().out


# diff


def test_what_changed_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = tmp_path / "a.cnn", tmp_path / "b.cnn"
    a.write_text(SMALL)
    b.write_text(SMALL.replace("4 3x3 same", "8 3x3 same").replace("flatten;", "dropout 0.5; gap;"))
    assert run("diff", str(a), str(a)) == 0
    assert capsys.readouterr().out.startswith("the same network\n")
    assert run("diff", str(a), str(b)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [
        ["-", "conv_1"], ["+", "conv_1"], ["~", "pool_1"],
    ]  # fmt: skip
    assert "4x4x4 → 8x4x4" in lines[2]
    assert any(line.startswith("+ dropout_1") for line in lines)
    assert lines[-3].startswith("parameters        437 → 269 (-38.4%)")
    assert run("diff", str(a), str(b), "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["params"] == {"before": 437, "after": 269}
    assert found["outputs"]["after"] == {"output": [5]}


PLAIN = "input 3x8x8\na: conv 4 3x3 same\nb: conv 4 1x1\nadd a\ngap; dense 5\n"
OTHERS = {
    "a value from a let": ("let p = 0.5\ninput 8\ndropout p", "let p = 0.1\ninput 8\ndropout p"),
    "a default": ("default conv pad /2\ninput 3x8x8\nconv 4 3x3", "default conv same /2\n"
                  "input 3x8x8\nconv 4 3x3"),
    "another label": (PLAIN, PLAIN.replace("a: ", "").replace("b: ", "a: ")),
    "another output": (PLAIN, PLAIN.replace("add a", "output a\nadd a")),
}  # fmt: skip


@pytest.mark.parametrize("pair", OTHERS.values(), ids=OTHERS)
def test_what_the_lines_do_not_show_is_a_difference(tmp_path: Path, pair: tuple[str, str]) -> None:
    a, b = tmp_path / "a.cnn", tmp_path / "b.cnn"
    a.write_text(pair[0].replace("add a\ngap; dense 5\nadd a", "add a\ngap; dense 5"))
    b.write_text(pair[1].replace("add a\ngap; dense 5\nadd a", "add a\ngap; dense 5"))
    assert run("diff", str(a), str(b)) == 1


def test_the_same_network_in_other_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = tmp_path / "a.cnn", tmp_path / "b.cnn"
    a.write_text("let c = 8\ninput 3x8x8\nconv c 3 same relu")
    b.write_text("input 3x8x8\nconv 8 3x3 same relu")
    assert run("diff", str(a), str(b)) == 0
    assert "the same network, written in another way" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["compile", "graph"])
def test_no_command_writes_over_what_it_reads(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "net.svg"
    file.write_text(PLAIN)
    assert run(command, str(file), "-o", str(tmp_path / "." / "net.svg")) == 2
    assert "is used by this command besides" in capsys.readouterr().err
    assert file.read_text() == PLAIN


def test_settings_hold_for_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.cnn"
    file.write_text("input 3x8x8\nlet k = 4\nconv k 3x3 relu; gap; dense 5\n")
    assert run("diff", str(file), str(file), "--set", "k=9") == 0
    assert "parameters        302, the same" in capsys.readouterr().out


# init


def test_templates_are_the_published_nets(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("init", "--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} == {path.stem for path in SPECS.glob("*.cnn")}
    assert next(line for line in lines if line.startswith("resnet20 ")).split(maxsplit=1)[1]


def test_every_change_is_told_beside_others() -> None:
    text = "input 3x8x8; let p = 0.1; a: conv 8 3x3 same relu dropout p; b: relu; relu; add a; {}"
    one = cnndsl.parse(text.format("gap; dense 10")).ir
    other = cnndsl.parse(text.replace("add a", "add b").format("gap; dense 12"), p=0.3).ir
    told = changes.as_text(one, other, styles.PLAIN)
    assert "- dense_1" in told
    assert re.search(r"^- a\.dropout_1 +dropout 0\.1 ", told, re.MULTILINE)
    assert re.search(r"^\+ a\.dropout_1 +dropout 0\.3 ", told, re.MULTILINE)
    assert "add of relu_1, a" in told.replace("a.dropout_1", "a")
    found = changes.as_dict(one, other)["changes"]
    assert {"dense_1", "add_1"} <= {c["after"]["path"] for c in found}
    larger = cnndsl.parse(text.replace("3x8x8", "3x9x9").format("gap; dense 10")).ir
    assert "3x8x8 → 3x9x9" in changes.as_text(one, larger, styles.PLAIN)
    assert changes.as_dict(one, larger)["input"] == {"before": [3, 8, 8], "after": [3, 9, 9]}


def test_a_template_is_a_file_to_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("init", "resnet20") == 0
    assert run("check", "resnet20.cnn") == 0
    assert run("init", "resnet20") == 2
    assert "is there already" in capsys.readouterr().err
    assert run("init", "resnet20", "--force") == 0
    assert run("init", "mnist", "-o", "my.cnn") == 0
    assert (tmp_path / "my.cnn").read_bytes() == (SPECS / "mnist.cnn").read_bytes()
    assert run("init", "resnet21") == 2
    assert "did you mean `resnet20`?" in capsys.readouterr().err


# completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("completion", shell) == 0
    assert f"_CNNDSL_COMPLETE={shell}_complete" in capsys.readouterr().out


def test_completion_without_a_known_shell_tells_how(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    assert run("completion") == 2
    assert 'eval "$(cnndsl completion bash)"' in capsys.readouterr().err


def test_a_shell_asks_and_is_answered(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_CNNDSL_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "cnndsl summary --so")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert run() == 0
    assert capsys.readouterr().out.split() == ["plain,--sort"]
