"""Batches depend on seed, epoch and step only; augmentations do what they say."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from cnndsl.data.dataset import Images, Split
from cnndsl.recipe import Augment, Recipe
from cnndsl.training.augment import (
    blanked,
    cropped,
    drawn_pairs,
    erased,
    flipped,
    jittered,
    mixed,
    moved,
    moved_together,
    recoloured,
    tinted,
)  # fmt: skip
from cnndsl.training.batches import Batches, Feed
from cnndsl.training.warp import Warp, drawn_warp

COUNT, SIDE = 64, 12
X = np.random.default_rng(0).integers(1, 256, (COUNT, 3, SIDE, SIDE)).astype(np.uint8)
Y = np.arange(COUNT) % 5
EVERYTHING = Augment(
    flip=True, crop=2, cutout=3, mixup=0.4, jitter=0.2, rotate=10, zoom=0.1, translate=0.1,
    hue=0.1, saturation=0.3, erase=0.5,
)  # fmt: skip
PARTS = slice(0, 3), slice(3, 4), slice(4, 10), slice(0, 10)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def batches(seed: int = 3, how: Augment = EVERYTHING) -> Batches:
    recipe = Recipe(batch=10, augment=how, seed=seed)
    return Batches(Split(X, Y), recipe, (5,), (("random_0", (10, 4)),))


def same(a: Feed, b: Feed) -> bool:
    return list(a) == list(b) and all(np.array_equal(a[n], b[n]) for n in a)


def test_a_batch_depends_on_seed_epoch_and_step_only() -> None:
    run = list(batches().epoch(2))
    assert len(run) == batches().steps == 6
    alone = batches()
    assert same(run[4], alone.make(2, 4, alone.order(2)))
    assert all(same(a, b) for a, b in zip(run[3:], batches().epoch(2, 3), strict=True))
    others = [next(iter(batches(4).epoch(2))), next(iter(batches().epoch(3))), run[1]]
    assert not any(same(run[0], other) for other in others)


def test_an_epoch_has_each_picture_at_most_once() -> None:
    plain = batches(how=Augment())
    seen = np.concatenate([feed["x"] for feed in plain.epoch(0)]).reshape(60, -1)
    assert len(np.unique(seen, axis=0)) == 60
    assert sorted(plain.order(0)) == list(range(COUNT))
    assert not np.array_equal(plain.order(0), plain.order(1))


def test_labels_stay_with_their_pictures() -> None:
    of = {x.tobytes(): y for x, y in zip(X, Y, strict=True)}
    for feed in batches(how=Augment()).epoch(1):
        assert [of[x.tobytes()] for x in feed["x"]] == feed["y"].tolist()


def test_random_inputs_are_uniform() -> None:
    drawn = np.concatenate([f["random_0"] for e in range(20) for f in batches().epoch(e)])
    assert drawn.dtype == np.float32
    assert (drawn.min(), drawn.max()) >= (0, 0.9)
    assert abs(drawn.mean() - 0.5) < 0.02
    assert drawn.max() < 1


def test_the_thread_ends_with_its_reader() -> None:
    before = set(threading.enumerate())
    feeds = batches().epoch(0)
    next(feeds)
    (thread,) = set(threading.enumerate()) - before
    feeds.close()  # pyright: ignore[reportAttributeAccessIssue]  (a generator)
    thread.join(5)
    assert not thread.is_alive()


def test_what_breaks_in_the_thread_reaches_the_reader() -> None:
    broken = Batches(Split(X, Y[:5]), Recipe(batch=10), (5,))
    broken_data = Split(X[:5], np.arange(30))
    with pytest.raises(IndexError):
        list(Batches(broken_data, Recipe(batch=10), (5,)).epoch(0))
    assert broken.steps == 0


def test_a_flip_mirrors_the_pictures_that_it_is_given() -> None:
    mirrored = np.arange(COUNT) % 3 == 0
    out = flipped(X, mirrored)
    assert np.array_equal(out[mirrored], X[mirrored, ..., ::-1])
    assert np.array_equal(out[~mirrored], X[~mirrored])


def test_each_picture_is_mirrored_every_other_epoch() -> None:
    faces = dict[bytes, list[tuple[int, bool]]]()
    plain = {x.tobytes() for x in X}
    for epoch in range(4):
        for x in np.concatenate(
            [feed["x"] for feed in batches(how=Augment(flip=True)).epoch(epoch)]
        ):
            mirrored = x.tobytes() not in plain
            key = x[..., ::-1].tobytes() if mirrored else x.tobytes()
            faces.setdefault(key, []).append((epoch, mirrored))
    assert set(faces) == plain
    first = [{mirrored ^ bool(epoch % 2) for epoch, mirrored in seen} for seen in faces.values()]
    assert all(len(face) == 1 for face in first)
    assert COUNT / 4 < sum(face == {True} for face in first) < COUNT * 3 / 4


def shift_of(out: Images, x: Images, margin: int) -> tuple[int, int]:
    """By how much a picture was shifted, with its mirror image coming in."""
    wide = np.pad(x, ((0, 0), (margin, margin), (margin, margin)), "reflect")
    for down in range(2 * margin + 1):
        for right in range(2 * margin + 1):
            if np.array_equal(wide[:, down : down + SIDE, right : right + SIDE], out):
                return down - margin, right - margin
    raise AssertionError("no shift")


def test_a_crop_shifts_by_up_to_its_margin() -> None:
    out = cropped(X, 2, rng())
    assert (out.shape, out.dtype) == (X.shape, np.uint8)
    shifts = [shift_of(a, b, 2) for a, b in zip(out, X, strict=True)]
    assert {s for s, _ in shifts} == {s for _, s in shifts} == {-2, -1, 0, 1, 2}


@pytest.mark.parametrize("side", [1, 4, 5])
def test_a_cutout_blanks_a_square_of_its_side(side: int) -> None:
    sizes = set[tuple[int, int]]()
    for out, x in zip(blanked(X, side, rng()), X, strict=True):
        black = (out == 0).all(0)
        rows, columns = np.flatnonzero(black.any(1)), np.flatnonzero(black.any(0))
        assert black.sum() == len(rows) * len(columns)
        assert np.array_equal(out[:, ~black], x[:, ~black])
        sizes.add((len(rows), len(columns)))
    assert max(sizes) == (side, side)
    assert min(map(min, sizes)) >= side // 2


def test_mixup_blends_pairs_and_their_targets_by_the_same_share() -> None:
    flat = np.broadcast_to((Y * 50).astype(np.uint8)[:, None, None, None], X.shape)
    share, other = drawn_pairs(0.4, COUNT, rng())
    both = np.concatenate([np.arange(COUNT), other])
    out, targets = mixed(flat[both], np.eye(5, dtype=np.float32)[Y[both]], share)
    assert (out.dtype, targets.dtype) == (np.uint8, np.float32)
    np.testing.assert_allclose(targets.sum(1), 1, rtol=1e-6)
    meant = targets @ (np.arange(5) * 50)
    assert np.abs(out[:, 0, 0, 0] - meant).max() <= 0.51
    assert 0 < len(np.unique(targets)) <= 4


@pytest.mark.parametrize(
    ("how", "reads"),
    [(EVERYTHING, (5, 2, 9, 10)), (replace(EVERYTHING, mixup=0.0), (3, 1, 6, 10))],
)
def test_rows_of_a_batch_are_those_of_the_whole(how: Augment, reads: tuple[int, ...]) -> None:
    """A process augments its own images and, with mixup, those that they are blended with: each of
    them once.
    """
    whole, order = batches(how=how), batches().order(1)
    expected = whole.make(1, 2, order)
    for rows, count in zip(PARTS, reads, strict=True):
        read = Counted(X)
        split = Split(read, Y)  # type: ignore
        part = replace(whole, data=split, rows=rows).make(1, 2, order)
        assert same(part, {name: array[rows] for name, array in expected.items()})
        assert read.rows == count


class Counted:
    """Images of which it is known how many were read."""

    def __init__(self, x: Images) -> None:
        self.x, self.rows = x, 0

    def __getitem__(self, which: np.ndarray) -> Images:
        self.rows += len(which)
        return self.x[which]


def test_jitter_changes_light_and_contrast_by_up_to_its_strength() -> None:
    gray = np.full((500, 3, 4, 4), 100, np.uint8)
    light = jittered(gray, 0.2, rng())[:, 0, 0, 0]
    assert (79 <= light.min() < 85, 115 < light.max() <= 120) == (True, True)
    gray[:, :, :2] = 60
    gray[:, :, 2:] = 140
    spread = np.ptp(jittered(gray, 0.2, rng()).astype(int), axis=(1, 2, 3))
    assert (63 <= spread.min() < 70, 90 < spread.max() <= 97) == (True, True)


def test_nothing_is_changed_where_nothing_is_asked() -> None:
    still = moved(X, Augment(), Y == 0, rng())
    assert recoloured(still, Augment(), rng()) is X


def turned(**how: float) -> Warp:
    return drawn_warp(Augment(**how), COUNT, (SIDE, SIDE), rng())


def test_a_warp_by_nothing_changes_nothing() -> None:
    still = turned()
    assert np.array_equal(still.images(X), X)
    assert np.array_equal(still.masks(X[:, 0]), X[:, 0])


def test_a_quarter_turn_is_that_of_numpy() -> None:
    quarter = np.array([[[0.0, -1.0], [1.0, 0.0]]] * COUNT)
    warp = Warp(quarter, np.zeros((COUNT, 2)))
    assert np.array_equal(warp.images(X), np.rot90(X, -1, axes=(2, 3)))
    assert np.array_equal(warp.masks(X[:, 0]), np.rot90(X[:, 0], -1, axes=(1, 2)))


def test_a_shift_by_pixels_moves_them_and_mirrors_the_border() -> None:
    warp = Warp(np.tile(np.eye(2), (COUNT, 1, 1)), np.full((COUNT, 2), (3.0, 0.0)))
    out = warp.images(X)
    assert np.array_equal(out[:, :, :-3], X[:, :, 3:])
    assert np.array_equal(out[:, :, -1], X[:, :, -4])


def test_half_a_pixel_is_the_mean_of_two() -> None:
    warp = Warp(np.tile(np.eye(2), (COUNT, 1, 1)), np.full((COUNT, 2), (0.0, 0.5)))
    mean = (X[..., :-1].astype(float) + X[..., 1:]) / 2
    assert np.abs(warp.images(X)[..., :-1] - mean).max() <= 0.5


def test_rotation_and_zoom_stay_within_their_bounds() -> None:
    scale = np.sqrt(np.linalg.det(turned(zoom=0.2).matrices))
    assert 1 / 1.2 <= scale.min() < 0.9
    assert 1.1 < scale.max() <= 1 / 0.8
    matrices = turned(rotate=30).matrices
    angle = np.rad2deg(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    assert 25 < np.abs(angle).max() <= 30
    shifts = turned(translate=0.25).shifts
    assert 2 < np.abs(shifts).max() <= 0.25 * SIDE


def test_masks_follow_a_warp_and_keep_their_values() -> None:
    masks = (X[:, 0] > 128).astype(np.int64) * 7
    x = np.repeat((masks[:, None] > 0).astype(np.uint8) * 255, 3, axis=1)
    how = Augment(flip=True, crop=2, rotate=20, zoom=0.2, translate=0.1)
    out, moved = moved_together(x, masks, how, rng().random(COUNT) < 0.5, rng())
    assert set(np.unique(moved)) <= {0, 7}
    agreed = (out[:, 0] > 127) == (moved > 0)
    assert agreed.mean() > 0.9  # bilinear and nearest part at edges only


def test_colours_turn_and_fade_while_luma_stays() -> None:
    x = np.clip(X, 80, 170)
    luma = np.array([0.299, 0.587, 0.114])
    out = tinted(x, 0.1, 0.3, rng())
    assert not np.array_equal(out, x)
    assert np.abs(np.einsum("c,nchw", luma, out.astype(float) - x)).max() < 2
    gray = np.repeat(X[:, :1], 3, axis=1)
    assert np.abs(tinted(gray, 0.5, 1.0, rng()).astype(int) - gray).max() <= 1


def test_erase_takes_one_rectangle_of_some_images() -> None:
    out = erased(X, 0.5, rng())
    changed = (out != X).any(axis=1)
    hit = changed.any(axis=(1, 2))
    assert 0.3 < hit.mean() < 0.7
    for where in changed[hit]:
        rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
        area = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        assert area <= 0.45 * SIDE * SIDE
        assert where.sum() > 0.9 * area
    assert np.array_equal(erased(X, 0.0, rng()), X)
