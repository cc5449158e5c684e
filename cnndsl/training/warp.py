"""Images turned, scaled and shifted: one affine map each, read by bilinear or nearest pixels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.recipe import Augment
from cnndsl.training.own_rows import Rng

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Warp:
    """Where each output pixel comes from: N×2×2 matrices about the centre, N×2 shifts in pixels."""

    matrices: Floats
    shifts: Floats

    def images(self, x: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """N×C×H×W by bilinear interpolation; beyond the border, the image is mirrored."""
        rows, columns = self._sources(*x.shape[2:])
        top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
        down, right = rows - top, columns - left
        total = np.zeros(x.shape, np.float32)
        for i, share_y in ((0, 1 - down), (1, down)):
            for j, share_x in ((0, 1 - right), (1, right)):
                weight = (share_y * share_x)[:, None].astype(np.float32)
                total += weight * _read(x, top + i, left + j)
        return np.rint(total).astype(np.uint8)

    def masks(self, masks: NDArray[Any]) -> NDArray[Any]:
        """N×H×W by the nearest pixel: a mask's values are names, which have no mean."""
        rows, columns = self._sources(*masks.shape[1:])
        at = np.rint(rows).astype(int), np.rint(columns).astype(int)
        return _read(masks[:, None], *at)[:, 0]

    def _sources(self, height: int, width: int) -> tuple[Floats, Floats]:
        """Row and column, N×H×W, that each output pixel is read from."""
        middle = np.array([(height - 1) / 2, (width - 1) / 2])
        grid = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), -1)
        centred = grid - middle
        found = np.einsum("nij,hwj->nhwi", self.matrices, centred) + middle
        found += self.shifts[:, None, None]
        return _mirrored(found[..., 0], height), _mirrored(found[..., 1], width)


def drawn_warp(how: Augment, count: int, size: tuple[int, int], rng: Rng) -> Warp:
    """Rotation by up to `rotate` degrees, size off by up to `zoom`, shift by up to `translate`."""
    angles = np.deg2rad(rng.uniform(-how.rotate, how.rotate, count))
    scales = 1 / rng.uniform(1 - how.zoom, 1 + how.zoom, count)
    cos, sin = scales * np.cos(angles), scales * np.sin(angles)
    matrices = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    shifts = rng.uniform(-how.translate, how.translate, (count, 2)) * np.array(size)
    return Warp(matrices, shifts)


def _mirrored(at: Floats, size: int) -> Floats:
    """Places inside of 0 … size − 1; those beyond are counted back from the border."""
    if size == 1:
        return np.zeros_like(at)
    turn = 2 * (size - 1)
    found = np.abs(at) % turn
    return np.minimum(found, turn - found)


def _read(x: NDArray[Any], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[Any]:
    """The pixels N×C×H×W at rows and columns N×H×W; one past the last is the last."""
    count, channels, height, width = x.shape
    at = np.minimum(rows, height - 1) * width + np.minimum(columns, width - 1)
    flat = x.reshape(count, channels, -1)
    return np.take_along_axis(flat, at.reshape(count, 1, -1), axis=2).reshape(x.shape)
