"""`search { … }` and `--vary`: what is varied, what is kept, what is looked for."""

import pytest

import cnndsl
from cnndsl.passes.analyse import analyse
from cnndsl.passes.search import holds
from cnndsl.source import Source
from cnndsl.space import Choices, Limit, Range, Space

NET = """let width = 16; let share = 0.5; let deep = false; let keep = 3
input 3x32x32
conv width 3x3 same bn relu; conv 8 1x1  if deep
gap; dense 10
train { optimizer sgd lr=0.1; loss cross_entropy }
"""


def read(section: str, *vary: str) -> tuple[Space | None, list[cnndsl.Diagnostic]]:
    source = Source(f"{NET}search {{ {section} }}")
    model, found = analyse(source, None, [Source(text, "--vary") for text in vary])
    return model and model.space, found


def space(section: str, *vary: str) -> Space:
    found, errors = read(section, *vary)
    assert found is not None, [d.message for d in errors]
    return found


def domain(section: str) -> tuple[str, Range | Choices]:
    (only,) = space(section).parameters
    return only.name, only.domain


@pytest.mark.parametrize(
    ("section", "name", "found"),
    [
        ("width 8 to 64", "width", Range(8, 64)),
        ("width 8 to 64 step=8", "width", Range(8, 64, 8)),
        ("width 8 to 64 log", "width", Range(8, 64, log=True)),
        ("share 0.25 to 1 step=0.25", "share", Range(0.25, 1.0, 0.25)),
        ("share (-1) to 1.5", "share", Range(-1.0, 1.5)),
        ("width 8 width 4*width", "width", Choices((8, 16, 64))),
        ("keep 1 to 3", "keep", Range(1, 3)),  # a `let` may be called so
        ("deep true false", "deep", Choices((True, False))),
        ("batch 32 64", "batch", Choices((32, 64))),
        ("epochs 2 to 8 step=2", "epochs", Range(2, 8, 2)),
        ("lr 1e-4 to 0.1 log", "optimizer.lr", Range(1e-4, 0.1, log=True)),
        ("optimizer lr 1e-4 to 0.1 log", "optimizer.lr", Range(1e-4, 0.1, log=True)),
        ("optimizer nesterov true false", "optimizer.nesterov", Choices((True, False))),
        ('optimizer adam "sgd lr=0.1"', "optimizer", Choices(("adam", "sgd lr=0.1"))),
        ("loss smooth 0 to 0.2", "loss.smooth", Range(0.0, 0.2)),
        ("augment crop 0 to 4", "augment.crop", Range(0, 4)),
        ('augment flip "flip crop=4"', "augment", Choices(("flip", "flip crop=4"))),
        ("augment flip true false", "augment.flip", Choices((True, False))),
        ('augment "flip" "flip crop=4"', "augment", Choices(("flip", "flip crop=4"))),
        ("schedule cosine constant", "schedule", Choices(("cosine", "constant"))),
    ],
)
def test_what_is_varied(section: str, name: str, found: Range | Choices):
    assert domain(section) == (name, found)


@pytest.mark.parametrize(
    ("text", "measure", "bound"),
    [
        ("params < 100k", "params", 100_000), ("macs <= 20M", "macs", 20e6),
        ("memory < 256k", "memory", 2**18), ("memory < 0.5MiB", "memory", 2**19),
        ("step < 50ms", "step", 0.05), ("params < 1e5", "params", 1e5), ("macs > 5", "macs", 5),
    ],
)  # fmt: skip
def test_what_is_kept(text: str, measure: str, bound: float):
    (limit,) = space(f"width 8 16; keep {text}").limits
    assert (limit.measure, limit.bound, limit.text) == (measure, pytest.approx(bound), text)


def test_how_far_a_candidate_is_beyond_a_bound():
    below, above = (limit(sign) for sign in ("<", ">="))
    assert below.excess(99) == 0 == above.excess(100)
    assert below.excess(100) > 0
    assert (below.excess(150), above.excess(50)) == (0.5, 0.5)


def limit(sign: str) -> Limit:
    (only,) = space(f"width 8 16; keep params {sign} 100").limits
    return only


def test_one_goal_or_two():
    assert space("width 8 16").goals == ()
    assert space("width 8 16; goal val_loss").goals == ("val_loss",)
    assert space("width 8 16; goal val_accuracy macs").goals == ("val_accuracy", "macs")


def test_what_is_varied_on_the_command_line_stands_above_the_section():
    section = "width 8 16; batch 8 16; keep params < 1M; keep macs < 1M; keep macs > 1k"
    found = space(section, "width 1 2", "keep step < 9ms", "keep macs <= 2M")
    assert {p.name: p.domain for p in found.parameters} == {
        "batch": Choices((8, 16)), "width": Choices((1, 2)),
    }  # fmt: skip
    texts = [limit.text for limit in found.limits]
    assert texts == ["params < 1M", "macs > 1k", "step < 9ms", "macs <= 2M"]


def test_settings_are_chosen_before_their_keys_wherever_these_stand():
    found = space(
        "optimizer momentum 0 to 0.9; lr 0.1 to 1; optimizer adam sgd", "optimizer sgd muon"
    )
    names = [p.name for p in found.parameters]
    assert names == ["optimizer", "optimizer.momentum", "optimizer.lr"]


def test_errors_of_the_command_line_are_at_their_place():
    _, found = read("width 8 16", "batch 64 to 8")
    assert [(d.code, d.span.source.name, d.span.column) for d in found] == [("E602", "--vary", 7)]


@pytest.mark.parametrize(
    ("section", "code", "place"),
    [
        ("wdith 8 to 64", "E601", "wdith"),
        ("optimizer momentm 0 to 1", "E601", "momentm"),
        ("data shapes cifar10", "E601", "data"),
        ("width 64 to 8", "E602", "64 to 8"),
        ("width 8 to 8", "E602", "8 to 8"),
        ("width 8 to 60 step=8", "E602", "8"),
        ("width 8 to 64 step=0.5", "E602", "0.5"),
        ("width 8 to 64 step 8", "E602", "step"),
        ("width 8 to", "E602", "width 8 to"),
        ("width 8", "E602", "width 8"),
        ("width", "E602", "width"),
        ("width 16..64", "E002", "16..64"),
        ("share 0 to 1 log", "E602", "0 to 1"),
        ("share 0.1 to 1 step=0.1 log", "E602", "0.1 to 1"),
        ("width 8 8", "E108", "8"),
        ("width 8 true", "E602", "true"),
        ("deep 1 2", "E602", "1"),
        ("deep false to true", "E602", "false to true"),
        ("width relu gelu", "E602", "relu"),
        ("batch 0 to 32", "E107", "0"),
        ("batch 1.5 2", "E106", "1.5"),
        ("optimizer adam sgdd", "E503", "sgdd"),
        ('optimizer adam "sgd lr=-1"', "E107", '"sgd lr=-1"'),
        ("width 8 16; width 8 32", "E108", "width 8 32"),
        ("share 0 to 1 if width > 8; width 8 16", "E604", "width > 8"),
        ("let n = 3", "E502", "let n = 3"),
        ("x: width 8 16", "E109", "x"),
        ("keep parms < 5", "E603", "parms"),
        ("keep params < 5ms", "E603", "5ms"),
        ("keep step < 5", "E603", "5"),
        ("keep params == 5", "E603", "=="),
        ("keep params < 0", "E603", "0"),
        ("keep params < 5; keep params < 6", "E108", "keep params < 6"),
        ("goal val_acuracy", "E605", "val_acuracy"),
        ("goal", "E605", "goal"),
        ("goal macs params val_loss", "E605", "goal macs params val_loss"),
    ],
)  # fmt: skip
def test_mistakes_are_told_at_their_place(section: str, code: str, place: str):
    model, found = read(section)
    assert model is None
    assert [(d.code, d.span.text) for d in found] == [(code, place)]


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("width: 8 to 64", "width 8 to 64"),
        ("width 8 .. 64", "width 8 to 64"),
        ("width 8-64", "width 8 to 64"),
        ("share -1 to 1.5", "share (-1) to 1.5"),
        ("width 8, 16, 32", "width 8 16 32"),
        ("width range(8, 64)", "width 8 to 64"),
        ("lr loguniform 1e-4 1e-1", "lr 1e-4 to 1e-1 log"),
        ("keep params less than 10k", "keep params < 10k"),
        ("keep macs at least 1M", "keep macs > 1M"),
        ("maximize val_accuracy", "goal val_accuracy"),
        ("goal minimize val_loss", "goal val_accuracy"),
        ("timeout 30m", "cnndsl search --timeout 30m"),
    ],
)
def test_how_others_say_it_is_told_as_it_is_written_here(slip: str, meant: str):
    _, (found, *_) = read(slip)
    assert f"`{meant}`" in (found.help or "")
    if "cnndsl" not in meant:
        assert read(meant)[1] == []


def test_a_range_that_is_reversed_is_mended_by_a_fix():
    _, (found,) = read("width 64 to 8")
    assert found.fix is not None
    assert domain(f"width {found.fix.text}") == ("width", Range(8, 64))


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("width > 8", {"width": 16}, True),
        ("width > 8", {"width": 8}, False),
        ("optimizer == sgd", {"optimizer": "sgd lr=0.1"}, True),
        ("optimizer == sgd", {"optimizer": "adam"}, False),
        ("deep and width > 8", {"width": 16}, False),  # `deep` is not varied in this candidate
    ],
)
def test_conditions(condition: str, values: dict[str, int | str], expected: bool):
    found = space(
        f'width 8 16; deep true false; optimizer adam "sgd lr=0.1"; share 0 to 1 if {condition}'
    )
    *above, last = found.parameters
    assert last.condition is not None
    assert holds(last.condition, values, {p.name: p for p in above}) is expected


@pytest.mark.parametrize(
    ("section", "hint"),
    [
        ("learning_rate 1e-4 to 1", "write `optimizer lr …`"),
        ("weight_decay 0 to 1", "write `optimizer decay …`"),
        ("crop 0 to 4", "write `augment crop …`"),
        ("params < 100k", "a bound of a search is `keep params < …`"),
        ("width 16..64", "in `search`, a range is written `16 to 64`"),
        (
            "width relu gelu",
            "words are chosen by a number: `let kind = 0` and `if kind == 1 { … }`",
        ),
        ("optimizer adma sgd", "did you mean `adam`?"),
        ("momentm 0 to 1", "write `optimizer momentum …`"),
        ("depth 1 2", "did you mean `deep`?"),
        ("optimizer sgd lr=0.1 adam", 'write `optimizer "sgd lr=0.1" adam`'),
        ("augment flip crop=2", 'write `augment flip "flip crop=2"`'),
        ("width 8 16  if deep", "put what a condition asks for above it"),
    ],
)
def test_what_others_write_is_told_in_our_words(section: str, hint: str):
    assert hint in [d.help for d in read(section)[1]]


def test_keep_is_a_name_like_others_where_nothing_is_kept():
    assert cnndsl.parse("let keep = 4\ninput 3\ndense keep").outputs == {"output": (4,)}
