"""Initial weights have the variance that their papers state."""

from math import prod

import numpy as np
import pytest

import cnndsl
from cnndsl.init import INITIALISERS, NAMES, Fans, Init, draw

CONV = (256, 128, 3, 3)  # weight of `conv 256 3x3` on 128 channels
FANS = Fans(fan_in=128 * 9, fan_out=256 * 9)

VARIANCE = {
    "he_normal": 2 / FANS.fan_in,
    "he_uniform": 2 / FANS.fan_in,
    "glorot_normal": 2 / (FANS.fan_in + FANS.fan_out),
    "glorot_uniform": 2 / (FANS.fan_in + FANS.fan_out),
    "lecun_normal": 1 / FANS.fan_in,
    "lecun_uniform": 1 / FANS.fan_in,
}


def drawn(name: str, shape: tuple[int, ...] = CONV, seed: int = 0) -> np.ndarray:
    return draw(Init(name), shape, FANS, np.random.default_rng(seed))


def test_every_initialiser_is_tested_and_cites_its_source() -> None:
    assert set(NAMES) == {*VARIANCE, "orthogonal", "dirac", "zeros", "ones"}
    assert all(source for _, source in INITIALISERS.values())


@pytest.mark.parametrize("name", VARIANCE)
def test_mean_and_variance(name: str) -> None:
    """Of 294,912 numbers: the variance is known to about 0.3 %."""
    weights = drawn(name).astype(np.float64)
    assert abs(weights.mean()) < 4 * np.sqrt(VARIANCE[name] / weights.size)
    assert weights.var() == pytest.approx(VARIANCE[name], rel=0.02)


@pytest.mark.parametrize("name", [name for name in VARIANCE if name.endswith("uniform")])
def test_uniform_ones_are_bounded_and_flat(name: str) -> None:
    weights, bound = drawn(name), np.sqrt(3 * VARIANCE[name])
    assert np.abs(weights).max() <= bound * (1 + 1e-6)
    quarters, _ = np.histogram(weights, 4, (-bound, bound))
    np.testing.assert_allclose(quarters / weights.size, 0.25, atol=0.01)


@pytest.mark.parametrize("name", [name for name in VARIANCE if name.endswith("normal")])
def test_normal_ones_have_their_tails(name: str) -> None:
    weights, deviation = drawn(name), np.sqrt(VARIANCE[name])
    assert (np.abs(weights) < deviation).mean() == pytest.approx(0.6827, abs=0.01)
    assert (np.abs(weights) > 3 * deviation).any()


@pytest.mark.parametrize(
    "shape", [(64, 8, 3, 3), (64, 2, 3, 3), (16, 16, 1, 1), (10, 40), (40, 10)]
)
def test_orthogonal(shape: tuple[int, ...]) -> None:
    """As a matrix of filters: rows, or columns where they are fewer, are orthonormal."""
    matrix = drawn("orthogonal", shape).reshape(shape[0], -1).astype(np.float64)
    rows, columns = matrix.shape
    gram = matrix @ matrix.T if rows <= columns else matrix.T @ matrix
    np.testing.assert_allclose(gram, np.eye(min(rows, columns)), atol=1e-5)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_dirac_passes_each_channel_of_a_group_through(groups: int) -> None:
    model = cnndsl.parse(f"input 4x5x5; conv 12 3x5 same nobias groups={groups} init=dirac")
    (weights,) = model.initial_weights().values()
    inputs = 4 // groups
    for group in weights.reshape(groups, 12 // groups, inputs, 3, 5):
        np.testing.assert_array_equal(group[:inputs, :, 1, 2], np.eye(inputs))
        assert np.count_nonzero(group[:inputs]) == inputs
        assert np.all(group[inputs:])


def test_dirac_of_more_inputs_than_outputs() -> None:
    weights = draw(Init("dirac"), (2, 5, 3, 3), Fans(45, 18), np.random.default_rng(0))
    np.testing.assert_array_equal(weights[:, :, 1, 1], np.eye(2, 5))
    assert np.count_nonzero(weights) == 2


def test_zeros_ones_and_constants() -> None:
    np.testing.assert_array_equal(drawn("zeros", (3, 4)), np.zeros((3, 4)))
    np.testing.assert_array_equal(drawn("ones", (3, 4)), np.ones((3, 4)))
    assert not np.signbit(drawn("zeros", (3, 4))).any()
    constant = draw(Init("constant", 0.25), (3, 1, 1), FANS, np.random.default_rng(0))
    np.testing.assert_array_equal(constant, np.full((3, 1, 1), 0.25))


@pytest.mark.parametrize("name", [*NAMES])
def test_weights_are_float32_and_repeat_with_their_seed(name: str) -> None:
    first, again = drawn(name, (8, 4, 3, 3)), drawn(name, (8, 4, 3, 3))
    assert (first.dtype, first.shape) == (np.float32, (8, 4, 3, 3))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(
    ("text", "variance"),
    [
        ("input 64x8x8; conv 128 3x3", 2 / (64 * 9)),
        ("input 64x8x8; conv 128 3x3 groups=4", 2 / (16 * 9)),
        ("input 64x8x8; conv 128 3x3 init=glorot_uniform", 2 / (64 * 9 + 128 * 9)),
        ("input 64x8x8; conv 128 3x3 init=lecun_normal", 1 / (64 * 9)),
        ("input 2048x8x8; dwconv 5x5", 2 / 25),
        ("input 2048x8x8; dwconv 5x5 multiplier=2", 2 / 25),
        ("input 64x8x8; upconv 128 3x3 /2", 2 / (64 * 9)),
        ("input 300; dense 200", 2 / (300 + 200)),
        ("input 300; dense 200 init=he_normal", 2 / 300),
    ],
)
def test_layers_use_their_fans(text: str, variance: float) -> None:
    ((weight, bias),) = [tuple(cnndsl.parse(text).initial_weights().values())]
    assert weight.var() == pytest.approx(variance, rel=0.03)
    assert prod(bias.shape) == np.count_nonzero(bias == 0)
