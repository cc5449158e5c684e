"""Broken specs: whatever the text, diagnostics with page and place, soon and in little memory."""

import json
import sys
from pathlib import Path
from random import Random

import mutate
import pytest
from budget import Figure, count
from processes import cnndsl, run

PROGRAM = str(Path(__file__).with_name("fuzz_specs.py"))
KINDS = {
    ("tokens", 1): count(200, 25_000),  # in two, for two workers
    ("tokens", 2): count(200, 25_000),
    ("bytes", 1): count(200, 25_000),
    ("grammar", 1): count(200, 25_000),
    ("files", 1): count(200, 10_000),
}


@pytest.mark.parametrize(("kind", "seed"), KINDS)
def test_broken_specs_are_explained(kind: str, seed: int, tmp_path: Path, figure: Figure) -> None:
    arguments = (kind, seed, KINDS[kind, seed], tmp_path)
    ended = run([sys.executable, PROGRAM, *map(str, arguments)])
    assert ended.code == 0, ended.err
    said = json.loads(ended.out)
    figure(
        f"broken specs by {kind} ({seed}): {said['count']:,} inputs, "
        f"{len(said['problems'])} problems, {len(said['codes'])} codes, "
        f"slowest {said['slowest']:.2f} s of the processor, peak {ended.peak:.0f} MB"
    )
    assert said["problems"] == []
    assert said["slowest"] < 2
    assert ended.peak < 300


def test_the_command_line_on_broken_specs(tmp_path: Path, figure: Figure) -> None:
    rng, codes = Random(5), list[int]()
    makers = (mutate.by_bytes, mutate.random_bytes, lambda r: mutate.by_tokens(r).encode())
    for i in range(count(6, 300)):
        path = tmp_path / "broken.cnn"
        path.write_bytes(makers[i % len(makers)](rng))
        ended = cnndsl("check", "-", stdin=path.read_bytes()) if i % 2 else cnndsl("check", path)
        codes.append(ended.code)
        assert ended.code in (0, 1, 2), ended.err
        assert "Traceback" not in ended.err
        assert (ended.code == 1) == ("error[" in ended.out)
    shown = ", ".join(f"{codes.count(code)} x {code}" for code in sorted(set(codes)))
    figure(f"broken specs through the command line: {len(codes)} runs, exit codes {shown}")
