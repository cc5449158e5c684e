"""A help mends: written as it stands, alone, its error goes and no other one comes."""

import pytest
from helps import TABLE
from hypothesis import HealthCheck, given, settings
from mistakes import diagnostics_of, examples
from test_diagnostics import CODES, HABITS, network
from wrong_specs import applied, errors, mistakes, unmended


@pytest.mark.parametrize("lines", TABLE)
def test_a_help_says_what_mends(lines: tuple[str, ...]):
    spec, (said, mended) = network(*lines), TABLE[lines]
    (found,) = errors(spec)
    assert found.help == said
    assert applied(spec, found) == network(*mended)
    assert errors(network(*mended)) == []


TOLD = {
    "train { augment flip=yes }": "`flip` is written without `=`: `augment … flip`",
    "train { augment flip=1 }": "`flip` is written without `=`: `augment … flip`",
    "train { augment flip=no }": "leave `flip` out",
    "train { augment flip=0.3 }": "`flip` takes no value: `augment … flip`",
    "train { augment rotate }": "a key takes its value behind `=`: `rotate=15`",
    "train { augment RandomRotation }": "it is a key and takes a value: `rotate=15`",
    "train { batch -1 }": "`batch` takes a positive whole number: `batch 1`",
    "conv -4 3x3": "`conv` takes a positive whole number: `conv 4`",
    "conv -4.5 3x3": "`conv` takes a positive whole number",
    "conv 4 3x3 /-2": "a stride is a positive whole number: `/2`",
    "dropout -0.1": "`dropout` takes a number of at least 0: `dropout 0.1`",
    "leaky -0.1": "a negative value stands in parentheses: `leaky (-0.1)`",
    "conv 4 3x3 bn=1": "`bn` is written without `=`: `conv … bn`",
}


@pytest.mark.parametrize("line", TOLD)
def test_a_value_that_a_word_does_not_take_is_told_in_its_terms(line: str):
    (found,) = errors(network(line))
    assert found.help == TOLD[line]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("conv 8 3x3 same /2 relu *3", "`conv 8 3x3 same /2 relu; conv 8 3x3 same relu *2`"),
        ("conv 8 3x3 same relu /2 *2", "`conv 8 3x3 same relu /2; conv 8 3x3 same relu`"),
        ("pool 2 /2 *2", "repeat one with `/1` behind it"),
        ("conv 8 3x3 same /2 relu *(1+1)", "repeat one with `/1` behind it"),
    ],
)
def test_a_stride_at_every_turn_is_told_in_the_words_of_its_statement(line: str, told: str):
    (found,) = [d for d in diagnostics_of(network(line)) if d.code == "W405"]
    assert told in (found.help or "")


def test_two_mistakes_have_two_helps():
    spec = network("conv 3 32 3 padding=1")
    first, second = errors(spec)
    assert errors(applied(applied(spec, second), first)) == []


@pytest.mark.parametrize(
    ("section", "mended"),
    [
        ("optimizer sgd; lr 0.01; momentum: 0.9", "optimizer sgd lr=0.01 momentum=0.9"),
        ("learning_rate 0.01; epochs 2; momentum=0.9",
         "optimizer sgd lr=0.01 momentum=0.9; epochs 2"),
    ],
)  # fmt: skip
def test_keys_that_stand_as_settings_are_mended_together(section: str, mended: str):
    spec = network(f"relu; train {{ {section} }}")
    first, *others = errors(spec)
    assert [d.fix for d in others] == [None]
    assert applied(spec, first) == network(f"relu; train {{ {mended} }}")


def test_values_with_their_names_are_written_without_them():
    first, second = errors(network("conv filters=8 kernel=3x3 same"))
    text = applied(applied(network("conv filters=8 kernel=3x3 same"), second), first)
    assert text == network("conv 8 3x3 same")


@pytest.mark.parametrize("line", ["int c = 8; conv c 3x3", "conv 8 3x3 input=3x32x32"])
def test_what_is_no_slip_is_not_taken_for_one(line: str):
    assert all(d.fix is None for d in errors(network(line)) if d.code in ("E102", "E103"))


def test_a_product_where_a_size_is_meant_is_warned_of():
    spec = network("conv 32 3*3")
    (found,) = diagnostics_of(spec)
    assert (found.code, applied(spec, found)) == ("W003", network("conv 32 3x3"))


@pytest.mark.parametrize(
    "line",
    ["input 3,32,32", "input(3, 32, 32)", "input: 3x32x32", "input = 3x32x32", "input 3 32 32",
     "input shape=3x32x32", "Input 3x32x32"],
)  # fmt: skip
def test_ways_of_writing_the_input(line: str):
    (found,) = errors(f"{line}\nrelu\n")
    assert applied(f"{line}\nrelu\n", found) == "input 3x32x32\nrelu\n"


@pytest.mark.parametrize("line", ["concat(a, b)", "add [ a ]", "relu + x"])
def test_labels_that_do_not_exist_are_not_written(line: str):
    (found,) = errors(network(line))
    assert found.fix is None


def test_layers_by_their_number_have_no_text_to_write():
    (found,) = errors(network("relu; from -2"))
    assert found.fix is None
    assert found.help == (
        "name the layer that is meant, as in `e1: conv 64 3x3`, and write `from e1`: labels, not "
        "numbers"
    )


# In blocks, whose text serves other shapes, too


def test_in_a_block_a_number_is_written_only_in_its_own_words():
    block = "block b(c, s) { residual { conv c 3x3 same /s bn } relu }"
    (found,) = errors(network(block, "b 3 2"))
    assert found.fix is not None
    assert "add { conv c 3x3 same /s bn | conv c 1x1 /s } relu" in applied(
        network(block, "b 3 2"), found
    )
    (found,) = errors(network("block b(g) { conv 8 1x1 groups=g }", "b 5"))
    assert found.fix is None


# All others

HAND_WRITTEN = {
    **{f"code {code}": network(line) for code, (line, _) in CODES.items()},
    **{title: spec for title, (spec, _) in examples().items()},
    **{line: network("e1: conv 8 3x3 same relu", line, "conv 16 3x3 same", "gap; dense 10")
       for line in HABITS if not line.startswith("use ")},
}  # fmt: skip


@pytest.mark.parametrize("name", HAND_WRITTEN)
def test_the_text_of_a_help_mends(name: str):
    assert unmended(HAND_WRITTEN[name]) == []


@given(mistakes())
@settings(
    max_examples=150, derandomize=True, deadline=None, database=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
def test_the_text_of_a_help_mends_in_any_net(spec: str):
    assert unmended(spec) == []


EXAMPLES = {
    "avgpool": "for example `avgpool 2`;",
    "conv 8": "for example `conv 32 3x3 same relu`;",
    "conv 8 3x3; gn": "for example `gn 32`;",
    "conv 1.5 3x3": "write `1` or `2`",
    "train { epochs 2.5 }": "write `2` or `3`",
    "train { seed }": "for example `seed 0`;",
    "train { val 0.2 }": "did you mean `holdout`?",
    "conv 8 3x3 init=whitening": "did you mean `whiten`?",
    "train { optimizer muon rest=adam }": "did you mean `adamw`?",
}


@pytest.mark.parametrize("line", EXAMPLES)
def test_a_value_that_lacks_or_does_not_fit_is_shown(line: str):
    (found,) = errors(network(line))
    assert found.help is not None
    assert found.help.startswith(EXAMPLES[line])
