"""What is printed: it fits its schemas, survives pipes and small terminals, and points rightly."""

import json
import shlex
import sys
from pathlib import Path
from random import Random
from typing import Any
from unicodedata import combining, east_asian_width

import mutate
import pytest
from budget import Figure, count
from jsonschema import Draft202012Validator
from processes import ROOT, Ended, cnndsl, run

import cnndsl as package
from cnndsl.report.diagnostics import as_json, full, sarif
from cnndsl.source import Diagnostic
from cnndsl.style import PLAIN, Style


def validator(path: Path) -> Draft202012Validator:
    schema = json.loads(path.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


JSON = validator(ROOT / "docs" / "diagnostics.schema.json")
SARIF = validator(Path(__file__).with_name("sarif-essentials.schema.json"))


def failing(number: int) -> list[list[Diagnostic]]:
    """What is said of so many broken specs."""
    rng, found = Random(11), list[list[Diagnostic]]()
    while len(found) < number:
        text = mutate.by_grammar(rng) if rng.random() < 0.3 else mutate.by_tokens(rng)
        said = package.check(text)
        found += [said] if said else []
    return found


def test_json_and_sarif_fit_their_schemas(figure: Figure) -> None:
    said = failing(count(100, 1000))
    for found in said:
        JSON.validate(json.loads(as_json(found, PLAIN)))
        log: dict[str, Any] = json.loads(sarif(found, PLAIN))
        SARIF.validate(log)
        rules = log["runs"][0]["tool"]["driver"]["rules"]
        for result in log["runs"][0]["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    figure(f"output: json and sarif of {len(said):,} failing specs fit their schemas")


def test_the_schemas_refuse_what_is_wrong() -> None:
    found = package.check("input 3x8x8\ncnov 3")
    good = json.loads(as_json(found, PLAIN))
    assert JSON.is_valid(good)
    assert not JSON.is_valid([{**good[0], "line": 0}])
    assert not JSON.is_valid([{**good[0], "more": 1}])
    log = json.loads(sarif(found, PLAIN))
    log["runs"][0]["results"][0]["level"] = "fatal"
    assert not SARIF.is_valid(log)


WIDE = 'input 3x8x8\nconv 8 3x3 # 卷积网络\nrelu "卷积/网络\u0301"; cnov 8 3x3  # 畳み込み 💩\n'


def columns(text: str) -> int:
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def test_carets_stand_under_their_characters() -> None:
    (found,) = [d for d in package.check(WIDE) if d.code == "E101"]
    for width in (20, 30, 80, 160):
        header, line, carets, *_ = full([found], Style(False, width)).splitlines()
        assert header.startswith("<text>:3:16: error[E101]")
        before = carets[: carets.index("^")]
        at = next(i for i in range(len(line)) if columns(line[:i]) == columns(before))
        assert line[at:].lstrip("\u0301").startswith("cnov")
        assert carets.count("^") == columns("cnov")
        assert max(columns(line), columns(carets)) <= max(width, 30)


def test_lines_of_broken_specs_are_never_wider_than_the_terminal() -> None:
    for found in failing(count(40, 400)):
        for d in found:
            _, line, carets, *_ = full([d], Style(False, 40)).splitlines()
            assert max(columns(line), columns(carets)) <= 40


PLACES: dict[str, dict[str, str]] = {
    "NO_COLOR": {"NO_COLOR": "1"},
    "dumb": {"TERM": "dumb"},
    "C": {"LANG": "C", "LC_ALL": "C"},
    "POSIX": {"LC_ALL": "POSIX"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "latin1": {"PYTHONIOENCODING": "latin-1"},
    "20 columns": {"COLUMNS": "20"},
    "1 column": {"COLUMNS": "1"},
}


@pytest.mark.parametrize("name", PLACES)
def test_every_place_shows_the_message(name: str, tmp_path: Path) -> None:
    (tmp_path / "wide.cnn").write_text(WIDE, encoding="utf-8")
    ended = cnndsl("check", "wide.cnn", env=PLACES[name], cwd=tmp_path)
    assert ended.code == 1, ended.err
    assert "error[E101]" in ended.out
    assert "\x1b" not in ended.out
    assert ended.err == ""


def piped(command: str, folder: Path) -> Ended:
    return run(["/bin/bash", "-c", f"set -o pipefail; {command}"], cwd=folder)


@pytest.mark.parametrize("form", ["full", "concise", "json", "sarif", "github"])
def test_a_reader_that_leaves_early(form: str, tmp_path: Path, figure: Figure) -> None:
    lines = "".join(f"cnov{i % 10} {'x' * 60} 3x3\n" for i in range(2000))
    (tmp_path / "bad.cnn").write_text("input 3x8x8\n" + lines)
    python = shlex.quote(sys.executable)
    ended = piped(f"{python} -m cnndsl check bad.cnn --output-format {form} | head -1", tmp_path)
    assert ended.err == ""
    assert len(ended.out.splitlines()) == 1
    assert ended.code in (0, 1)
    figure(f"| head -1 of {form}: exit code {ended.code}, nothing on stderr")
