"""What is said of valid specs, what is not, and what `check --fix` makes of them.

Places and messages of each code stand on its page (see test_pages.py).
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from strategies import nets
from test_pages import page

import cnndsl
from cnndsl.cli import main
from cnndsl.data.formats import (
    cifar10,
    formats,
    names,
    shapes,
    shapes_multilabel,
    shapes_regression,
    shapes_segmentation,
)
from cnndsl.data.formats.base import Request
from cnndsl.edits import apply
from cnndsl.lints import Choice, inspect, lint_codes
from cnndsl.lints.base import training_warnings
from cnndsl.lints.data import SIZES
from cnndsl.lints.fixing import fixed
from cnndsl.lints.training import CLASSES
from cnndsl.report.manual import codes
from cnndsl.source import Source, UserError

SPECS = Path(__file__).parents[1] / "specs"


def found(text: str) -> list[str]:
    """The codes of everything said, in the order of the text."""
    return [d.code for d in cnndsl.check(text)]


def network(*lines: str) -> str:
    """A spec whose statements start at line 2 and end in ten outputs."""
    return "\n".join(["input 3x32x32", *lines, "gap; dense 10", ""])


def test_every_warning_has_a_page_and_the_other_way_round() -> None:
    assert set(lint_codes()) == {code for code in codes() if code.startswith("W")}


def test_the_classes_of_every_known_data_set_are_known() -> None:
    digits = 10
    sizes = {
        "cifar10": len(cifar10.CLASSES), "mnist": digits, "shapes": len(shapes.CLASSES),
        "shapes_multilabel": len(shapes_multilabel.NAMES),
        "shapes_regression": len(shapes_regression.NAMES),
        "shapes_segmentation": len(shapes_segmentation.NAMES),
    }  # fmt: skip
    assert sizes == CLASSES
    assert set(sizes) == set(names())


def test_the_sizes_of_every_known_data_set_are_known() -> None:
    assert SIZES["cifar10"] == (3, 32, 32)  # these two are downloads: as their papers have them
    assert SIZES["mnist"] == (1, 28, 28)
    drawn = {
        made.name: made.load(Request(Path(made.name), ())).splits["test"]().x.shape[1:]
        for made in formats() if made.name not in ("", "cifar10", "mnist")
    }  # fmt: skip
    assert {name: SIZES.get(name) for name in drawn} == drawn
    assert set(SIZES) == set(names())


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.cnn")), ids=lambda p: p.stem)
def test_the_published_nets_have_no_warnings_but_those_that_they_own_up_to(path: Path) -> None:
    assert cnndsl.check(path.read_text(encoding="utf-8")) == []


# What is not complained of

QUIET = {
    "a linear bottleneck (MobileNetV2)": (
        "conv 96 3x3 relu; conv 24 1x1 bn; conv 144 1x1 bn relu6"
    ),
    "depthwise and pointwise": "conv 32 3x3 relu; dwconv 3x3 same; conv 64 1x1 relu",
    "halves of one kernel": "conv 32 3x3 relu; conv 32 1x7 pad; conv 32 7x1 pad relu",
    "grouped, then mixed": "conv 32 3x3 relu; conv 32 3x3 same groups=4; conv 32 1x1 relu",
    "a skip between": "conv 16 3x3 same; residual { conv 16 3x3 same relu }; relu",
    "the branches of a merge": "add { conv 16 1x1 | conv 16 3x3 same }; relu",
    "a label on weights": "stem: conv 32 3x3 relu",
    "a label that is used": "a: relu; conv 3 3x3 same relu; add a",
    "a label that an output uses": "a: pool 2; conv 8 3x3 relu; output a",
    "a branch that ends in an output": "a: relu; conv 3 3x3 same relu; output other; from a",
    "a branch that comes back": "a: relu; b: conv 3 3x3 same relu; from a; pool 3 /1 same; add b",
    "`valid` that is said": "conv 8 3x3 valid relu *9",
    "tanh with bn between": "conv 8 3x3 same bn tanh *9",
    "tanh with ways around": "conv 8 3x3 same tanh; residual { conv 8 3x3 same tanh } *9",
    "a gate of two activations": (
        "conv 16 3x3 same silu; mul { id | gap; conv 4 1x1 relu; conv 16 1x1 sigmoid }"
    ),
    "an even size with `pad`": "conv 16 3x3 pad /2 relu; pool 3 /2 pad",
    "a stride larger than its kernel": "conv 16 1x1 /2 relu; conv 16 1x1 /2 relu",
    "`same` beside `same`": "conv 16 3x3 same /2 relu; conv 16 3x3 same /2 relu",
    "bn in the statement": "conv 16 3x3 same bn relu dropout 0.1",
    "5x5 in the first layer": "conv 16 5x5 same relu",
    "5x5 that grows the channels": "conv 8 3x3 same relu; conv 64 5x5 same relu",
    "a condition on a let": "let k = 3; conv k 3x3 relu if k > 0",
    "a block parameter of another block": (
        "block a(c) { conv c 1x1 relu }; block b(c) { a c }; b 8"
    ),
    "an auto residual that adds once": (
        "block r(c) { residual auto { conv c 1x1 relu } }; r 8; r 8"
    ),
    "a default that a layer's own word does not need": (
        "default conv bn relu; conv 8 3x3 same; conv 8 3x3 same bn relu plain"
    ),
    "a default of statements": "default bn eps=1e-3; conv 8 3x3 same nobias; bn; relu",
    "norms of two branches": "add { conv 8 1x1 bn | conv 8 3x3 same bn }; relu",
    "probabilities for a loss of probabilities": (
        "gap; dense 10 softmax; train { task classification; loss mse }"
    ),
    "a temperature": "gap; dense 10 scale",
    "features of an image": "conv 8 3x3 same relu; dropout 0.1",
}


@pytest.mark.parametrize("name", QUIET)
def test_what_is_meant_is_not_complained_of(name: str) -> None:
    body = QUIET[name]
    assert found(network(body) if "dense" not in body else f"input 3x32x32\n{body}") == []


def test_a_spec_with_errors_has_no_warnings() -> None:
    assert found(network("let a = 3", "cnov 3 3x3")) == ["E101"]


def test_a_block_that_is_called_often_is_complained_of_once() -> None:
    text = network("block b { conv 8 3x3 same relu relu }", "b *3")
    (only,) = cnndsl.check(text)
    assert only.code == "W303"
    assert only.notes[-1] == "and 2 more times, by other calls or turns of a repeat"


def test_a_bias_counts_what_is_wasted() -> None:
    (only,) = cnndsl.check(network("conv 48 3x3 same", "bn; relu"))
    assert "48 parameters do nothing" in only.message


def test_settings_as_large_as_what_they_act_on() -> None:
    def told(settings: str) -> list[str]:
        spec = f"input 3x8x6\ngap; dense 10\ntrain {{ {settings} }}"
        return [d.message for d in inspect(Source(spec))[1] if d.code == "W207"]

    assert told("epochs 4; schedule cosine warmup=3.9; augment flip crop=5 cutout=5") == []
    assert told("schedule step warmup=12") == ["the warm-up takes 12 epochs, the whole training 10"]
    assert told("augment cutout=6 crop=7") == [
        "`cutout` takes 6 pixels of a picture of 8x6",
        "`crop` takes 7 pixels of a picture of 8x6",
    ]
    vector = "input 4; dense 10; train { augment flip cutout=3 }"
    assert not [d for d in inspect(Source(vector))[1] if d.code == "W207"]


IDLE = {  # settings, and what of them never acts
    "schedule plateau patience=10; stop 5; epochs 40": "`stop 5` ends the run before",
    "schedule plateau patience=9": "`plateau` never acts",
    "schedule plateau gamma=1; epochs 99": "never changes the learning rate",
    "schedule step every=20; epochs 10": "`step` never changes the learning rate",
    "schedule step gamma=1": "never changes the learning rate",
    "schedule cosine floor=1": "never changes the learning rate",
    "schedule exponential 1": "never changes the learning rate",
    "schedule polynomial 0": "never changes the learning rate",
    'schedule multistep "30 60"; epochs 20': "never changes the learning rate",
    'schedule multistep "5 30 60"; epochs 20': "drops at 30 and 60 never come",
    "schedule restarts 20; epochs 20": "never starts anew",
    "stop 50; epochs 10": "never ends a run of 10 epochs",
    "stop 9; epochs 10": "never ends a run of 10 epochs",
    "freeze head from=3 until=2; epochs 9": "from epoch 3 until 2 freezes nothing",
    "freeze head from=9; epochs 9": "from epoch 9 until 9 freezes nothing",
    "watch val_loss min_delta=0.1": "`min_delta` is for",
    "augment": "names no change",
    "augment flip hue=0.1": "these have 1",
    "augment saturation=0.1": "these have 1",
    "ema 0": "remembers nothing",
    "optimizer sgd lr=0.1 nesterov": "the momentum is 0",
    "lookahead 5 share=1": "not a lookahead",
    "views": "no view besides",
    "optimizer muon beta1=0.8 rest=sgd": "is of `rest=adamw`",
    "optimizer muon rest_momentum=0.8": "is of `rest=sgd`",
}
ACTING = (
    "schedule plateau patience=4; stop 5; epochs 40", "schedule plateau patience=8",
    "schedule step every=9; epochs 10", "schedule step every=0.5; epochs 1", "schedule onecycle",
    'schedule multistep "5 19.5"; epochs 20', "schedule restarts 5; epochs 20", "stop 8; epochs 10",
    "schedule constant", "schedule exponential 0.99", "schedule constant warmup=1",
    "watch val_loss min_delta=0.1; stop 3", "augment jitter=0.1", "ema 0.9",
    "lookahead 5", "views shift=1", "epochs 1",
    "optimizer sgd lr=0.1 momentum=0.9 nesterov", "optimizer nadam",
    "optimizer muon rest=sgd rest_momentum=0.8",
)  # fmt: skip


BEHIND_LOGITS = {  # the end of a network, and what is said at which column of its line
    "dense 10 relu": ("W209", 10),
    "dense 10; dropout 0.5": ("W209", 11),
    "dense 10 droppath": ("W209", 10),
    "dense 10; gelu": ("W209", 11),
    'dense 10 tanh; train { data "mine" }': ("W209", 10),
    "dense 10 clamp; train { loss bce; task multilabel }": ("W209", 10),
    "dense 10 dropout 0.1; train { loss mae }": ("W209", 10),
    "dense 1 relu; train { loss huber }": ("W211", 9),
    "dense 1; sigmoid; train { task regression }": ("W211", 10),
    "dense 10 softmax": ("W201", 10),
    "conv 10 1x1; gap; softmax": ("W201", 19),
    "dense 4 sigmoid": ("W201", 9),
}


@pytest.mark.parametrize("end", BEHIND_LOGITS)
def test_what_follows_the_logits_is_told_with_and_without_a_recipe(end: str) -> None:
    (only,) = cnndsl.check(f"input 3x8x8\nconv 8 3x3 same relu; gap\n{end}\n")
    assert (only.code, only.span.column) == BEHIND_LOGITS[end]
    assert only.span.line == 3


def in_training(settings: str) -> str:
    return f"input 1x8x8\ngap; dense 10\ntrain {{ {settings} }}\n"


@pytest.mark.parametrize("settings", IDLE)
def test_a_setting_that_never_acts_is_told(settings: str) -> None:
    (only,) = cnndsl.check(in_training(settings))
    assert (only.code, only.span.line) == ("W208", 3)
    assert IDLE[settings] in only.message


@pytest.mark.parametrize("settings", ACTING)
def test_settings_that_act_are_not(settings: str) -> None:
    assert found(in_training(settings)) == []


def test_what_does_nothing_can_be_left_out() -> None:
    text = in_training("augment flip hue=0.1; ema 0; optimizer sgd lr=0.1 nesterov; stop 3")
    left = in_training("augment flip; optimizer sgd lr=0.1; stop 3")
    assert fixed(Source(text)).source.text == left


def test_a_rate_of_the_command_line_is_looked_at_without_an_optimizer_in_the_spec() -> None:
    from dataclasses import replace

    from cnndsl.optim import Adam
    from cnndsl.recipe import Recipe

    (only,) = training_warnings(LINEAR, replace(Recipe(), optimizer=Adam(lr=1000)))
    assert (only.code, only.span.line) == ("W204", 1)
    assert "1000 is large for `adam`" in only.message
    assert list(training_warnings(LINEAR, Recipe())) == []


# Which are wanted

NOISY = network("let a = 3", "conv 8 3x3 same relu relu")


def codes_of(choice: Choice) -> list[str]:
    return [d.code for d in inspect(Source(NOISY), choice=choice)[1]]


def test_codes_and_their_beginnings_choose() -> None:
    assert codes_of(Choice()) == ["W101", "W303"]
    assert codes_of(Choice.of(("W3",), ())) == ["W303"]
    assert codes_of(Choice.of((), ("W101",))) == ["W303"]
    assert codes_of(Choice.of(("W1", "W3"), ("W",))) == []
    with pytest.raises(UserError, match="no warning W77"):
        Choice.of((), ("W77",))


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("let a = 3  # cnn: ignore[W101]", ["W303"]),
        ("let a = 3  # cnn: ignore[W1, W2]: by hand", ["W303"]),
        ("let a = 3  # cnn: ignore[W303]", ["W101", "W303"]),
        ("let a = 3  # ignore[W101]", ["W101", "W303"]),
        ("let a = 3\n# cnn: ignore-file[W303]", ["W101"]),
        ("let a = 3\n# cnn: ignore-file[W]", []),
    ],
)
def test_comments_switch_warnings_off(line: str, left: list[str]) -> None:
    assert found(NOISY.replace("let a = 3", line)) == left


def test_comments_do_not_switch_errors_off() -> None:
    assert found(network("cnov 3 3x3  # cnn: ignore[E101]")) == ["E101"]


# How it will be trained

LINEAR = cnndsl.parse("input 1x8x8\ngap; dense 10\n").ir
SOFT = cnndsl.parse("input 3x8x8\ngap; dense 7 softmax\n").ir


def test_a_recipe_from_the_command_line_is_looked_at_too() -> None:
    from dataclasses import replace

    from cnndsl.losses import MeanSquaredError
    from cnndsl.recipe import Recipe

    recipe = Recipe(data="cifar10")
    assert [d.code for d in training_warnings(SOFT, recipe)] == ["W201", "W203", "W214"]
    other = replace(recipe, data="my-folder", loss=MeanSquaredError())
    assert list(training_warnings(SOFT, other)) == []


# Fixes

FIXABLE = [c for c in codes() if any(d.fix for t, _ in page(c).wrong for d in cnndsl.check(t))]


@pytest.mark.parametrize("code", FIXABLE)
def test_fixes_mend_what_they_are_for(code: str) -> None:
    for text, _ in page(code).wrong:
        result = fixed(Source(text), unsafe=True)
        model, left = inspect(result.source)
        assert result.count > 0
        assert model is not None
        assert code not in {d.code for d in left}


def test_these_can_be_fixed() -> None:
    mended = {code for code in FIXABLE if code.startswith("W")}
    assert mended == {
        "W001", "W003", "W101", "W102", "W103", "W201", "W202", "W203", "W206", "W209", "W211",
        "W301", "W302", "W303", "W304", "W306", "W311", "W401", "W402", "W403", "W404",
    }  # fmt: skip
    assert {"E101", "E103", "E109", "E202"} <= set(FIXABLE)


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ("data CIFAR10", "`CIFAR10` is not a data set's name"),
        ("data mnist", "mnist has images of 1x28x28, but the model takes 3x32x32"),
        ('data cifar10; loss cross_entropy weights="1 2 3"', "3 weights for 10 classes"),
        ('data "mine"; loss cross_entropy weights="1 2 3"', "3 weights for 10 classes"),
    ],
)
def test_data_that_train_would_refuse_are_told(train: str, said: str) -> None:
    text = f"input 3x32x32\nconv 8 3x3 same relu; gap; dense 10\ntrain {{ {train} }}\n"
    assert [d.message for d in cnndsl.check(text) if d.code == "W214"] == [said]


def test_a_net_without_weights_learns_nothing() -> None:
    text = "input 3x32x32\nrelu; gap\ntrain { batch 16 }\n"
    (told,) = [d for d in cnndsl.check(text) if d.code == "W215"]
    assert told.message == "no layer has weights that learn"


REFUSED = {
    "batch 16; accumulate 3": "`accumulate 3` cannot divide a batch of 16",
    "precision fp16; quantize int8": "`precision fp16` and `quantize int8` do not go together",
    "epochs 2; quantize int8 from=2": "quantize: nothing is rounded from epoch 2 on",
    'epochs 2; freeze "*" from=1': "freeze: nothing learns from epoch 1 on",
    "views shift=32": "views: a shift of 32 leaves nothing of 32 pixels",
    "augment flip; cache features; freeze body": "cache: images are augmented anew in each epoch",
}


@pytest.mark.parametrize("train", REFUSED)
def test_recipes_that_train_refuses_are_told(train: str) -> None:
    text = f"input 3x32x32\nconv 8 3x3 same relu; gap; dense 10\ntrain {{ {train} }}\n"
    (told,) = [d for d in cnndsl.check(text) if d.code == "W215"]
    assert told.message.startswith(REFUSED[train])
    assert told.help
    assert told.span.line == 3


def test_unsafe_fixes_wait_for_their_flag() -> None:
    text = network("conv 8 3x3 same", "conv 8 3x3 same relu relu")
    assert fixed(Source(text)).source.text == text.replace("relu relu", "relu")
    assert fixed(Source(text), unsafe=True).source.text == (
        network("conv 8 3x3 same relu", "conv 8 3x3 same relu")
    )


def test_borders_are_kept_by_all_convolutions_or_by_none() -> None:
    text = network("conv 8 3x3 relu *2; pool 2", "conv 8 3x3", "relu; conv 8 3x3 relu; pool 2")
    result = fixed(Source(text), unsafe=True)
    assert result.source.text == text.replace("8 3x3", "8 3x3 same")
    assert result.count == 1


@pytest.mark.parametrize(
    ("default", "line", "code"),
    [
        ("conv bn", "conv 8 3x3 same bn relu", "W311"),
        ("conv gn 2", "conv 8 3x3 same bn", "W311"),
        ("conv relu", "conv 8 3x3 same relu dropout", "W303"),
        ("bn relu", "bn; relu", "W303"),
    ],
)
def test_what_a_default_doubles_is_said_at_the_statement(
    default: str, line: str, code: str
) -> None:
    double = cnndsl.check(network(f"default {default}", line))
    assert [(d.code, d.span.line) for d in double if d.code in ("W303", "W311")] == [(code, 3)]


def test_comments_and_layout_stay() -> None:
    text = "# my net\ninput  3x32x32   # pictures\n\n\nconv   8 3x3 relu  relu  # twice\ndense 10\n"
    assert fixed(Source(text)).source.text == (
        "# my net\ninput  3x32x32   # pictures\n\n\nconv   8 3x3 relu  # twice\nflatten; dense 10\n"
    )


def test_a_statement_is_put_in_under_the_condition_of_the_one_that_needs_it() -> None:
    text = "input 3x8x8\nlet mlp = true\nconv 4 3x3\ndense 10  if mlp\n"
    assert fixed(Source(text)).source.text == text.replace("dense", "flatten  if mlp; dense")


def test_a_spec_that_would_still_not_check_is_left_alone() -> None:
    text = network("cnov 8 3x3", "conv 8 99x99")
    result = fixed(Source(text))
    assert (result.source.text, result.count, result.refused) == (text, 0, 1)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(nets())
def test_fixing_never_makes_a_spec_worse(text: str) -> None:
    for unsafe in (False, True):
        result = fixed(Source(text), unsafe=unsafe)
        model, left = inspect(result.source)
        assert model is not None
        if result.count:
            assert len(left) <= len(cnndsl.check(text)) + result.count
        if unsafe:  # what is left would break the spec
            fixes = [d.fix for d in left if d.fix]
            texts = [apply(result.source, [fix])[0] for fix in fixes]
            assert all(inspect(Source(text))[0] is None for text in texts)


# The command

PITFALLS = """input 3x32x32
conv 32 3x3 same relu relu; pool 2
dense 10 softmax
train { data cifar10; loss cross_entropy }
"""


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(["check", *arguments])
    return int(left.value.code or 0)


def test_fix_writes_the_file_and_keeps_its_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "m.cnn"
    file.write_bytes(b"\xef\xbb\xbf" + PITFALLS.replace("\n", "\r\n").encode())
    os.chmod(file, 0o640)
    assert run("--fix", str(file)) == 0
    after = file.read_bytes()
    assert after.startswith(b"\xef\xbb\xbf")
    assert after.count(b"\r\n") == after.count(b"\n") == 4
    assert file.stat().st_mode & 0o777 == 0o640
    assert after.decode("utf-8-sig").replace("\r\n", "\n") == (
        PITFALLS.replace(" relu relu", " relu").replace("dense 10 softmax", "flatten; dense 10")
    )
    out, err = capsys.readouterr()
    assert err == f"{file}: 3 fixed\n"
    assert out.startswith(f"{file}: ok · ")


@pytest.mark.parametrize("name", ["model.py", "net.txt", "Makefile"])
def test_fix_leaves_other_files_than_specs(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / name
    file.write_text(PITFALLS)
    spec = file.with_suffix(".cnn")
    assert run("--fix", str(file)) == 2
    assert f"`cp {file} {spec}`" in capsys.readouterr().err
    assert file.read_text() == PITFALLS
    spec.write_text(PITFALLS)
    assert run("--fix", str(file), str(spec)) == 2
    assert f"`cp {file} {file}.cnn`" in capsys.readouterr().err
    assert spec.read_text() == PITFALLS


def test_diff_shows_and_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "m.cnn"
    file.write_text(PITFALLS)
    assert run("--diff", str(file)) == 1
    shown = capsys.readouterr().out
    assert "\n-dense 10 softmax\n" in shown
    assert "\n+flatten; dense 10\n" in shown
    assert file.read_text() == PITFALLS
    file.write_text(network("conv 8 3x3 relu"))
    assert run("--diff", str(file)) == 0
    assert capsys.readouterr().out == ""


def test_what_is_not_utf8_is_not_rewritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "m.cnn"
    data = PITFALLS.encode() + b"# caf\xe9\n"
    file.write_bytes(data)
    assert run("--fix", str(file)) in (1, 2)
    assert file.read_bytes() == data


def test_warnings_are_no_errors_unless_strict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "m.cnn"
    file.write_text(NOISY)
    assert run(str(file)) == 0
    assert run("--strict", str(file)) == 1
    assert run("--strict", "--ignore", "W1,W303", str(file)) == 0
    assert run("--ignore", "X1", str(file)) == 2


@pytest.mark.parametrize("ignored", ['"W1, W303"', '["W1", "W303"]'])
def test_a_project_chooses_too(
    ignored: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.cnndsl.check]\nignore = {ignored}\n")
    file = tmp_path / "m.cnn"
    file.write_text(NOISY)
    monkeypatch.chdir(tmp_path)
    assert run("--strict", str(file)) == 0
    assert run("--strict", "--ignore", "W2", str(file)) == 1


FIXES = {  # a spec, and what safe fixes make of it
    "a comment before a statement stays a comment": (
        "input 3x32x32\nconv 8 3x3 same relu; gap\ndense 10  # one a class\nsoftmax\n"
        "train { epochs 7 }\n",
        "input 3x32x32\nconv 8 3x3 same relu; gap\ndense 10  # one a class\ntrain { epochs 7 }\n",
    ),
    "nor does what follows it on its line": (
        "input 3x32x32\ngap\ndense 10  # one a class\nsoftmax; train { epochs 7 }\n",
        "input 3x32x32\ngap\ndense 10  # one a class\ntrain { epochs 7 }\n",
    ),
    "a bias that another call of the block needs": (
        "input 3x8x8\nc 8; bn relu\nc 8; relu\ngap; dense 10\nblock c(n) { conv n 3x3 same }\n",
        None,
    ),
    "a bias that a setting may need": (
        "let norm = true\ninput 3x8x8\nconv 8 3x3 same\nbn if norm\nrelu; gap; dense 10\n", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "mended"), FIXES.values(), ids=FIXES)
def test_a_safe_fix_changes_nothing_else(tmp_path: Path, text: str, mended: str | None) -> None:
    file = tmp_path / "net.cnn"
    file.write_text(text)
    run("--fix", str(file))
    assert file.read_text() == (mended or text)


@pytest.mark.parametrize(
    ("end", "codes"),
    [
        ("output a { gap; dense 10 }\noutput b { gap; dense 10 }", ["W310"]),
        ("output a { gap; dense 10 }\ngap; dense 10; output b", []),
        ("output features; output b { gap; dense 10 }", []),
        ("output output; output b { gap; dense 10 }", []),
        ("output a { gap; dense 10 }\nconv 4 1x1", []),
    ],
)
def test_an_output_that_nobody_asked_for(end: str, codes: list[str]) -> None:
    said = found(f"input 3x32x32\nconv 16 3x3 same relu\n{end}\n")
    assert [code for code in said if code == "W310"] == codes


def test_a_merge_of_one_branch() -> None:
    start = "input 3x8x8\nconv 4 3x3 same relu\n"
    for merge in ("add { conv 4 3x3 same }", "mul { gap; conv 4 1x1 sigmoid }", "concat { id }"):
        assert "W309" in found(start + merge)
    for merge in ("add { conv 4 3x3 same | id }", "residual { conv 4 3x3 same bn }"):
        assert "W309" not in found(start + merge)


def test_a_tensor_that_is_joined_with_itself_is_named_by_its_label():
    spec = "input 3x8x8\na: conv 4 3x3 same relu\nb: conv 4 3x3 same bn relu\nadd a b\ngap; dense 2"
    (found,) = inspect(Source(spec))[1]
    assert (found.code, found.help) == (
        "W307", "leave `b` out: `add` starts with the tensor above"
    )  # fmt: skip
