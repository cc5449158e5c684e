"""Random changes of uint8 batches, N×C×H×W, drawn by the host."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from cnndsl.data.dataset import Images, Targets
from cnndsl.recipe import Augment

Rng = np.random.Generator
Mask = NDArray[np.bool_]
Soft = NDArray[np.float32]


def augment(x: Images, how: Augment, mirrored: Mask, rng: Rng) -> Images:
    """Crop, flip those `mirrored`, jitter, cutout, in this order."""
    return recoloured(moved(x, how, mirrored, rng), how, rng)


def moved(x: Images, how: Augment, mirrored: Mask, rng: Rng) -> Images:
    """Crop, and flip those `mirrored`: what moves masks with their images."""
    if how.crop:
        x = cropped(x, how.crop, rng)
    return flipped(x, mirrored) if how.flip else x


def moved_together(
    x: Images, masks: Targets, how: Augment, mirrored: Mask, rng: Rng
) -> tuple[Images, Targets]:
    """Images and their masks N×H×W, both moved in the same way."""
    both = moved(np.concatenate([x, masks[:, None]], axis=1), how, mirrored, rng)
    return both[:, :-1].astype(x.dtype), both[:, -1].astype(masks.dtype)


def recoloured(x: Images, how: Augment, rng: Rng) -> Images:
    """Jitter and cutout: what leaves everything at its place."""
    if how.jitter:
        x = jittered(x, how.jitter, rng)
    return blanked(x, how.cutout, rng) if how.cutout else x


def flipped(x: Images, mirrored: Mask) -> Images:
    """Some of the pictures mirrored left to right."""
    out = x.copy()
    out[mirrored] = x[mirrored][..., ::-1]
    return out


def cropped(x: Images, margin: int, rng: Rng) -> Images:
    """Each picture shifted by up to `margin` pixels each way; its mirror image comes in."""
    height, width = x.shape[2:]
    around = (margin, margin)
    wide = np.pad(x, ((0, 0), (0, 0), around, around), "reflect")
    views = sliding_window_view(wide, (height, width), axis=(2, 3))
    down, right = rng.integers(0, 2 * margin + 1, (2, len(x)))
    return views[np.arange(len(x)), :, down, right]


def jittered(x: Images, strength: float, rng: Rng) -> Images:
    """Contrast and brightness each off by up to `strength`."""
    contrast, light = rng.uniform(1 - strength, 1 + strength, (2, len(x), 1, 1, 1))
    middle = x.mean(axis=(1, 2, 3), keepdims=True)
    changed = (x - middle) * contrast + middle * light
    return np.rint(np.clip(changed, 0, 255)).astype(np.uint8)


def blanked(x: Images, side: int, rng: Rng) -> Images:
    """A black square around a pixel of each picture. Source: cutout, arXiv:1708.04552."""
    height, width = int(x.shape[2]), int(x.shape[3])
    top, left = rng.integers(0, height, len(x)), rng.integers(0, width, len(x))
    rows = np.arange(height) - top[:, None] + side // 2
    columns = np.arange(width) - left[:, None] + side // 2
    tall, wide = (rows >= 0) & (rows < side), (columns >= 0) & (columns < side)
    return x * ~(tall[:, None, :, None] & wide[:, None, None, :])


def mixed(x: Images, targets: Soft, alpha: float, rng: Rng) -> tuple[Images, Soft]:
    """Pairs blended by one share a batch. Source: mixup, Zhang et al. 2018, arXiv:1710.09412."""
    if not alpha:
        return x, targets
    share, other = rng.beta(alpha, alpha), rng.permutation(len(x))
    blended = np.rint(share * x + (1 - share) * x[other]).astype(np.uint8)
    return blended, (share * targets + (1 - share) * targets[other]).astype(np.float32)
