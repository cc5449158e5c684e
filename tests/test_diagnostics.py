"""What is said of a spec, and where: the specification of the messages."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mistakes import diagnostics_of, examples, said_of

from cnndsl.passes.analyse import analyse
from cnndsl.passes.includes import read
from cnndsl.report.diagnostics import FORMATS, full
from cnndsl.report.manual import codes
from cnndsl.source import Source
from cnndsl.style import PLAIN, Style


def spots(spec: str) -> list[str]:
    """Everything found, as `E201 3:9`."""
    return [f"{d.code} {d.span.line}:{d.span.column}" for d in diagnostics_of(spec)]


def helps(spec: str) -> list[str | None]:
    """The help of everything found."""
    return [d.help for d in diagnostics_of(spec)]


def network(*lines: str) -> str:
    """A spec whose statements start at line 2."""
    return "\n".join(["input 3x32x32", *lines])


# One spec for each code (those of includes and sizes are on the pages, see test_pages.py)

CODES = {
    "E001": ("conv 64, 3x3", "2:8"),
    "E002": ("conv 64 3x", "2:9"),
    "E003": ("add { relu", "2:5"),
    "E004": ("conv 64 3×3", "2:10"),
    "E005": ("relu; cnn 1", "2:7"),
    "E006": ("Conv2D(8, 3)", "2:1"),
    "E101": ("cnov 64 3x3", "2:1"),
    "E102": ("conv 64 3x3 smae", "2:13"),
    "E103": ("conv 64 3x3 strides=2", "2:13"),
    "E104": ("conv 64 3 3", "2:11"),
    "E105": ("conv 64", "2:1"),
    "E106": ("conv 3x3 64", "2:6"),
    "E107": ("relu; dropout 50", "2:15"),
    "E108": ("conv 64 3x3 same valid", "2:18"),
    "E109": ("relu pool 2", "2:6"),
    "E110": ("let relu = 3; relu", "2:5"),
    "E111": ("relu; add e1", "2:11"),
    "E112": ("block a { a }; a", "2:11"),
    "E113": ("conv (8/0) 3x3", "2:7"),
    "E201": ("conv 64 33x33", "2:9"),
    "E202": ("dense 10", "2:1"),
    "E203": ("add { conv 8 1x1 | id }", "2:1"),
    "E204": ("concat { conv 8 3x3 | id }", "2:1"),
    "E205": ("conv 64 3x3 groups=2", "2:13"),
    "E206": ("reshape 9", "2:9"),
    "E302": ("relu; input 3", "2:7"),
    "E304": ("output a { relu }; output a { relu }; relu", "2:27"),
    "E402": ('use "a.cnn"; relu', "2:5"),
    "E501": ("relu; train { lr 3 }", "2:15"),
    "E502": ("relu; train { if true { } }", "2:15"),
    "E503": ("relu; train { loss l }", "2:20"),
    "E504": ('gap; dense 2; train { freeze "sten*" }', "2:23"),
    "E601": ("relu; search { wdith 8 to 64 }", "2:16"),
    "E602": ("relu; search { batch 64 to 8 }", "2:22"),
    "E603": ("relu; search { keep parms < 5 }", "2:21"),
    "E604": ("relu; search { batch 8 16 if epochs > 3 }", "2:30"),
    "E605": ("relu; search { goal acc }", "2:21"),
    "E901": ("add { " * 65 + "}" * 65, "2:389"),
    "E902": ("conv 12345678901 3", "2:6"),
    "E903": ("relu *10001", "2:1"),
    "E905": ("flatten; dense 200000", "2:10"),
    "E906": ("conv 2100000 1x1", "2:1"),
}

ELSEWHERE = {"E301", "E303", "E401", "E403", "E404", "E900", "E904"}


@pytest.mark.parametrize("code", CODES)
def test_each_code_is_said_at_its_place_and_alone(code: str):
    line, place = CODES[code]
    assert spots(network(line)) == [f"{code} {place}"]


def test_codes_of_whole_files():
    assert spots("") == ["E301 1:1"]
    assert spots("conv 8 3x3\nrelu") == ["E301 1:1"]
    assert spots("input 3x32x32") == ["E303 1:1"]
    assert spots("input 32x32x3\nrelu") == ["W001 1:7"]


def test_no_code_is_without_a_case():
    """Warnings have theirs in test_lints.py."""
    assert {code for code in codes() if not code.startswith("W")} == {*CODES, *ELSEWHERE}


# The page of typical mistakes

TYPICAL = [
    "E202", "E201", "E203", "E204", "E101", "E102", "W001", "E111", "E112", "E205", "E301",
    "E005", "E001", "E003",
]  # fmt: skip


@pytest.mark.parametrize("title", examples())
def test_the_page_of_mistakes_shows_what_is_printed(title: str):
    spec, said = examples()[title]
    assert said_of(spec) == said


def test_the_page_of_mistakes_has_the_typical_ones():
    first = [diagnostics_of(spec)[0].code for spec, _ in examples().values()]
    assert first == TYPICAL


# Habits from other systems: the help says how it is written here


SIZES = "a size of two sides has numbers only, `3x1`; a variable is a square alone: `conv 8 k`"
REPEAT = "a repeat stands behind its statement: `relu *3`; several make a `block`"
HABITS = {
    "conv(64, 3)": "write `conv 64 3`: no parentheses, no commas",
    "relu()": "write `relu`: no parentheses, no commas",
    "conv 64 3x3 relu()": "write `relu` without parentheses",
    "Conv2d(3, 64, k=3)": "values follow the word without parentheses: `conv 64 3x3 same`",
    "conv 64, 3x3": "items are separated by spaces: `conv 64 3x3`",
    "conv 64 (3, 3)": "a size is one word: `3x3`",
    "conv 64 3 3": "a size is one word: `3x3`",
    "conv 3 64 3x3": "the input's channels are known, leave them out: `conv 64 3x3`",
    "conv 64 [3, 3]": "there are no brackets: sizes are `3x32x32`, branches are `add { a | b }`",
    "conv 64 3x3 / 2": "a stride or repeat has a space before and none after: `/2`, `*3`",
    "conv 64 3x3/2": "a stride or repeat has a space before and none after: `/2`, `*3`",
    "conv 64 3x3 same * 3": "a stride or repeat has a space before and none after: `/2`, `*3`",
    "conv 64 3x3 x3": "a size is one word, `3x3`; a repeat is `*3`",
    "conv 64 3xk": SIZES,
    "let k = 3; conv 64 kxk": SIZES,
    "let k = 3; conv 64 kx1": SIZES,
    "conv 64 3x3 stride 2": "a key takes its value behind `=`: `stride=2`",
    "conv 64 3x3 stride same": "a key takes its value behind `=`: `stride=2`",
    "conv 64 3x3 dilation 4": "a key takes its value behind `=`: `dilation=4`",
    "output mask cls": "write `output mask; output cls`",
    "from a b": "write `from a`",
    "conv 64 k3": "write `k=3`, or the size alone: `3`",
    "conv 64 3x3 activation=relu": "an activation is a word of its own: `conv 64 3x3 relu`",
    "conv 64 3x3 padding=1": "write `same`, `valid`, `pad` or `pad=1`",
    "conv 64 3x3 kernel_initializer=zeros": "did you mean `init`?",
    "conv 64 3x3 dilation_rate=2": "did you mean `dilation`?",
    "conv 64 3x3 use_bias=false": "write `bias` or `nobias`",
    "conv 64 3x3 dropout=0.5": "`dropout 0.5` is written without `=`: `conv … dropout 0.5`",
    "conv 64 3x3 bn=true": "`bn` is written without `=`: `conv … bn`",
    "conv 64 3x3 padding=same": "`same` is written without `=`: `conv … same`",
    "conv 64 3x3 pad=same": "`same` is a word of its own: `conv … same`",
    "upsample 2 mode=bilinear": "`bilinear` is written without `=`: `upsample … bilinear`",
    "block b(c) { conv c 3x3 }; b same": "`same` is a word of the language, no value",
    "conv 64 3x3 BatchNorm2d": "did you mean `bn`?",
    "conv 64 3x3 ReLU": "did you mean `relu`?",
    "conv 64 3x3 SAME": "did you mean `same`?",
    "conv 64 3x3 maxpool": "did you mean `; pool …`, a statement of its own?",
    "conv 64 3x3 relu 0.1": "`relu` takes no value",
    "conv 64 3x3 leaky 0.1": "`leaky` takes `alpha=…`",
    "conv 64 3x3 { relu }": "words follow without braces: `conv 64 3x3 relu`",
    "MaxPool2d 2": "did you mean `pool`?",
    "Linear 10": "did you mean `dense`?",
    "AdaptiveAvgPool2d": "did you mean `gap`?",
    "route 3": "did you mean `concat`?",
    "shortcut e1": "did you mean `add`?",
    "for i in 3 { relu }": REPEAT,
    "repeat 3 { relu }": REPEAT,
    "Sequential { relu }": "a spec is just the list of its layers, one statement a line",
    "model.fit": "a spec is the list of its layers, one statement a line: `conv 64 3x3 relu`",
    "k = 3": "a variable is `let k = …`; a value behind a word has no `=`: `k 3`",
    "let k 3": "write `let k = …`",
    "def b(c) { relu }": "did you mean `block`?",
    "block b c { relu }": "parameters stand in parentheses: `block b(c) { … }`",
    "block b(c): relu": "a body stands in braces: `block name(c) { … }`, `if ch > 3 { … }`",
    "if ch = 3 { relu }": "compare with `==`",
    "if ch > 3: relu": "a body stands in braces: `block name(c) { … }`, `if ch > 3 { … }`",
    "if ch > 3 relu": "a body stands in braces: `if ch > 3 { … } else { … }`",
    "else { relu }": "`else` follows the `}` of an `if`",
    "use blocks.cnn": 'write `use "blocks.cnn"`',
    "use 'blocks.cnn'": 'texts stand in straight double quotes on one line: `use "blocks.cnn"`',
    "// a comment": "a comment starts with `#`, a statement with a word",
    "relu /* a comment */": "a comment starts with `#`, a statement with a word",
    "-- a comment": "a comment starts with `#`, a statement with a word",
    "64 conv": "a statement starts with a word: `conv 64 3x3`",
    "e1:": "a label stands before a statement, on its line: `e1: conv 64 3x3`",
    "concat 1": "name the layer, `e1: conv 64 3x3`, and write `concat e1`: labels, not numbers",
    "add (relu, id)": "parentheses hold one expression; branches stand in braces: `add { a | b }`",
    "add { relu } { id }": "branches stand in the same braces: `add { a | b }`",
    "conv 64\u00a03x3": "put a plain space in its place",
    "conv 8 3x3 bias=false": "write `nobias`",
    "bn scale=False": "write `noscale`",
    "bn scale=yes": "leave `scale` out: it is there without a word",
    "relu; train { augment flip=false }": "leave `flip` out",
    "pool 3 2": "a size is one word, `3x2`; a stride is `/2`",
    "PixelShuffle 2": "did you mean `pixelshuffle`?",
    "AdaptiveAvgPool 1": "did you mean `gap`?",
    "GlobalAvgPool2D": "did you mean `gap`?",
    "SeparableConv2D 8 3x3": "it is two statements: `dwconv 3x3 same; conv 64 1x1`",
    "InstanceNorm2d": "did you mean `in`?",
    "residual conv 8 3x3 same": "put it in braces: `residual { conv … }`",
    "x = conv 8 3x3": "a name stands before a `:`, as in `x: conv …`",
    "relu; train { loss = mse }": "a setting has no `=`: `loss mse`",
    "relu; train { optimizer adam betas=(0.9,0.999) }": "there are no lists: each number has a key "
    "of its own, as in `beta1=0.9`",
    "relu; train { loss cross_entropy weights=1,2 }": "several numbers are one text: "
    '`weights="1 2 3"`',
    "relu if True": "write `true`",
    "let a = 1, b = 2": "each has a `let` of its own: `let a = 1; let b = 2`",
    "same relu": "`same` stands behind a layer, on its line: `conv 64 3x3 same relu`",
    "if ch == 3 { relu } elif ch == 4 { relu }": "`else if` stands on the line of the `}`",
    "a + b": "tensors are summed by `add a`, or in `residual { … }`",
    "dropout 50%": "a share is a number: `0.5`",
    "relu; train { learning_rate 0.1 }": "it is a key: `optimizer adam lr=0.1`",
    "relu; train { optimizer adam learning_rate=1 }": "did you mean `lr`?",
}


@pytest.mark.parametrize("line", HABITS)
def test_help_for_habits_of_other_systems(line: str):
    assert helps(network(line))[0] == HABITS[line]


@pytest.mark.parametrize("line", HABITS)
def test_a_slip_costs_one_message(line: str):
    """In a network that is right but for it, nothing else is complained of."""
    spec = network("e1: conv 8 3x3 same relu", line, "conv 16 3x3 same", "gap; dense 10")
    assert len(spots(spec)) == 1


@pytest.mark.parametrize(
    ("line", "mend"),
    [
        ("input 3 32 32", "a shape is one word: `3x32x32`"),
        ("input (3, 32, 32)", "a size is one word: `3x32x32`"),
        ("input 32x32", "write the channels too: `1x32x32` or `3x32x32`"),
        ("input 1x3x32x32", "the batch is not written: `3x32x32`"),
    ],
)
def test_help_for_ways_of_writing_the_input(line: str, mend: str):
    assert helps(f"{line}\nrelu; gap; dense 10") == [mend]


# Several mistakes in one file


def test_all_independent_mistakes_are_found_in_one_run():
    spec = network(
        "conv 64 40x40",
        "conv 64 3x3 sam",
        "pool 2 stride=0",
        "conv 64 3x3 groups=7",
        "gap; flatten; conv 3 3x3",
        "gpa",
        "concat e1",
    )
    assert spots(spec) == ["E201 2:9", "E102 3:13", "E107 4:15", "E205 5:13", "E202 6:15",
                           "E101 7:1", "E111 8:8"]  # fmt: skip


def test_what_rests_on_an_assumed_shape_is_not_complained_of():
    assert spots(network("conv 64 33x33", "conv 64 9x9", "pool 50", "reshape 7")) == ["E201 2:9"]


def test_the_channels_behind_a_kernel_that_does_not_fit_are_known():
    spec = network("conv 64 33x33", "e1: conv 64 1x1", "conv 30 1x1 groups=2", "add e1")
    assert spots(spec) == ["E201 2:9", "E203 5:1"]


def test_a_vector_is_sure_again_behind_dense():
    assert spots(network("conv 64 33x33", "flatten", "dense 10", "reshape 11")) == [
        "E201 2:9", "E206 5:9",
    ]  # fmt: skip


def test_sizes_are_in_doubt_behind_a_misspelt_padding():
    spec = network("e1: conv 8 3x3 same", "conv 8 3x3 smae", "add e1")
    assert spots(spec) == ["E102 3:12"]


def test_statements_behind_a_syntax_error_are_checked():
    spec = network("conv 64 3x", "conv 64 3x3 smae", "add { conv 8 3x | cnov 8 }", "flaten")
    assert spots(spec) == ["E002 2:9", "E102 3:13", "E002 4:14", "E101 4:19", "E101 5:1"]


def test_what_a_broken_statement_would_have_defined_is_not_missed():
    assert spots("input 3x32x\nconv 8 3x3") == ["E002 1:7"]
    assert spots(network("let k = ;", "conv k 3x3")) == ["E001 2:7"]
    assert spots(network("k = 3", "conv k 3x3")) == ["E001 2:3"]
    assert spots(network("e1: conv 8 3x", "relu; concat e1")) == ["E002 2:12"]
    assert spots(network("e1: cnov 8 3x3", "relu; concat e1")) == ["E101 2:5"]
    assert spots(network("let k = 1/0", "let j = k", "conv j 3x3 *j")) == ["E113 2:9"]


def test_a_block_with_a_mistake_in_its_head_is_still_known():
    assert spots(network("block b(c, c) { conv c 3x3 }", "b 8")) == ["E110 2:12"]


def test_unknown_words_are_found_where_nothing_runs():
    spec = network("block b(c) { cnov c 3x3 }", "if false { plo 2 }", "relu *0 if false", "relu")
    assert spots(spec) == ["E101 2:14", "E101 3:12"]


def test_no_more_than_a_hundred_are_reported():
    assert len(spots(network(*["conv 8 3x3 smae"] * 300))) == 100


WORDS = """
    input 3x8x8 conv dense pool relu bn flatten add concat mul residual auto { } { } | ; ( ) = , :
    - + * / // % *2 /2 3 3x3 64 same pad 1e9 0 2.5 ch k let block b c use if else default
    from output train cnn 1 e1 x stride= "a" ' [ . and or not true < ==
    min( 3x × \x00 gap id e1: plain epochs
"""
SOUP = st.lists(st.sampled_from([*WORDS.split(), "\n", "\n"]), max_size=40).map(" ".join)


@given(SOUP | st.text(max_size=60) | SOUP.map("input 3x8x8\n{}".format))
@settings(deadline=None, max_examples=300)
def test_any_text_gives_a_model_or_errors_that_can_be_shown(text: str):
    found, said = analyse(Source(text, "model.cnn"))
    assert (found is None) == any(d.severity == "error" for d in said)
    for style in FORMATS.values():
        style(said, PLAIN).encode()


# Blocks and includes


def test_a_mistake_in_a_block_is_said_once_with_the_first_call_that_shows_it():
    spec = network("block b(c) {", "conv c 3x3 groups=3", "}", "b 9", "b 8", "b 10")
    (found,) = diagnostics_of(spec)
    assert (found.code, found.span.line) == ("E205", 3)
    assert found.notes[-1] == "in `b(c=8)`, called at line 6"


def test_notes_name_every_call_on_the_way_innermost_first():
    spec = network("block a(c) { conv c 3x3 }", "block b(c, s=1) { a c/2 }", "b 3")
    (found,) = diagnostics_of(spec)
    assert found.message == "`filters` of `conv` is a whole number, not 1.5"
    assert found.notes == ("in `a(c=1.5)`, called at line 3", "in `b(c=3, s=1)`, called at line 4")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "blocks.cnn").write_text(
        "block wide(c) {\n  conv c 33x33\n}\nblock deep(c) {\n  wide c\n  cnov c\n}\n"
    )
    (tmp_path / "main.cnn").write_text('use "blocks.cnn"\ninput 3x32x32\ndeep 8\n')
    return tmp_path


def test_mistakes_in_included_files_are_shown_there(folder: Path):
    found = analyse(read(folder / "main.cnn", "main.cnn"))[1]
    assert (
        full(found, PLAIN)
        == """\
blocks.cnn:2:10: error[E201]: kernel 33x33 does not fit a 32x32 input
  2 |   conv c 33x33
    |          ^^^^^
  note: the input here is 3x32x32, from `input` at line 2 of main.cnn
  note: in `wide(c=8)`, called at line 5
  note: in `deep(c=8)`, called at line 3 of main.cnn
  help: write `same`, or use a kernel of at most 32x32

blocks.cnn:6:3: error[E101]: unknown layer or block `cnov`
  6 |   cnov c
    |   ^^^^
  note: in `deep(c=8)`, called at line 3 of main.cnn
  help: did you mean `conv`?"""
    )


def test_a_file_that_is_not_there_costs_one_message(tmp_path: Path):
    (tmp_path / "m.cnn").write_text('use "no.cnn"\ninput 3x8x8\nwide k\nconv width 3x3\n')
    found = analyse(read(tmp_path / "m.cnn"))[1]
    assert [d.code for d in found] == ["E401"]


# Full text


def test_carets_stand_under_wide_characters_and_tabs():
    assert (
        said_of('input 3x8x8\ntrain { data "漢字e\u0301" foo }\nrelu')
        == """\
model.cnn:2:21: error[E102]: unknown name `foo`
  2 | train { data "漢字e\u0301" foo }
    |                      ^^^
  help: write `data <name>`
"""
    )
    assert (
        said_of("input 3x8x8\n\tconv 8\t3x3 smae")
        == """\
model.cnn:2:13: error[E102]: unknown name `smae`
  2 |  conv 8 3x3 smae
    |             ^^^^
  help: did you mean `same`?
"""
    )


def test_control_characters_never_reach_the_terminal():
    said = said_of('input 3x8x8\nrelu "\x1b[31m\u202e"')
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert 'relu "\ufffd[31m\ufffd"' in said


def test_long_lines_are_shown_in_part():
    line = "relu; " * 1000 + "rleu; " + "relu; " * 1000
    shown = said_of(f"input 3x8x8\n{line}").splitlines()
    assert max(map(len, shown)) <= Style.width
    assert shown[1][shown[2].index("^") :].startswith("rleu; ")


def test_colours_only_where_asked_for():
    (found,) = diagnostics_of("")
    assert "\x1b[" not in full([found], PLAIN)
    assert "\x1b[1;31merror[E301]\x1b[0m" in full([found], Style(True))


# Formats for programs

WARNED = "input 28x28x1\nconv 8 29x3"


def rendered(style: str, spec: str = WARNED) -> str:
    return FORMATS[style](diagnostics_of(spec), PLAIN)


def test_concise():
    assert rendered("concise") == (
        "model.cnn:1:7: warning[W001]: 28x28x1 looks like height x width x channels\n"
        "model.cnn:2:8: error[E201]: kernel 29x3 does not fit a 28x1 input"
    )


def test_json():
    warning, error = json.loads(rendered("json"))
    assert warning == {
        "code": "W001",
        "severity": "warning",
        "message": "28x28x1 looks like height x width x channels",
        "file": "model.cnn",
        "line": 1,
        "column": 7,
        "end_line": 1,
        "end_column": 14,
        "notes": [],
        "help": "channels come first: `input 1x28x28`",
        "fix": {
            "title": "write `1x28x28`", "text": "1x28x28",
            "line": 1, "column": 7, "end_line": 1, "end_column": 14,
        },
    }  # fmt: skip
    assert error["fix"] is None
    assert error["notes"] == ["the input here is 28x28x1, from `input` at line 1"]
    assert error["help"] == "channels come first: `input 1x28x28`"


def test_github():
    assert rendered("github").splitlines() == [
        "::warning file=model.cnn,line=1,col=7,endLine=1,endColumn=14,title=W001::"
        "28x28x1 looks like height x width x channels"
        " · help: channels come first: `input 1x28x28`",
        "::error file=model.cnn,line=2,col=8,endLine=2,endColumn=12,title=E201::"
        "kernel 29x3 does not fit a 28x1 input"
        " · the input here is 28x28x1, from `input` at line 1"
        " · help: channels come first: `input 1x28x28`",
    ]


def test_sarif():
    log = json.loads(rendered("sarif"))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["E201", "W001"]
    assert run["tool"]["driver"]["rules"][0]["shortDescription"] == {"text": "kernel does not fit"}
    warning, error = run["results"]
    assert (warning["ruleId"], warning["ruleIndex"], warning["level"]) == ("W001", 1, "warning")
    assert error["message"]["text"].startswith("kernel 29x3 does not fit a 28x1 input\n")
    (location,) = error["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "model.cnn"},
        "region": {"startLine": 2, "startColumn": 8, "endLine": 2, "endColumn": 12},
    }
    (change,) = warning["fixes"][0]["artifactChanges"]
    assert change["replacements"][0]["insertedContent"] == {"text": "1x28x28"}


@pytest.mark.parametrize("style", FORMATS)
def test_nothing_found_is_an_empty_report(style: str):
    text = FORMATS[style]([], PLAIN)
    if style == "sarif":
        assert json.loads(text)["runs"][0]["results"] == []
    else:
        assert text in ("", "[]")


# Fixes


@pytest.mark.parametrize(
    ("line", "mended"),
    [
        ("cnov 8 3x3", "conv 8 3x3"),
        ("conv 8 3x3 same strides=2", "conv 8 3x3 same stride=2"),
        ("conv 8 3x3 relu pool 2", "conv 8 3x3 relu ; pool 2"),
    ],
)
def test_a_fix_mends_the_spec(line: str, mended: str):
    (found,) = diagnostics_of(network(line))
    assert found.fix is not None
    span, text = found.fix.span, found.fix.text
    result = span.source.text[: span.start] + text + span.source.text[span.end :]
    assert result == network(mended)
    assert spots(result) == []


# The command


def check(*arguments: str, text: str = "") -> tuple[int, str, str]:
    """Exit code, output and error output of `cnndsl check`."""
    command = [sys.executable, "-m", "cnndsl", "check", *arguments]
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, encoding="utf-8", check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_check_exits_0_where_a_spec_is_right():
    code, out, err = check("-", text="input 3x32x32\ngap; dense 10")
    assert (code, err) == (0, "")
    assert ": ok · 40 parameters" in out


def test_check_exits_1_where_it_is_wrong_and_prints_to_stdout():
    code, out, err = check("-", "--output-format", "concise", text="input 3x32x32\ndense 10")
    assert (code, err) == (1, "")
    assert out.startswith("<stdin>:2:1: error[E202]: `dense` needs a vector")


def test_check_exits_0_with_warnings_unless_strict():
    spec = "input 32x32x3\nflatten; dense 10"
    assert check("-", text=spec)[0] == 0
    assert check("-", "--strict", text=spec)[0] == 1


def test_check_exits_2_where_a_file_cannot_be_read(tmp_path: Path):
    code, out, err = check(str(tmp_path / "no.cnn"))
    assert (code, out) == (2, "")
    assert "No such file" in err
    assert "Traceback" not in err
