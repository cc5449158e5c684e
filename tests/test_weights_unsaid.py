"""What tensors do not say: eps and padding, compared with what a file or its family has."""

import numpy as np
import pytest

import cnndsl
from cnndsl.weights.base import RawWeights
from cnndsl.weights.unsaid import differences

NORM = ("weight", "bias", "running_mean", "running_var")


def told(spec: str, names: dict[str, str], **facts: dict[str, object]) -> list[str]:
    """The differences for a spec whose modules have such names in the file."""
    model = cnndsl.parse(spec).ir
    pairs = {own: f"{names[own.rpartition('.')[0]]}.{own.rpartition('.')[2]}"
             for own in model.tensors()}  # fmt: skip
    raw = RawWeights(dict.fromkeys(pairs.values(), np.zeros(1)), **facts)  # type: ignore
    return list(differences(raw, pairs, model))


SPEC = "input 3x8x8; conv 4 3x3 {pad} /2 nobias; bn eps={eps}"


@pytest.mark.parametrize(
    ("conv", "norm", "pad", "eps", "found"),
    [
        ("layer1.0.conv1", "layer1.0.bn1", "pad", "1e-5", []),
        ("layer1.0.conv1", "layer1.0.bn1", "pad", "1e-3", ["write `eps=1e-05`"]),
        ("layer1.0.conv1", "layer1.0.bn1", "same", "1e-5", ["write `pad`"]),
        ("blocks.0.0.conv_dw", "blocks.0.0.bn1", "pad", "1e-3", ["`tf_` models eps=0.001"]),
        ("module.features.1.conv.0.0", "module.features.1.conv.0.1", "pad", "1e-5", []),
        ("_blocks.0._depthwise_conv", "_bn0", "same", "1e-3", []),
        ("_blocks.0._depthwise_conv", "_bn0", "pad", "1e-3", ["write `same`"]),
        ("inception3a.branch1.conv", "inception3a.branch1.bn", "pad", "1e-5", ["`eps=0.001`"]),
        ("mine", "norm", "same", "1e-2", []),  # of no family: nothing is known
    ],
)
def test_a_family_is_known_by_its_names(
    conv: str, norm: str, pad: str, eps: str, found: list[str]
) -> None:
    notes = told(SPEC.format(pad=pad, eps=eps), {"conv_1": conv, "bn_1": norm})
    assert len(notes) == len(found)
    assert all(part in note for part, note in zip(found, notes, strict=True))


def test_a_files_own_graph_is_believed() -> None:
    names = {"conv_1": "a", "bn_1": "b"}
    facts = {"eps": {"b": 1e-3}, "padding": {"a": "same"}}
    assert told(SPEC.format(pad="same", eps="1e-3"), names, **facts) == []
    assert told(SPEC.format(pad="pad", eps="1e-5"), names, **facts) == [
        "1 layer `conv` padded otherwise; the file has `same`: write `same`",
        "1 layer `bn` with eps=1e-05; the file has 0.001: write `eps=0.001`",
    ]


@pytest.mark.parametrize(("pool", "count"), [("pad", 1), ("nocount pad", 0), ("", 0)])
def test_averages_that_count_zeros_are_told(pool: str, count: int) -> None:
    spec = f"input 3x8x8; avgpool 3 /1 {pool}; conv 4 3x3"
    assert len(told(spec, {"conv_1": "a"}, counts_zeros=False)) == count
    assert told(spec, {"conv_1": "a"}) == []


def test_our_own_files_are_not_judged() -> None:
    assert told(SPEC.format(pad="same", eps="1"), {"conv_1": "conv_1", "bn_1": "bn_1"}) == []


def test_layers_of_one_kind_are_one_note() -> None:
    spec = "input 3x8x8; conv 4 3x3 pad bn eps=1; conv 4 3x3 pad bn eps=1"
    names = {"conv_1": "layer1.0.conv1", "bn_1": "layer1.0.bn1", "conv_2": "layer1.0.conv2",
             "bn_2": "layer1.0.bn2"}  # fmt: skip
    (note,) = told(spec, names)
    assert note.startswith("2 layers `bn` with eps=1; the file has 1e-05, as torchvision's ResNet")
