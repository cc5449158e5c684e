"""Spelling is not meaning: the words of other frameworks become what they mean here, or nothing."""

from collections.abc import Iterator

import pytest
from mistakes import diagnostics_of

from cnndsl.fields import keys, specs
from cnndsl.frameworks.words import KINDS, lookup
from cnndsl.frameworks.words.lookup import table
from cnndsl.init import INITIALISERS
from cnndsl.layers import vocabulary
from cnndsl.lints.fixing import fixed
from cnndsl.passes import control
from cnndsl.passes.slips import distance, slip
from cnndsl.passes.synonyms import is_word
from cnndsl.passes.unknown_words import CONTROL, STARTS
from cnndsl.recipe import CHOSEN, PLAIN
from cnndsl.source import Diagnostic, Source

OURS = {
    "layer": {*vocabulary(), *CONTROL, *STARTS},
    "init": {*INITIALISERS},
    "loss": {*CHOSEN["loss"]},
    "optimizer": {*CHOSEN["optimizer"]},
    "schedule": {*CHOSEN["schedule"]},
    "setting": {*PLAIN, *CHOSEN, "lr", "decay", "eps", "smooth", "warmup"},
    "augment": {spec.title for spec in specs(PLAIN["augment"])},
    "data": {"cifar10", "mnist", "shapes"},
}
SPECS = {
    "layer": "input 3x32x32\nconv 8 3x3 same\n{}\ngap; dense 10\n",
    "init": "input 3x32x32\nconv 8 3x3 same init={}\ngap; dense 10\n",
    "setting": "input 3x32x32\ngap; dense 10\ntrain {{ {} 5 }}\n",
    "augment": "input 3x32x32\ngap; dense 10\ntrain {{ augment {} }}\n",
}
for _kind in ("loss", "optimizer", "schedule"):
    SPECS[_kind] = f"input 3x32x32\ngap; dense 10\ntrain {{{{ {_kind} {{}} }}}}\n"
NAMES = OURS | {"setting": {*PLAIN, *CHOSEN}, "augment": {"flip"}}


def first_of(text: str) -> str:
    return text.split("=")[0].split()[0]


def errors(spec: str) -> list[Diagnostic]:
    return [d for d in diagnostics_of(spec) if d.severity == "error"]


def test_control_words_are_named_once():
    assert (*control.WORDS,) == CONTROL


@pytest.mark.parametrize("kind", KINDS)
def test_a_word_has_a_counterpart_or_a_line_that_says_what_is_nearest(kind: str):
    for word, meaning in table(kind).items():
        assert meaning.counterpart or meaning.remark, word
        if kind in OURS and meaning.counterpart and first_of(meaning.counterpart) not in OURS[kind]:
            assert meaning.remark, f"{word}: `{meaning.counterpart}` does not exist"


@pytest.mark.parametrize("kind", OURS)
def test_nothing_is_nearest_to_what_exists(kind: str):
    for word, meaning in table(kind).items():
        if meaning.counterpart and first_of(meaning.counterpart) in OURS[kind]:
            assert "nearest" not in (meaning.remark or ""), word


def test_a_word_stands_in_one_line_of_its_kind():
    for kind, lines in KINDS.items():
        words = [w for line in lines.splitlines() for w in line.partition(" = ")[0].split()]
        assert len(words) == len({*words}), kind


def test_keys_exist():
    classes = [*vocabulary().values(), *PLAIN.values()]
    classes += [cls for choices in CHOSEN.values() for cls in choices.values()]
    known = {key for cls in classes for key in keys(cls)}
    missing = {m.counterpart for m in table("key").values() if m.counterpart} - known
    assert missing <= {"at"}


def wrong_fixes(kind: str) -> Iterator[str]:
    """Words whose fix is another thing than the table's."""
    for word in table(kind):
        if word in OURS[kind]:
            continue
        if word[0].isdigit():
            continue  # no name of ours, and an error of its own
        (said, *_) = errors(SPECS[kind].format(word))
        meaning = lookup(kind, word, OURS[kind])
        wanted = meaning.counterpart if meaning else None
        written = said.fix.text if said.fix and said.fix.text else None
        is_key = wanted is not None and first_of(wanted) not in NAMES[kind]
        behind_its_owner = is_key and f"{wanted}=" in str(written)  # `optimizer adam lr=5`
        if written != (None if is_key else wanted) and not behind_its_owner:
            yield f"{word}: {written} instead of {wanted}"


@pytest.mark.parametrize("kind", SPECS)
def test_fixes_write_what_the_table_says_and_nothing_else(kind: str):
    assert list(wrong_fixes(kind)) == []


@pytest.mark.parametrize("kind", SPECS)
def test_every_word_gets_help(kind: str):
    for word in table(kind):
        if word not in OURS[kind]:
            said = errors(SPECS[kind].format(word))[0].help
            assert said, word
            assert said != "`cnndsl layers` lists the layers", word


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("maxpool3d 2", "avgpool"), ("attention", "flatten"), ("pixel_shuffle 2", " shuffle"),
        ("softsign", "softplus"), ("hardtanh", " tanh"), ("MaxPool1d 2", "pool 2"),
        ("conv3d 8 3", "conv 8"), ("lstm 32", "elu"), ("glu", "elu"), ("gelu_tanh", "gelu"),
        ("train { loss binary_crossentropy }", "cross_entropy"), ("train { loss mae }", "mse"),
        ("train { optimizer nadam }", " adam"), ("train { optimizer adamax }", "adam "),
        ("train { schedule none }", "cosine"), ("train { schedule multistep }", " step"),
        ("conv 8 3x3 init=kaiming_normal", "lecun"), ("conv 8 3x3 init=xavier_uniform", "he_"),
    ],
)  # fmt: skip
def test_what_is_spelt_alike_is_not_taken_for_it(line: str, wrong: str):
    spec = f"input 3x32x32\nconv 8 3x3 same\n{line}\ngap; dense 10\n"
    mended = fixed(Source(spec), unsafe=True).source.text
    assert mended == spec or wrong not in mended.splitlines()[2]


@pytest.mark.parametrize(
    ("kind", "word", "ours"),
    [
        ("layer", "Conv2D", "conv"), ("layer", "Linear", "dense"), ("layer", "BatchNorm2d", "bn"),
        ("layer", "conv_transpose_2d", "upconv"), ("layer", "InnerProduct", "dense"),
        ("layer", "Eltwise", "add"), ("layer", "convolutional", "conv"), ("layer", "nope", None),
        ("init", "kaiming_normal_", "he_normal"), ("init", "kaiming_uniform", "he_uniform"),
        ("init", "xavier_uniform_", "glorot_uniform"), ("init", "msra", "he_normal"),
        ("init", "truncated_normal", None), ("init", "VarianceScaling", None),
        ("loss", "SparseCategoricalCrossentropy", "cross_entropy"), ("loss", "hinge", None),
        ("loss", "BCEWithLogitsLoss", "bce"), ("loss", "kl_div", None), ("loss", "triplet", None),
        ("loss", "nll_loss", None), ("optimizer", "adadelta", "adadelta"),
        ("optimizer", "ftrl", None), ("optimizer", "lamb", "lamb"), ("optimizer", "sgdw", None),
        ("schedule", "StepLR", "step"), ("schedule", "cyclic", None),
        ("schedule", "warm_restarts", "restarts"),
        ("schedule", "CosineAnnealingLR", "cosine"), ("schedule", "ReduceLROnPlateau", "plateau"),
        ("data", "cifar-100", None), ("data", "ImageNet", None), ("data", "fashion_mnist", None),
        ("setting", "batch_size", "batch"), ("setting", "num_epochs", "epochs"),
        ("setting", "early_stopping", "stop"), ("setting", "max_grad_norm", "clip"),
        ("key", "kernel_size", "k"), ("key", "weight_decay", "decay"), ("key", "rho", "alpha"),
    ],
)  # fmt: skip
def test_the_table_knows(kind: str, word: str, ours: str | None):
    meaning = lookup(kind, word)
    assert (meaning.counterpart if meaning else None) == ours


# Slips of the hand


@pytest.mark.parametrize(
    ("typed", "meant", "letters"),
    [("cnov", "conv", 1), ("flaten", "flatten", 1), ("smae", "same", 1), ("dens", "dense", 1),
     ("upsmaple", "upsample", 1), ("resdiual", "residual", 1), ("drpuot", "dropout", 2)],
)  # fmt: skip
def test_slips_are_seen(typed: str, meant: str, letters: int):
    assert distance(typed, meant) == letters
    assert slip(typed, {*vocabulary(), "same", "valid"}) == meant


def test_other_digits_and_two_equal_candidates_are_no_slip():
    assert slip("e1", {"e2"}) is None
    assert slip("block3", {"block2", "block4"}) is None
    assert slip("stag", {"stab", "star"}) is None
    assert slip("attention", {"flatten"}) is None


def test_a_word_of_the_field_is_never_taken_for_a_slip():
    for kind in KINDS:
        assert all(map(is_word, table(kind)))
    assert all(map(is_word, (*vocabulary(), *CHOSEN["loss"], *CHOSEN["schedule"], "he_normal")))
