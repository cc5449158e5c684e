"""Initial weights have the variance that their papers state."""

from math import prod
from typing import Any

import numpy as np
import pytest
from running import run

import cnndsl
from cnndsl.init import INITIALISERS, NAMES, Fans, Init, draw
from cnndsl.source import UserError
from cnndsl.training.whitening import whitened
from cnndsl.weights.model_info import ModelInfo

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
    assert set(NAMES) == {*VARIANCE, "orthogonal", "dirac", "whiten", "zeros", "ones"}
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


def test_no_channel_goes_through_what_enlarges_the_map() -> None:
    with pytest.raises(cnndsl.Failed, match="`init` does not know `dirac`"):
        cnndsl.parse("input 4x5x5; upconv 8 3x3 init=dirac")


def test_whiten_without_images_is_of_white_noise() -> None:
    (weights, _) = cnndsl.parse("input 3x8x8; conv 26 2x2 init=whiten").initial_weights().values()
    rows = weights.reshape(26, 12)
    np.testing.assert_allclose(rows[:12] @ rows[:12].T, np.eye(12), atol=1e-5)
    np.testing.assert_array_equal(rows[12:24], -rows[:12])
    assert np.all(rows[24:])


def smooth_images(count: int = 300) -> np.ndarray:
    """Neighbours and channels are much alike, as in photographs."""
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 256, (count, 1, 5, 5)).repeat(4, axis=2).repeat(4, axis=3)
    return (0.8 * coarse + 0.2 * rng.integers(0, 256, (count, 3, 20, 20))).astype(np.uint8)


def whitened_by(text: str, images: np.ndarray, drawn: set[str] | None = None) -> Any:
    """The model, and its weights made from images."""
    model = cnndsl.parse(text)
    first = model.initial_weights()
    info = ModelInfo((0.4, 0.5, 0.6), (0.2, 0.3, 0.25))
    return model, whitened(model.ir, first, images, info, first if drawn is None else drawn)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("input 3x20x20; conv 24 2x2 nobias init=whiten", slice(12)),
        ("input 3x20x20; conv 6 2x3 dilation=2 nobias groups=3 init=whiten", slice(0, 1)),
        ("input 3x20x20; conv 4 3x3 bn relu; conv 20 2x2 nobias init=whiten", slice(10)),
    ],
)
def test_whiten_makes_windows_of_the_images_uncorrelated(text: str, rows: slice) -> None:
    images = smooth_images()
    model, weights = whitened_by(text, images)
    mean, std = (np.reshape(v, (3, 1, 1)) for v in ((0.4, 0.5, 0.6), (0.2, 0.3, 0.25)))
    x = (images / 255 - mean) / std
    y = run(model.to_onnx(weights), x.astype(np.float32))["output"]
    found = np.cov(np.moveaxis(y, 1, 0).reshape(y.shape[1], -1))[rows, rows]
    np.testing.assert_allclose(found, np.eye(len(found)), atol=0.02)


def test_whiten_has_each_filter_with_its_negative_and_leaves_loaded_weights() -> None:
    text, images = "input 3x20x20; conv 7 2x2 nobias init=whiten", smooth_images(20)
    _, weights = whitened_by(text, images)
    kernels = weights["conv_1.weight"]
    np.testing.assert_array_equal(kernels[4:], -kernels[:3])
    model, kept = whitened_by(text, images, drawn=set())
    np.testing.assert_array_equal(kept["conv_1.weight"], model.initial_weights()["conv_1.weight"])


def test_whiten_of_windows_larger_than_the_images_is_refused() -> None:
    with pytest.raises(UserError, match="a window of 5 is not inside of 4 pixels"):
        whitened_by("input 3x4x4; conv 6 5x5 same init=whiten", smooth_images(5)[:, :, :4, :4])


def test_whiten_of_images_without_contrast_has_finite_filters() -> None:
    _, weights = whitened_by("input 3x20x20; conv 6 2x2 init=whiten", smooth_images(5) * 0 + 7)
    assert np.isfinite(weights["conv_1.weight"]).all()


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
