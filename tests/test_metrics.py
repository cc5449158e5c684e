"""Metrics are those of scikit-learn, also with equal scores and with classes that nothing has."""

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from cnndsl import metrics
from cnndsl.tasks import registry

sklearn = pytest.importorskip("sklearn.metrics")
SEEDS = range(20)
Labels = NDArray[np.bool_]
Floats = NDArray[np.float64]


def case(seed: int) -> tuple[Labels, Floats]:
    """60 images of 7 labels; many scores are equal, one label nobody has, one everybody."""
    rng = np.random.default_rng(seed)
    truth = rng.random((60, 7)) < rng.uniform(0.05, 0.9, 7)
    truth[:, 0], truth[:, 1] = False, True
    scores = rng.integers(0, 8, (60, 7)) / 8 if seed % 2 else rng.random((60, 7))
    return truth, scores


@pytest.mark.parametrize("seed", SEEDS)
def test_average_precision(seed: int) -> None:
    truth, scores = case(seed)
    ours = [metrics.average_precision(t, s) for t, s in zip(truth.T, scores.T, strict=True)]
    wanted = sklearn.average_precision_score(truth[:, 1:], scores[:, 1:], average=None)
    assert np.isnan(ours[0])
    assert ours[1:] == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_precision_recall_and_f1(seed: int) -> None:
    truth, scores = case(seed)
    taken = scores >= 0.7
    taken[:, 2] = False
    hits = metrics.Hits.of(truth, taken)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = sklearn.precision_recall_fscore_support(truth, taken, zero_division=np.nan)
        macro = sklearn.f1_score(truth, taken, average="macro", zero_division=np.nan)
    for ours, theirs in zip((hits.precision(), hits.recall(), hits.f1()), wanted, strict=False):
        assert ours == pytest.approx(theirs, abs=1e-9, nan_ok=True)
    micro = sklearn.f1_score(truth, taken, average="micro")
    assert hits.whole().f1()[0] == pytest.approx(micro, abs=1e-9)
    assert metrics.mean_of_known(hits.f1()) == pytest.approx(macro, abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_threshold_has_a_better_f1_than_the_best(seed: int) -> None:
    truth, scores = case(seed)
    for t, s in zip(truth.T, scores.T, strict=True):
        best = metrics.best_threshold(t, s)
        f1 = {v: metrics.Hits.of(t[:, None], (s >= v)[:, None]).f1()[0] for v in (*s, best)}
        assert f1[best] == max(f1.values()) or best == 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_no_threshold_is_right_more_often_than_the_most_accurate(seed: int) -> None:
    truth, scores = case(seed)
    for t, s in zip(truth.T, scores.T, strict=True):
        best = metrics.most_accurate_threshold(t, s)
        right = {v: int(((s >= v) == t).sum()) for v in (*s, 0.5, best)}
        several = t.any() and not t.all()
        assert right[best] == max(right.values()) if several else best == 0.5


def test_of_equally_good_thresholds_the_nearest_to_a_half_is_taken() -> None:
    truth = np.array([False, False, True, True])
    assert metrics.most_accurate_threshold(truth, np.array([0.1, 0.4, 0.7, 0.9])) == 0.5
    assert metrics.most_accurate_threshold(truth, np.array([0.1, 0.2, 0.3, 0.9])) == 0.25


def test_a_threshold_lies_between_what_is_taken_and_what_is_not() -> None:
    truth = np.array([True, True, False])
    assert metrics.best_threshold(truth, np.array([0.9, 0.6, 0.2])) == pytest.approx(0.4)
    assert metrics.best_threshold(truth > 1, np.array([0.9, 0.6, 0.2])) == 0.5
    assert metrics.best_threshold(~truth | truth, np.array([0.9, 0.6, 0.2])) == pytest.approx(0.1)


@pytest.mark.parametrize("seed", SEEDS)
def test_errors_of_numbers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(50, 20, (40, 3)).astype(np.float32)
    truth[:, 2] = 7.0
    outputs = (truth + rng.normal(0, 5, truth.shape)).astype(np.float32)
    meter = registry["regression"]().meter((3,), ("a", "b", "c"))
    for part in (slice(0, 13), slice(13, 40)):
        meter.add(outputs[part], truth[part])
    scores = meter.scores(0.0).as_dict()
    found = scores["per_number"]
    for i, name in enumerate("ab"):
        t, p = truth[:, i].astype(float), outputs[:, i].astype(float)
        assert found[name]["mae"] == pytest.approx(sklearn.mean_absolute_error(t, p), abs=1e-9)
        assert found[name]["rmse"] == pytest.approx(sklearn.root_mean_squared_error(t, p), abs=1e-9)
        assert found[name]["r2"] == pytest.approx(sklearn.r2_score(t, p), abs=1e-9)
    assert np.isnan(found["c"]["r2"])
    assert scores["r2"] == pytest.approx((found["a"]["r2"] + found["b"]["r2"]) / 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_confusion(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, predicted = rng.integers(0, 4, (2, 50))
    counts = metrics.confusion(truth, predicted, 5)
    wanted = sklearn.confusion_matrix(truth, predicted, labels=range(5))
    assert np.array_equal(counts, wanted)
    recalls = sklearn.recall_score(truth, predicted, labels=range(4), average=None)
    assert metrics.recalls(counts)[:4] == pytest.approx(recalls, abs=1e-9)
    assert np.isnan(metrics.recalls(counts)[4])


@pytest.mark.parametrize("seed", SEEDS)
def test_masks(seed: int) -> None:
    """Class 5 is nowhere, class 4 is found and never true; a part of the pixels is ignored."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, (6, 9, 7)).astype(np.uint8)
    predicted = np.where(rng.random(truth.shape) < 0.6, truth, rng.integers(0, 5, truth.shape))
    outputs = np.eye(6, dtype=np.float32)[predicted].transpose(0, 3, 1, 2)
    truth[rng.random(truth.shape) < 0.2] = 255
    meter = registry["segmentation"]().meter((6, 9, 7), tuple("abcdef"))
    for part in (slice(0, 4), slice(4, 6)):
        meter.add(outputs[part], truth[part])
    scores = meter.scores(0.0).as_dict()
    t, p = truth[truth != 255], predicted[truth != 255]
    labels, per_class = range(5), scores["per_class"]
    for name, theirs in (
        ("iou", sklearn.jaccard_score(t, p, labels=labels, average=None)),
        ("dice", sklearn.f1_score(t, p, labels=labels, average=None)),
        ("precision", sklearn.precision_score(t, p, labels=labels, average=None)),
        ("recall", sklearn.recall_score(t, p, labels=labels, average=None, zero_division=np.nan)),
    ):
        ours = [per_class[c][name] for c in "abcdef"]
        assert ours[:5] == pytest.approx(list(theirs), abs=1e-9, nan_ok=True)
        assert np.isnan(ours[5])
    macro = sklearn.jaccard_score(t, p, labels=labels, average="macro")
    assert scores["miou"] == pytest.approx(macro, abs=1e-9)
    macro = sklearn.f1_score(t, p, labels=labels, average="macro")
    assert scores["dice"] == pytest.approx(macro, abs=1e-9)
    assert scores["pixel_accuracy"] == pytest.approx(sklearn.accuracy_score(t, p), abs=1e-9)


def test_a_probability_is_finite_for_every_logit() -> None:
    x = np.array([-1e30, -800.0, 0.0, 800.0, 1e30], np.float32)
    assert metrics.sigmoid(x).tolist() == [0, 0, 0.5, 1, 1]
