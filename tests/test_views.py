"""Test-time views: means over mirror images and shifts, inside of the graph."""

from typing import Any

import numpy as np
import pytest
from running import random_tensors, run

import cnndsl
from cnndsl.recipe import Views
from cnndsl.source import Failed, UserError

NET = "input 3x9x8; conv 5 3x3 bn relu; conv 4 3x3; gap; flatten; dense 3"
MAPS = "input 3x8x8; conv 5 3x3 same relu; conv 2 1x1"
VIEWS = {"": 1, "mirror": 2, "shift=1": 3, "mirror shift=2": 6}


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def by_hand(plain: Any, x: np.ndarray, views: Views) -> np.ndarray:
    """The mean as it is defined, view by view, of a model without views."""

    def answer(seen: np.ndarray) -> np.ndarray:
        y = run(plain, np.ascontiguousarray(seen))["output"]
        if not views.mirror:
            return y
        other = run(plain, np.ascontiguousarray(seen[..., ::-1]))["output"]
        return (y + (other[..., ::-1] if y.ndim == 4 else other)) / 2

    if not views.shift:
        return answer(x)
    n, (h, w) = views.shift, x.shape[2:]
    wide = np.pad(x, ((0, 0), (0, 0), (n, n), (n, n)), "reflect")
    moved = [answer(wide[:, :, at : at + h, at : at + w]) for at in (0, 2 * n)]
    return answer(x) / 2 + sum(moved) / 4


@pytest.mark.parametrize("words", VIEWS)
@pytest.mark.parametrize(
    "options", [{}, {"batch": 2}, {"batch": 2, "optimize": "cpu"}, {"opset": 21}]
)
def test_outputs_are_means_over_the_views(words: str, options: dict[str, Any]) -> None:
    model = cnndsl.parse(NET)
    weights = random_tensors(model)
    views = cnndsl.parse(f"{NET}\ntrain {{ views {words} }}").ir.recipe
    assert views is not None
    x, wanted = images(2, 3, 9, 8), model.to_onnx(weights)
    found = run(model.to_onnx(weights, views=words, **options), x)["output"]
    np.testing.assert_allclose(found, by_hand(wanted, x, views.views), atol=1e-5)
    assert views.views.count == VIEWS[words]


def test_the_network_is_in_the_file_once() -> None:
    model = cnndsl.parse("input 3x9x8; conv 64 3x3 bn relu; conv 64 3x3; gap; flatten; dense 3")
    plain, viewed = (model.to_onnx(views=v).ByteSize() for v in ("", "mirror shift=1"))
    assert viewed < 1.05 * plain


def test_any_batch_goes_in_and_comes_out() -> None:
    graph = cnndsl.parse(NET).to_onnx(views="mirror shift=1")
    (dim, _) = graph.graph.output[0].type.tensor_type.shape.dim
    assert dim.dim_param == "N"
    assert [len(run(graph, images(n, 3, 9, 8))["output"]) for n in (1, 5)] == [1, 5]


def test_maps_of_mirror_images_turn_back() -> None:
    model = cnndsl.parse(MAPS)
    weights, x = random_tensors(model), images(2, 3, 8, 8)
    found = run(model.to_onnx(weights, views="mirror"), x)["output"]
    np.testing.assert_allclose(found, by_hand(model.to_onnx(weights), x, Views(True)), atol=1e-5)


def test_pictures_in_bytes_are_normalised_before() -> None:
    """So that what a shift brings in is normalised, too."""
    model = cnndsl.parse(NET)
    weights = random_tensors(model)
    x = np.random.default_rng(2).integers(0, 256, (2, 9, 8, 3), np.uint8)
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)
    graph = model.to_onnx(weights, uint8=True, mean=mean, std=std, views="shift=1")
    normal = ((x / 255 - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)
    wanted = by_hand(model.to_onnx(weights), normal, Views(shift=1))
    np.testing.assert_allclose(run(graph, x)["output"], wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "words", "told"),
    [
        ("input 6; dense 3", "mirror", "views are of images, and the model takes 6 features"),
        (NET, "shift=8", "a shift of 8 leaves nothing of 8 pixels"),
        (MAPS, "mirror shift=1", "take `mirror` alone"),
    ],
)
def test_views_that_a_model_cannot_have_are_refused(text: str, words: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        cnndsl.parse(text).to_onnx(views=words)


def test_other_words_are_refused_at_their_place() -> None:
    with pytest.raises(Failed, match="flip"):
        cnndsl.parse(NET).to_onnx(views="flip")
