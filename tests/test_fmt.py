"""The one layout of a spec: what it does, and that it changes nothing that is said."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import nets

import cnndsl
from cnndsl.cli import main
from cnndsl.fmt import formatted
from cnndsl.fmt.annotate import annotated
from cnndsl.fmt.tree import COMMENT, lexemes
from cnndsl.fmt.unroll import unrolled
from cnndsl.passes.analyse import analyse
from cnndsl.source import Failed, Source

SPECS = sorted((Path(__file__).parents[1] / "specs").glob("*.cnn"))


def fmt(text: str) -> str:
    return formatted(Source(text))


LAYOUTS = {
    "spaces": ("conv   64\t3x3  same;relu ;  pool 2", "conv 64 3x3 same; relu; pool 2\n"),
    "blank lines": ("\n\nrelu\n\n\n\nrelu\n\n", "relu\n\nrelu\n"),
    "sums in items are tight": ("conv c + 1 ( k - 2 )", "conv c+1 (k-2)\n"),
    "products are tight": ("let a = 2 * b // ( c % 3 )", "let a = 2*b//(c%3)\n"),
    "sums in values are spaced": ("let a=b+c-1", "let a = b + c - 1\n"),
    "signs": ("conv 3 a=-1; let b = - c", "conv 3 a=-1; let b = -c\n"),
    "conditions": ("relu if a+1>b and not c", "relu  if a + 1 > b and not c\n"),
    "strides and repeats": ("conv 8 3 /2  *3", "conv 8 3 /2 *3\n"),
    "keys": ("conv 8 3 pad = 1 stride= 2", "conv 8 3 pad=1 stride=2\n"),
    "calls": ("let a = min( b ,c )", "let a = min(b, c)\n"),
    "parameters": ("block b (c,d = 1){relu}", "block b(c, d=1) { relu }\n"),
    "labels": ("e1 : relu; add  e1", "e1: relu; add e1\n"),
    "groups": ("add{a|b;c}relu", "add { a | b; c } relu\n"),
    "empty branches": ("add { a | }", "add { a | }\n"),
    "empty groups": ("block b { }", "block b { }\n"),
    "broken groups": ("add { a\n| b\nc } relu", "add {\n  a\n|\n  b\n  c\n} relu\n"),
    "branches of one line": ("add {\na;b\n|\n c;d\n}", "add {\n  a; b\n| c; d\n}\n"),
    "a brace below": ("block b\n{\nrelu\n}", "block b {\n  relu\n}\n"),
    "else below": ("if a { b }\nelse { c }", "if a { b } else { c }\n"),
    "else if": ("if a {\nb\n}\nelse if c { d }", "if a {\n  b\n} else if c {\n  d\n}\n"),
    "comments": ("#one\nrelu  #two\n\n  # three", "# one\nrelu  # two\n\n# three\n"),
    "comments in groups": (
        "add { # a\nb # c\n| # d\ne\n} # f", "add {  # a\n  b    # c\n|      # d\n  e\n}  # f\n",
    ),
    "comments before a brace": ("block b # c\n{ relu }", "block b { relu }  # c\n"),
    "comments are aligned": ("relu # a\ndropout 0.5 # b", "relu         # a\ndropout 0.5  # b\n"),
    "numbers are aligned": (
        "stage 6 24 2 /2\nstage 6 160 13 /2\nstage 6 320",
        "stage 6  24 2 /2\nstage 6 160 13 /2\nstage 6 320\n",
    ),
    "columns end where they differ": ("conv 8 k=3\nconv 16 3", "conv  8 k=3\nconv 16 3\n"),
    "empty lines part tables": ("conv 8 3\n\nconv 16 3", "conv 8 3\n\nconv 16 3\n"),
    "products are no columns": ("conv 4*c 1\nconv 16 1", "conv 4*c 1\nconv 16 1\n"),
    "texts": ('use   "a  b.cnn"', 'use "a  b.cnn"\n'),
    "nothing": ("", ""),
    "settings": ("train{epochs 10;batch 8}", "train { epochs 10; batch 8 }\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout(name: str) -> None:
    before, after = LAYOUTS[name]
    assert fmt(before) == after
    assert fmt(after) == after


def test_long_lines_are_broken_at_groups_and_separators() -> None:
    branch = "conv 64 3x3 same bn relu; " * 3
    long = fmt(f"add {{ {branch} | {branch} }} relu")
    assert long.splitlines()[0] == "add {"
    assert max(map(len, long.splitlines())) <= 100
    joined = fmt("; ".join(["conv 64 3x3 same bn relu"] * 9))
    assert [len(line) <= 100 for line in joined.splitlines()] == [True] * 3


def test_what_does_not_parse_is_not_touched() -> None:
    with pytest.raises(Failed):
        fmt("conv 64 3x\nrelu")


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_the_specs_have_the_layout(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert fmt(text) == text


# Nothing that is said changes


def untidied(text: str, draw: st.DrawFn) -> str:
    """The same statements with other spaces, line breaks and comments."""
    spaces = draw(st.sampled_from(["  ", " \t "]))
    ends = draw(st.sampled_from(["\n", "\n\n\n", "  # a comment\n", "\n#b\n", "\r\n"]))
    out = text.replace("; ", draw(st.sampled_from(["; ", ";", " ; ", ends])))
    return spaces.join(out.replace("\n", ends).split("  "))


@st.composite
def messy(draw: st.DrawFn) -> tuple[str, str]:
    text = draw(nets())
    return text, untidied(text, draw)


def comments(text: str) -> list[str]:
    return [x.text.lstrip("# ") for x in lexemes(Source(text)) if x.kind == COMMENT]


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(messy())
def test_layout_is_idempotent_and_keeps_everything(texts: tuple[str, str]) -> None:
    clean, other = texts
    neat = fmt(other.replace("\r\n", "\n"))
    assert fmt(neat) == neat
    assert comments(neat) == comments(other.replace("\r\n", "\n"))
    assert cnndsl.parse(neat).params == cnndsl.parse(clean).params


def test_a_comment_that_silences_a_line_stays_on_it() -> None:
    long = "conv 32 5x5 same relu; " * 5
    silent = "# cnn: ignore[W503]: as published"
    for line in (f"{long}pool 2  {silent}", f"residual {{ {long}relu }} relu  {silent}"):
        assert fmt(f"input 3x32x32\n{line}\ndense 10") == f"input 3x32x32\n{line}\ndense 10\n"


def test_columns_never_make_a_line_too_long() -> None:
    full = "dense 8" + "; relu" * 14 + "; id" * 2
    assert 97 < len(full) <= 100
    neat = fmt(f"input 3\n{full}\ndense 1024\n")
    assert neat == f"input 3\n{full}\ndense 1024\n"


# Shapes as comments


def test_a_line_that_does_not_run_any_more_loses_its_shape() -> None:
    text = "input 8\nlet k = 3  # 2015\ndense k  if k > 3  # 4\ndense 2  # 3x3, mine\n"
    model, _ = analyse(source := Source(text))
    assert model is not None
    neat = "input 8  # 8\nlet k = 3  # 2015\ndense k  if k > 3\ndense 2  # 3x3, mine\n"
    assert annotated(source, model) == fmt(neat)


def test_shapes_are_written_behind_the_lines() -> None:
    text = """input 3x32x32
block unit(c) {
  conv c 3x3 same relu  # mine
  pool 2
}
unit 8; unit 16  # 9x9x9
flatten
dense 10
"""
    model, _ = analyse(source := Source(text))
    assert model is not None
    shown = annotated(source, model)
    assert (
        shown
        == """input 3x32x32  # 3x32x32
block unit(c) {
  conv c 3x3 same relu  # mine
  pool 2                # 8x16x16, 16x8x8
}
unit 8; unit 16  # 16x8x8
flatten          # 1024
dense 10         # 10
"""
    )
    again = Source(shown)
    assert annotated(again, analyse(again)[0]) == shown  # pyright: ignore[reportArgumentType]


# Unrolled


def test_blocks_and_repeats_are_written_out() -> None:
    text = """input 3x8x8
block a(c) { conv c 3x3 same bn relu; residual { conv c 3x3 same } relu }
a 4; conv 4 1x1 relu *2
gap; dense 10
train { epochs 3 }
"""
    model, _ = analyse(Source(text))
    assert model is not None
    assert (
        unrolled(model)
        == """input 3x8x8
t1: conv 4 3x3 same nobias bn relu
conv 4 3x3 same
add t1 relu
conv 4 1x1 relu
conv 4 1x1 relu
gap
dense 10
train { epochs 3 }
"""
    )


def same_network(a: str, b: str) -> bool:
    """Equal layers, inputs, shapes and costs, outputs in the same order, the same recipe."""
    x, y = (cnndsl.parse(t).ir for t in (a, b))
    left, right = ([(n.shape, n.size, n.macs) for n in m.nodes] for m in (x, y))
    outputs = [list(m.outputs.items()) for m in (x, y)]
    return left == right and outputs[0] == outputs[1] and x.recipe == y.recipe


@pytest.mark.parametrize(
    "ending",
    [
        "b: conv 4 1x1; gap; dense 3; from a",
        "conv 4 1x1; output output; gap; dense 3; output aux",
        "b: gap; dense 3; output logits; output a",
        "conv 4 1x1; output one; output output",
        "output aux { gap; dense 3 }; gap; dense 3; output main; output a",
        "gap; dense 3; from a; output features; gap",
        "gap; dense k; train { }",
        """gap; dense k
        train { data "if"; epochs k; batch 2 if k > 3; optimizer sgd lr=k/10; augment flip }""",
    ],
)
def test_what_a_spec_ends_with_and_its_recipe_stay(ending: str) -> None:
    text = f"input 3x8x8; let k = 3; a: conv 4 3x3 same relu; {ending}"
    model, _ = analyse(Source(text))
    assert model is not None
    assert same_network(text, unrolled(model))


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_the_specs_unrolled_are_the_same_networks(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    model, _ = analyse(Source(text))
    assert model is not None
    assert same_network(text, unrolled(model))


@pytest.mark.slow
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(nets())
def test_nets_unrolled_are_the_same_networks(text: str) -> None:
    model, _ = analyse(Source(text))
    assert model is not None
    assert same_network(text, unrolled(model))


# The command


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(["fmt", *arguments])
    return int(left.value.code or 0)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "m.cnn"
    file.write_text("input 3x8x8;  gap;dense 10\n")
    assert run("--check", str(file)) == 1
    assert run("--diff", str(file)) == 1
    assert "+input 3x8x8; gap; dense 10\n" in capsys.readouterr().out
    assert run(str(file)) == 0
    assert file.read_text() == "input 3x8x8; gap; dense 10\n"
    assert run("--check", str(file)) == 0
    file.write_text("input 3x8x8; dense 10")
    assert run("--annotate", str(file)) == 1
    assert file.read_text() == "input 3x8x8; dense 10"
    file.write_text("cnov ( 3")
    assert run(str(file)) == 1
    assert run(str(tmp_path / "none.cnn")) == 2
