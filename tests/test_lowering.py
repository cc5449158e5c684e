"""The lowering: which algorithm computes a convolution, in which phase."""

from collections.abc import Iterator

import pytest

from cnndsl.graph.tape import Tape
from cnndsl.lower.conv import table
from cnndsl.lower.conv.table import ConvShape, algorithm, algorithms, check_plan, choose
from cnndsl.lower.driver import Lowering, Phase, Plan
from cnndsl.source import UserError

SHAPE = ConvShape(8, 16, (16, 16), 16, (16, 16), (3, 3), (1, 1), (1, 1), (-1, -1), 1)


def chosen(phase: Phase, conv: str = "auto") -> str:
    return choose(Lowering(Tape(), Plan(conv), {}, phase), "conv_1", SHAPE).name


@pytest.fixture
def infer_only() -> Iterator[str]:
    """An algorithm for inference that is always the cheapest."""
    algorithms()
    algorithm("free", lambda shape: True, infer=lambda shape: 0.0)(algorithms()["direct"].emit)
    yield "free"
    del table._registry["free"]  # pyright: ignore[reportPrivateUsage]


def test_every_algorithm_serves_a_phase_at_a_positive_cost() -> None:
    costs = [cost(SHAPE) for a in algorithms().values() for cost in a.costs.values()]
    assert all(a.phases for a in algorithms().values())
    assert min(costs) > 0


def test_an_algorithm_is_chosen_in_its_phases_only(infer_only: str) -> None:
    assert chosen("infer") == infer_only
    assert chosen("train") != infer_only
    check_plan(Plan(infer_only), "infer")
    with pytest.raises(UserError, match="`free` in training: auto, "):
        check_plan(Plan(infer_only), "train")


@pytest.mark.parametrize("conv", ["fft", "winograd9"])
def test_an_unknown_algorithm_is_an_error_that_lists_them(conv: str) -> None:
    with pytest.raises(UserError, match=f"no convolution algorithm `{conv}`: auto, .*im2col"):
        check_plan(Plan(conv), "train")


@pytest.mark.parametrize("family", ["winograd", "winograd2"])
def test_a_family_is_named_by_how_its_names_begin(family: str) -> None:
    check_plan(Plan(family), "train")
    check_plan(Plan(family), "infer")
    assert chosen("train", family).startswith(family)
    assert chosen("infer", family).startswith(family)


def test_a_lowering_at_inference_needs_a_fixed_batch() -> None:
    tape = Tape()
    tape.input("input", ("N", 3, 8, 8))
    with pytest.raises(UserError, match=r"`input` is N×3×8×8: .* fixed batch\n.*--batch 1"):
        Lowering(tape, Plan(), {}, "infer")


def test_onnx_own_convolution_is_named_too() -> None:
    assert chosen("infer", "direct") == "direct"
