"""What the language means: how text becomes a model. Layers have their own tests."""

import os
import pickle
import re
from pathlib import Path
from typing import Any

import lark
import pytest

import cnndsl
from cnndsl import limits
from cnndsl.ir import Model
from cnndsl.layers import vocabulary
from cnndsl.layers.activation import LeakyRelu
from cnndsl.layers.conv import Conv
from cnndsl.losses import CrossEntropy
from cnndsl.lr_schedules import Cosine
from cnndsl.optim import Adam, Sgd
from cnndsl.passes.analyse import analyse
from cnndsl.passes.control import WORDS
from cnndsl.passes.includes import decode, read
from cnndsl.passes.settings import parse_settings
from cnndsl.recipe import Recipe
from cnndsl.resources import folder as resource
from cnndsl.source import Failed, UserError


def model(*lines: str, **settings: float) -> Model:
    """The model of some lines behind an input of 16x16x16."""
    return cnndsl.parse("\n".join(["input 16x16x16", *lines]), **settings).ir


def made(*lines: str, **settings: float) -> list[str]:
    """The layers as words with their output shapes: `conv 8x14x14`."""
    nodes = model(*lines, **settings).nodes[1:]
    return [f"{node.layer.word} {'x'.join(map(str, node.shape))}" for node in nodes]


def words(*lines: str) -> list[str]:
    """The layers as words."""
    return [node.layer.word for node in model(*lines).nodes[1:]]


def paths(*lines: str) -> list[str]:
    """The layers by name."""
    return [node.path for node in model(*lines).nodes[1:]]


def conv(line: str, *before: str) -> Conv:
    """The last layer, a convolution."""
    layer = model(*before, line).nodes[-1].layer
    assert isinstance(layer, Conv)
    return layer


def spots(text: str) -> list[str]:
    """What is complained of."""
    return [f"{d.code} {d.span.line}:{d.span.column}" for d in cnndsl.check(text)]


def codes(*lines: str) -> list[str]:
    """The codes of the errors behind an input."""
    found = cnndsl.check("\n".join(["input 16x16x16", *lines]))
    return [d.code for d in found if d.severity == "error"]


# The grammar

GRAMMAR = (resource("grammar") / "cnn.lark").read_text(encoding="utf-8")


def test_the_grammar_has_no_conflicts_and_no_colliding_terminals():
    lark.Lark(GRAMMAR, parser="lalr", lexer="basic", strict=True, start=["start", "unreadable"])


def test_the_grammar_names_no_layer_and_no_control_word():
    literals = set(re.findall(r'"([a-z_]\w*)"', GRAMMAR))
    assert literals == {"let", "block", "use", "if", "else", "or", "and", "not", "true", "false"}
    assert not literals & ({*vocabulary(), *WORDS})


# Form


def test_newline_and_semicolon_are_the_same_and_empty_ones_mean_nothing():
    assert words("relu; relu", "", ";;relu;", "", "relu ;") == ["relu"] * 4


def test_comments_go_to_the_end_of_the_line():
    assert words("relu # bn; relu", "#relu", "relu") == ["relu", "relu"]


def test_braces_may_stand_on_lines_of_their_own():
    assert words("residual", "{", "relu", "}", "relu") == ["relu", "residual", "relu"]


@pytest.mark.parametrize("text", ["input 16x8x8\r\nrelu\r\n", "\ufeffinput 16x8x8\nrelu\n"])
def test_line_ends_and_marks_of_other_systems(text: str):
    assert decode(text.encode()) == "input 16x8x8\nrelu\n"


def test_bytes_that_are_not_utf_8_are_found_where_they_stand():
    assert spots(decode(b"input 16x8x8\nrelu \xff")) == ["E004 2:6"]


# Glue: what `/`, `*` and `(` mean


@pytest.mark.parametrize(
    ("line", "stride"),
    [
        ("conv 8 3x3 /2", (2, 2)),
        ("conv 8 3x3 stride=2", (2, 2)),
        ("conv 8 3x3 /2x1", (2, 1)),
        ("conv 8 3x3 /s", (2, 2)),
        ("conv 8 3x3 /(s*2)", (4, 4)),
        ("conv 8 3x3\t/2", (2, 2)),
    ],
)
def test_a_slash_with_space_before_and_none_after_is_the_stride(line: str, stride: Any):
    assert conv(line, "let s = 2").stride == stride


@pytest.mark.parametrize(
    ("line", "filters"),
    [
        ("conv 16/2 3x3", 8),
        ("conv 16 / 2 3x3", 8),
        ("conv (16 /2) 3x3", 8),
        ("conv 16//3 3x3", 5),
        ("conv 4*c 3x3", 8),
        ("conv 4 * c 3x3", 8),
        ("conv (4 *c) 3x3", 8),
        ("conv min(16, 4 *c) 3x3", 8),
        ("conv c*(1 + 3) 3x3", 8),
        ("conv ch/2 3x3", 8),
    ],
)
def test_elsewhere_slash_and_star_are_arithmetic(line: str, filters: int):
    assert conv(line, "let c = 2").filters == filters


def test_a_star_with_space_before_and_none_after_repeats_the_statement():
    assert words("relu *3") == ["relu"] * 3
    assert words("let n = 2", "conv 8 3x3 same bn *n") == ["conv", "bn"] * 2
    assert words("residual { relu *2 } *2") == ["relu", "relu", "residual"] * 2
    assert words("relu *0", "tanh") == ["tanh"]


def test_a_parenthesis_right_behind_a_name_is_a_call_and_else_an_argument():
    assert conv("conv min(8, 9) 3x3").filters == 8
    assert conv("conv (8) 3x3").filters == 8
    assert codes("conv(8) 3x3") == ["E001"]


def test_a_minus_between_items_is_a_subtraction_and_keys_may_be_negative():
    assert conv("conv 10 - 2 3x3").filters == 8
    assert conv("conv 10 -2 3x3").filters == 8
    assert model("leaky alpha=-0.5").nodes[-1].layer == LeakyRelu(alpha=-0.5)


@pytest.mark.parametrize("number", ["3x", "3x3x", "3.5.1", "3a", "1e", "0x10x", "3_0"])
def test_numbers_end_where_a_word_ends(number: str):
    assert codes(f"conv 8 {number}")[0] == "E002"


def test_a_repeat_is_a_whole_number():
    assert codes("relu *1.5") == codes("relu *true") == codes("relu *(-1)") == ["E106"]
    assert codes("relu *2 *3") == ["E108"]


# Items of a statement


def test_words_behind_a_layer_apply_in_their_order():
    assert words("conv 8 3x3 bn relu") == ["conv", "bn", "relu"]
    assert words("conv 8 3x3 relu bn dropout 0.5") == ["conv", "relu", "bn", "dropout"]
    assert words("bn relu") == ["bn", "relu"]


def test_a_key_belongs_to_the_nearest_word_on_its_left_that_has_it():
    nodes = model("conv 8 3x3 bn eps=0.5 leaky alpha=0.25 l2=0.125").nodes[1:]
    conv_, bn, leaky = (node.layer for node in nodes)
    assert (conv_.l2, bn.eps, leaky.alpha) == (0.125, 0.5, 0.25)  # pyright: ignore
    first, second = (n.layer for n in model("bn eps=0.5 ln eps=0.25").nodes[1:])
    assert (first.eps, second.eps) == (0.5, 0.25)  # pyright: ignore


def test_flags_and_keys_may_stand_behind_later_words():
    layer = model("conv 8 3x3 bn relu same nobias /2").nodes[1].layer
    assert layer == Conv(8, (3, 3), padding="same", bias=False, stride=(2, 2))


def test_sizes_are_one_number_or_one_word():
    assert conv("conv 8 3").kernel == conv("conv 8 3x3").kernel == conv("conv 8 k=3").kernel
    assert conv("conv 8 1x7").kernel == (1, 7)


def test_a_whole_float_is_a_whole_number():
    assert conv("conv 16/2 3").filters == 8
    assert codes("conv 16/3 3") == ["E106"]


def test_quoted_texts_are_values():
    assert codes('conv 8 3x3 "abc"') == ["E104"]
    assert codes('relu "abc"') == ["E104"]
    assert codes("block b(c) { conv c 3x3 }", 'b "8"') == ["E106"]


# Bias


@pytest.mark.parametrize(
    ("line", "has_bias"),
    [
        ("conv 8 3x3", True),
        ("conv 8 3x3 relu", True),
        ("conv 8 3x3 bn", False),
        ("conv 8 3x3 relu bn", False),
        ("conv 8 3x3 bn bias", True),
        ("conv 8 3x3 nobias", False),
        ("conv 8 3x3; bn", True),
        ("conv 8 3x3 ln", True),
        ("flatten; dense 8 bn", False),
        ("dwconv 3x3 bn", False),
        ("upconv 8 2x2 bn", False),
    ],
)
def test_the_bias_is_on_unless_bn_follows_in_the_statement(line: str, has_bias: bool):
    weighted = next(n for n in model(line).nodes if any(p.name == "weight" for p in n.params))
    assert any(p.name == "bias" for p in weighted.params) == has_bias


# Defaults


def test_default_appends_words_to_later_statements():
    assert words("conv 8 3", "default conv bn relu", "conv 8 3", "conv 8 3 plain") == [
        "conv", "conv", "bn", "relu", "conv",
    ]  # fmt: skip


def test_what_a_statement_says_itself_wins_over_the_default():
    layers = model("default conv same /2 bn", "conv 8 3x3 valid", "conv 8 3x3 /1").nodes
    assert layers[1].layer == Conv(8, (3, 3), padding="valid", stride=(2, 2), bias=False)
    assert layers[3].layer == Conv(8, (3, 3), padding="same", stride=(1, 1), bias=False)


def test_a_default_reaches_its_word_wherever_it_stands():
    start = ("default bn eps=1e-2 momentum=0.3", "default dropout 0.1", "default leaky alpha=0.2")
    for line in (
        "conv 8 3x3 bn dropout leaky",
        "block b { conv 8 3x3 bn dropout leaky }; b",
        "block b { conv 8 3x3 }; b bn dropout leaky",
        "default conv bn dropout leaky; conv 8 3x3",
        "default bn dropout leaky; conv 8 3x3 bn",
    ):
        bn, dropout, leaky = (node.layer for node in model(*start, line).nodes[-3:])
        assert (bn.eps, bn.momentum, dropout.p, leaky.alpha) == (0.01, 0.3, 0.1, 0.2), line


def test_a_word_says_more_than_its_default():
    start = ("default bn eps=1e-2 momentum=0.3", "default dropout 0.1", "default pool 3")
    bn, dropout, pool = model(*start, "conv 8 3x3 bn eps=1 dropout 0.7", "pool 2").nodes[-3:]
    assert (bn.layer.eps, bn.layer.momentum) == (1, 0.3)
    assert (dropout.layer.p, pool.layer.kernel) == (0.7, (2, 2))
    assert model(*start, "conv 8 3x3 bn plain").nodes[-1].layer.eps == 1e-5


def test_defaults_of_defaults_end():
    many = [f"default {a} {b} {b}" for a, b in (("bn", "relu"), ("relu", "tanh"), ("tanh", "bn"))]
    assert words(*many, "conv 8 3 bn") == ["conv", "bn", "relu", "relu"]


def test_defaults_end_with_their_scope():
    assert words("residual { default conv relu; conv 16 3x3 same }", "conv 8 3") == [
        "conv", "relu", "residual", "conv",
    ]  # fmt: skip


def test_a_block_has_the_defaults_of_its_definition():
    assert words("block b { conv 8 3 }", "default conv relu", "b") == ["conv"]
    assert words("default conv relu", "block b { conv 8 3 }", "b") == ["conv", "relu"]


# Branches and labels


def test_each_branch_starts_from_the_current_tensor():
    nodes = model("concat { conv 8 1x1 | conv 4 1x1 |  | id }").nodes
    assert [n.inputs for n in nodes] == [(), (0,), (0,), (0,), (1, 2, 0, 3)]
    assert nodes[-1].shape == (44, 16, 16)


def test_residual_adds_its_branch_to_its_input():
    assert model("residual { relu; tanh }").nodes[-1].inputs == (2, 0)


def test_residual_auto_adds_only_where_shapes_agree():
    assert made("residual auto { conv 16 3x3 same }")[-1] == "residual 16x16x16"
    assert made("residual auto { conv 8 3x3 same }")[-1] == "residual 8x16x16"


def test_a_merge_with_a_label_takes_the_current_tensor_first():
    nodes = model("e1: conv 8 1x1", "conv 4 1x1", "concat e1").nodes
    assert nodes[-1].inputs == (2, 1)


def test_words_may_follow_a_group():
    assert words("add { relu | id } tanh") == ["relu", "id", "add", "tanh"]


def test_from_goes_on_with_a_labelled_tensor():
    assert model("e1: conv 8 1x1", "conv 4 1x1", "from e1; relu").nodes[-1].inputs == (1,)


def test_the_input_may_have_a_label():
    assert cnndsl.parse("x: input 4x8x8\nconv 4 1x1; add x").ir.nodes[-1].inputs == (1, 0)


def test_a_label_means_the_end_of_its_statement():
    assert model("e1: conv 8 1x1 bn relu", "tanh; add e1").nodes[-1].inputs == (4, 3)


def test_labels_are_seen_in_inner_branches_but_not_through_blocks():
    assert words("e1: relu", "residual { tanh; add e1 }")[-2:] == ["add", "residual"]
    assert codes("e1: relu", "block b { add e1 }", "b") == ["E111"]
    assert codes("block b { e1: relu }", "b; add e1") == ["E111"]
    assert codes("residual { e1: relu }", "add e1") == ["E111"]


# Outputs


def outputs(*lines: str) -> dict[str, tuple[int, ...]]:
    return dict(model(*lines).output_shapes())


def test_the_last_statement_is_the_output():
    assert outputs("conv 8 1x1") == {"output": (8, 16, 16)}


def test_output_names_what_stands_there():
    assert outputs("conv 8 1x1", "output maps") == {"maps": (8, 16, 16)}


def test_output_of_a_label_is_one_more_output():
    assert outputs("e1: conv 8 1x1", "conv 4 1x1", "output e1") == {
        "e1": (8, 16, 16), "output": (4, 16, 16),
    }  # fmt: skip


def test_an_auxiliary_output_leaves_the_current_tensor():
    assert outputs("conv 8 1x1", "output aux { gap; dense 10 }", "conv 4 1x1") == {
        "aux": (10,), "output": (4, 16, 16),
    }  # fmt: skip


# Values


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 3*4", 14), ("(2 + 3)*4", 20), ("10 - 2 - 3", 5), ("7 // 2", 3), ("7 % 4", 3),
        ("6 / 2", 3), ("-2 + 10", 8), ("-2*3 + 10 - 1", 3),
        ("10 + (-7 // 2)", 6), ("-(2 - 5)", 3), ("ch", 16), ("ch // 2", 8), ("min(3, ch, 9)", 3),
        ("max(3, ch)", 16), ("ceil(2.1)", 3), ("floor(2.9)", 2), ("round8(37)", 40),
        ("round8(3)", 8), ("1e1", 10), ("2.0", 2), (".5*4", 2),
    ],
)  # fmt: skip
def test_arithmetic(expression: str, value: int):
    assert conv("conv n 1x1", f"let n = {expression}").filters == value


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("true", True), ("false", False), ("ch == 16", True), ("ch != 16", False),
        ("ch > 8 and ch < 20", True), ("ch < 8 or ch >= 16", True), ("not ch <= 16", False),
        ("not not true", True), ("not false and false", False), ("true or false and false", True),
        ("1", True), ("0", False), ("true == 1", True), ("false and 1/0 > 0", False),
    ],
)  # fmt: skip
def test_conditions(condition: str, holds: bool):
    assert words(f"relu if {condition}", "tanh") == ["relu"] * holds + ["tanh"]
    taken = words(f"if {condition} {{ relu }} else {{ tanh }}")
    assert taken == ["relu" if holds else "tanh"]


def test_else_if():
    lines = "if n == 1 { relu } else if n == 2 { tanh } else { selu }"
    assert [words(f"let n = {n}", lines) for n in (1, 2, 3)] == [["relu"], ["tanh"], ["selu"]]


def test_the_branch_of_a_condition_may_be_empty():
    assert words("if ch > 100 { relu }", "tanh") == ["tanh"]


def test_ch_is_the_number_of_channels_here():
    assert made("conv 8 1x1", "conv ch*2 1x1", "conv ch*2 1x1")[-1] == "conv 32x16x16"
    assert made("conv ch*2 1x1 *3")[-1] == "conv 128x16x16"


def test_a_let_is_worked_out_where_it_stands():
    assert conv("conv c 1x1", "let c = ch", "conv 8 1x1").filters == 16


def test_names_never_change():
    assert codes("let k = 1", "let k = 2", "relu") == ["E110"]
    assert codes("let ch = 1", "relu") == ["E110"]
    assert words("let k = 2", "residual { let k = 3; relu *k }") == ["relu"] * 3 + ["residual"]


def test_settings_override_lets_of_the_file_only():
    spec = ("let k = 8", "let j = k*2", "block b { let k = 3; conv k 1x1 }", "b; conv j 1x1")
    assert made(*spec)[-2:] == ["conv 3x16x16", "conv 16x16x16"]
    assert made(*spec, k=5)[-2:] == ["conv 3x16x16", "conv 10x16x16"]
    with pytest.raises(UserError, match="did you mean `kk`"):
        model("let kk = 3", "relu", Kk=3)
    with pytest.raises(UserError, match="has no `let`"):
        model("relu", k=3)


def test_settings_do_not_reach_into_included_files(tmp_path: Path):
    (tmp_path / "part.cnn").write_text("let k = 3; block part { conv k 1x1 }")
    spec = tmp_path / "m.cnn"
    spec.write_text('input 3x8x8; let k = 8; block b { use "part.cnn"; part }; b; conv k 1x1')
    shapes = [node.shape for node in cnndsl.load(spec, k=5).ir.nodes]
    assert shapes[1:] == [(3, 8, 8), (5, 8, 8)]


# Blocks

BLOCK = "block b(c, stride=1, wide=2*c) { conv c 3x3 same /stride relu; conv wide 1x1 }"


@pytest.mark.parametrize(
    ("call", "shapes"),
    [
        ("b 8", ["conv 8x16x16", "relu 8x16x16", "conv 16x16x16"]),
        ("b 8 /2", ["conv 8x8x8", "relu 8x8x8", "conv 16x8x8"]),
        ("b 8 2", ["conv 8x8x8", "relu 8x8x8", "conv 16x8x8"]),
        ("b 8 2 5", ["conv 8x8x8", "relu 8x8x8", "conv 5x8x8"]),
        ("b 8 wide=5", ["conv 8x16x16", "relu 8x16x16", "conv 5x16x16"]),
        ("b c=8 /2 wide=ch", ["conv 8x8x8", "relu 8x8x8", "conv 16x8x8"]),
    ],
)
def test_blocks_are_called_like_layers(call: str, shapes: list[str]):
    lines = (BLOCK.replace("wide=2*c", "wide=16"), call)
    assert made(*lines) == shapes


def test_words_may_follow_a_block():
    assert words("block b { conv 8 3 }", "b bn relu") == ["conv", "bn", "relu"]


def test_blocks_may_be_defined_after_their_use_and_inside_others():
    assert words("a", "block a { block c { relu }; c; tanh }") == ["relu", "tanh"]
    assert codes("block a { block c { relu } }", "a; c") == ["E101"]


def test_blocks_see_the_variables_around_their_definition():
    assert words("let n = 2", "block b { relu *n }", "b") == ["relu"] * 2
    assert codes("block b { relu *n }", "block a(n) { b }", "a 3") == ["E102"]


def test_blocks_do_not_recurse():
    assert codes("block a { relu; b }", "block b { a }", "a") == ["E112"]


# Names of weights


def test_names_are_words_with_their_number_in_the_block():
    assert paths("conv 8 3 bn relu", "conv 8 3 bn", "relu") == [
        "conv_1", "bn_1", "relu_1", "conv_2", "bn_2", "relu_2",
    ]  # fmt: skip


def test_names_are_nested_by_calls_and_counted_by_repeats():
    assert paths("block b { conv 8 3; relu }", "b *2", "conv 8 3") == [
        "b_1.conv_1", "b_1.relu_1", "b_2.conv_1", "b_2.relu_1", "conv_1",
    ]  # fmt: skip


def test_a_label_pins_the_names_of_its_statement():
    assert paths("block b { conv 8 3 }", "stem: conv 8 3 bn", "s: b", "t: b *2", "conv 8 3") == [
        "stem", "stem.bn_1", "s.conv_1", "t_1.conv_1", "t_2.conv_1", "conv_1",
    ]  # fmt: skip


def test_names_are_never_given_twice():
    found = paths("block b { a: conv 8 1 }", "b_1: relu", "b *2", "add { x: relu | x: tanh }")
    assert len(found) == len(set(found))


def test_tensors_are_named_by_path():
    assert list(model("conv 8 3 bn").tensors()) == [
        "conv_1.weight", "bn_1.weight", "bn_1.bias", "bn_1.running_mean", "bn_1.running_var",
    ]  # fmt: skip


def test_formatting_never_changes_names():
    plain = "input 16x8x8\nblock b(c) { conv c 3x3 same bn relu }\nresidual { b 16 }\nb 8\n"
    airy = plain.replace("; ", "\n").replace("{ ", "{\n\n   # why\n").replace(" }", "\n}")
    assert list(cnndsl.parse(plain).ir.tensors()) == list(cnndsl.parse(airy).ir.tensors())


# The training section


def recipe(section: str) -> Recipe:
    found = model("let n = 4", "gap; dense 10", f"train {{ {section} }}").recipe
    assert found is not None
    return found


def test_without_a_section_there_is_no_recipe():
    assert model("relu").recipe is None


def test_an_empty_section_is_the_default_recipe():
    assert recipe("") == Recipe()


def test_a_whole_recipe():
    found = recipe(
        "data cifar10; batch 8*n; epochs 30; loss cross_entropy smooth=0.1;"
        "optimizer sgd lr=0.1 momentum=0.9 nesterov decay=5e-4; schedule cosine warmup=2;"
        "augment flip crop=4; seed 7; clip 1.0; ema 0.999; stop 5"
    )
    assert (found.data, found.batch, found.epochs, found.seed) == ("cifar10", 32, 30, 7)
    assert found.loss == CrossEntropy(smooth=0.1)
    assert found.optimizer == Sgd(lr=0.1, momentum=0.9, nesterov=True, decay=5e-4)
    assert found.schedule == Cosine(warmup=2.0)
    assert (found.augment.flip, found.augment.crop) == (True, 4)
    assert (found.clip, found.ema, found.stop) == (1.0, 0.999, 5)


def test_data_is_a_name_or_a_quoted_path():
    assert recipe("data shapes").data == "shapes"
    assert recipe('data "my pictures/train"').data == "my pictures/train"


def test_settings_may_depend_on_variables():
    assert recipe("epochs 3 if n > 10; epochs n if n <= 10").epochs == 4
    assert recipe("optimizer adam lr=n*1e-3").optimizer == Adam(lr=4e-3)


@pytest.mark.parametrize(
    ("section", "code"),
    [
        ("epoch 3", "E501"), ("optimizer adma", "E503"), ("epochs 3; epochs 4", "E108"),
        ("epochs", "E105"), ("epochs 0", "E107"), ("epochs 1.5", "E106"), ("loss", "E105"),
        ("optimizer adam lr=-1", "E107"), ("optimizer adam rate=1", "E103"),
        ("let k = 3", "E502"), ("relu", "E501"), ("epochs 3 | batch 3", "E109"),
    ],
)  # fmt: skip
def test_mistakes_in_the_section(section: str, code: str):
    assert codes("gap; dense 10", f"train {{ {section} }}") == [code]


def test_an_argument_written_with_its_name_is_told_without_it():
    told = cnndsl.check(
        "input 3x8x8; conv kernel=3 16; gap; dense units=10; train { ema decay=0.99; seed value=3 }"
    )
    assert [d.help for d in told] == [
        "`kernel` is written without its name; the order is `conv <filters> <kernel>`",
        "`units` is written without its name: `dense 10`",
        "`decay` is written without its name: `ema 0.99`",
        "`seed` has no keys: write `seed <number>`",
    ]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("input 3x8x8 { relu }", "E109"), ("input 3x8x8 *2", "E104"),
        ("a: relu; from a { relu }", "E109"), ("a: relu; from a *2", "E104"),
        ("output a { relu } relu", "E104"), ("output a { relu } *2", "E104"),
        ("default conv same { relu }", "E109"), ("x: default conv same", "E109"),
        ("train epochs=9 { epochs 3 }", "E104"), ("train { epochs 3 } relu", "E104"),
        ("x: train { epochs 3 }", "E109"), ("train { batch 3 { epochs 3 } }", "E109"),
        ("train { batch 8 *4 }", "E104"), ("train { x: batch 8 }", "E109"),
    ],
)  # fmt: skip
def test_what_a_control_word_does_not_take_is_not_lost(line: str, code: str):
    first = "" if line.startswith("input") else "input 3x8x8\n"
    assert [spot[:4] for spot in spots(f"{first}{line}\nrelu")] == [code]


def test_a_from_names_its_tensor():
    assert spots("input 3x8x8\na: relu; b: conv 3 3x3 same\nx: from a; conv 3 1x1; add x b") == []


def test_a_repeat_may_be_a_fraction_that_is_whole():
    nodes = cnndsl.parse("let n = 4/2; input 3x8x8; relu *n; relu *(16/8)").ir.nodes
    assert [node.layer.word for node in nodes] == ["input"] + ["relu"] * 4


@pytest.mark.parametrize("text", ["inf", "nan", "1e999", "1_0", "１", "", "x"])
def test_a_setting_is_a_number_of_the_language(text: str):
    with pytest.raises(cnndsl.UserError, match="write NAME=NUMBER"):
        parse_settings([f"k={text}"])


# The header


def test_the_version_header_comes_first():
    assert spots("cnn 1\ninput 3x8x8\nrelu") == []
    assert spots("input 3x8x8\ncnn 1\nrelu") == ["E005 2:1"]
    assert spots("cnn 1.5\ninput 3x8x8\nrelu") == ["E005 1:1"]


# Included files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a spec's parts, and one file outside of it."""
    inside = tmp_path / "specs"
    (inside / "parts").mkdir(parents=True)
    (inside / "blocks.cnn").write_text("let k = 4\nblock b(c) { conv c*k 1x1 }\n")
    (inside / "parts/inner.cnn").write_text('use "deep.cnn"\nblock c { d }\n')
    (inside / "parts/deep.cnn").write_text("default conv relu\nblock d { conv 5 1x1 }\n")
    (tmp_path / "secret.cnn").write_text("block b(c) { relu }\n")
    return inside


def including(folder: Path, *lines: str) -> tuple[Model | None, list[str]]:
    """The model of a spec in a folder and the codes of what is said."""
    spec = folder / "spec.cnn"
    spec.write_text("\n".join([*lines[:1], "input 16x16x16", *lines[1:]]))
    found, diagnostics = analyse(read(spec))
    return found, [d.code for d in diagnostics]


def test_use_brings_blocks_and_variables(folder: Path):
    found, said = including(folder, 'use "blocks.cnn"', "b 2; conv k 1x1")
    assert said == []
    assert found is not None
    assert [n.shape[0] for n in found.nodes] == [16, 8, 4]


def test_included_files_include_beside_themselves_and_keep_their_defaults(folder: Path):
    found, said = including(folder, 'use "parts/inner.cnn"', "c; conv 6 1x1")
    assert said == []
    assert found is not None
    assert [n.path for n in found.nodes[1:]] == ["c_1.d_1.conv_1", "c_1.d_1.relu_1", "conv_1"]


def test_what_a_file_brings_may_not_be_defined_again(folder: Path):
    assert including(folder, 'use "blocks.cnn"; let k = 3', "relu")[1] == ["E110"]


@pytest.mark.parametrize(
    "path", ["../secret.cnn", "parts/../../secret.cnn", "parts/../blocks.cnn", "/etc/passwd", ""]
)
def test_paths_that_leave_the_folder_are_refused(folder: Path, path: str):
    assert including(folder, f'use "{path}"', "relu")[1] == ["E402"]


def test_a_nul_in_a_path_is_refused(folder: Path):
    assert including(folder, 'use "a\0b"', "relu")[1] == ["E402"]


def test_links_folders_and_pipes_are_refused(folder: Path):
    (folder / "symbolic.cnn").symlink_to(folder / "blocks.cnn")
    (folder / "outside").symlink_to(folder.parent)
    os.link(folder.parent / "secret.cnn", folder / "hard.cnn")
    os.mkfifo(folder / "pipe.cnn")
    for path in ("symbolic.cnn", "outside/secret.cnn", "hard.cnn", "pipe.cnn", "parts"):
        assert including(folder, f'use "{path}"', "relu")[1] == ["E402"]


def test_a_spec_behind_a_link_may_include_its_neighbours(folder: Path):
    """Links above the spec's folder are the user's own."""
    (folder.parent / "link").symlink_to(folder)
    assert including(folder.parent / "link", 'use "blocks.cnn"', "b 2")[1] == []


def test_a_file_that_is_not_there(folder: Path):
    assert including(folder, 'use "no.cnn"', "relu")[1] == ["E401"]


def test_a_text_without_a_file_includes_nothing():
    assert codes('use "blocks.cnn"', "relu") == ["E402"]


def test_circles_are_found(folder: Path):
    (folder / "self.cnn").write_text('use "self.cnn"\n')
    assert including(folder, 'use "self.cnn"', "relu")[1] == ["E403"]
    (folder / "back.cnn").write_text('use "spec.cnn"\n')
    assert including(folder, 'use "back.cnn"', "relu")[1] == ["E403"]


def test_a_file_included_twice_is_read_once(folder: Path):
    (folder / "left.cnn").write_text('use "shared.cnn"\nblock l { s }\n')
    (folder / "right.cnn").write_text('use "shared.cnn"\nblock r { s }\n')
    (folder / "shared.cnn").write_text("block s { relu }\n")
    assert including(folder, 'use "left.cnn"; use "right.cnn"', "l; r; s")[1] == []


def test_layers_do_not_stand_in_included_files(folder: Path):
    (folder / "layers.cnn").write_text("relu\n")
    assert including(folder, 'use "layers.cnn"', "relu")[1] == ["E404"]


# Limits


def test_size_of_a_spec(tmp_path: Path):
    long = "#" * (limits.SPEC_BYTES + 1)
    assert spots(long) == ["E900 1:1"]
    assert spots("#" * limits.SPEC_BYTES) == ["E301 1:1"]
    (tmp_path / "long.cnn").write_text(long)
    with pytest.raises(UserError, match="at most 256 KiB"):
        read(tmp_path / "long.cnn")


def test_words_and_signs():
    statements = "block b { }\n" * ((limits.TOKENS - 8) // 5)
    assert codes(statements, "relu") == ["E110"] * limits.ERRORS
    assert codes(statements * 2, "relu") == ["E900"]


def test_nesting():
    assert codes("add { " * limits.NESTING + "}" * limits.NESTING) == []
    assert codes("add { " * 65 + "}" * 65) == ["E901"]
    assert codes("conv " + "(" * 64 + "8" + ")" * 64 + " 1") == []
    assert codes("conv " + "(" * 65 + "8" + ")" * 65 + " 1") == ["E901"]


def test_nesting_of_calls():
    chain = [f"block b{n} {{ b{n + 1} }}" for n in range(70)]
    assert codes(*chain, "block b70 { relu }", "b0") == ["E901"]
    assert codes(*chain, "block b70 { relu }", "b10") == []


def test_layers_are_counted_before_they_are_made():
    assert len(model(f"relu *{limits.LAYERS - 1}").nodes) == limits.LAYERS
    assert codes(f"relu *{limits.LAYERS}") == ["E903"]
    assert codes("relu *9999999999") == ["E903"]
    assert codes("block b { relu *1000 }", "block c { b *1000 }", "c *1000") == ["E903"]


def test_steps_are_counted_where_there_are_no_layers():
    assert codes("block b { }", "block c { b *1000 }", "c *1000") == ["E903"]
    assert codes("block b { let k = 1 }", "b *9999; relu") == []


def test_digits_and_names():
    assert codes("conv 8 1 l2=1234567890") == []
    assert codes("conv 8 1 l2=12345678901") == ["E902"]
    assert codes("conv 8 1 l2=1e400") == ["E902"]
    assert codes("let a = 99999*99999", "let b = a*100", "relu") == ["E902"]
    assert codes(f"let {'n' * 64} = 1", "relu") == []
    assert codes(f"let {'n' * 65} = 1", "relu") == ["E902"]


def test_include_depth(tmp_path: Path):
    for n in range(1, 10):
        (tmp_path / f"{n}.cnn").write_text(f'use "{n + 1}.cnn"\n')
    (tmp_path / "10.cnn").write_text("block b(c) { relu }\n")
    assert including(tmp_path, 'use "3.cnn"', "b 1")[1] == []
    assert including(tmp_path, 'use "2.cnn"', "b 1")[1] == ["E904"]


def test_parameters_and_activations():
    assert codes("flatten; dense 131000") == []
    assert codes("flatten; dense 140000") == ["E905"]
    assert codes("upsample 2000; relu") == ["E906"]


def test_every_limit_is_met_here():
    """A limit added to `cnndsl.limits` needs its test above."""
    assert {name for name in vars(limits) if name.isupper()} == {
        "SPEC_BYTES", "TOKENS", "INCLUDE_DEPTH", "NESTING", "LAYERS", "STEPS", "DIGITS", "NAME",
        "PARAMETERS", "ELEMENTS", "ERRORS",
    }  # fmt: skip


def test_a_failed_spec_is_raised_with_all_that_is_wrong():
    with pytest.raises(Failed, match="E101") as raised:
        cnndsl.parse("input 3x8x8\nrleu\ncnov 8 3x3")
    assert len(raised.value.diagnostics) == 2
    assert str(raised.value) == str(cnndsl.check("input 3x8x8\nrleu\ncnov 8 3x3"))
    assert "2 | rleu\n    | ^^^^" in str(raised.value)
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


def test_a_model_saves_its_spec_and_its_graph(tmp_path):
    model = cnndsl.parse("input 3x8x8\nconv 4 3x3; gap; dense 3\n")
    model.save(tmp_path / "a.cnn")
    assert cnndsl.load(tmp_path / "a.cnn").text == model.text
    model.save(tmp_path / "a.onnx", uint8=True)
    assert (tmp_path / "a.onnx").read_bytes() == model.to_onnx(uint8=True).SerializeToString(
        deterministic=True
    )
    with pytest.raises(cnndsl.UserError, match=r"\.cnn \(the spec\) or \.onnx"):
        model.save(tmp_path / "a.h5")
    with pytest.raises(cnndsl.UserError, match=r"uint8 are for an \.onnx file"):
        model.save(tmp_path / "a.cnn", uint8=True)
