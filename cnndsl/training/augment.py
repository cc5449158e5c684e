"""Random changes of uint8 batches, N×C×H×W, drawn by the host.

What is drawn has the images as its first axis: so `OwnRows` can draw for some of a batch.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from cnndsl.data.dataset import Images, Targets
from cnndsl.recipe import Augment
from cnndsl.training.own_rows import Rng
from cnndsl.training.warp import Warp, drawn_warp

Mask = NDArray[np.bool_]
Soft = NDArray[np.float32]
_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


def moved(x: Images, how: Augment, mirrored: Mask, rng: Rng) -> Images:
    """Crop, flip those `mirrored`, and warp: what moves masks with their images."""
    x = _shifted(x, how, mirrored, rng)
    return _warp(x, how, rng).images(x) if how.warps else x


def moved_together(
    x: Images, masks: Targets, how: Augment, mirrored: Mask, rng: Rng
) -> tuple[Images, Targets]:
    """Images and their masks N×H×W, both moved in the same way."""
    both = _shifted(np.concatenate([x, masks[:, None]], axis=1), how, mirrored, rng)
    x, masks = both[:, :-1].astype(x.dtype), both[:, -1].astype(masks.dtype)
    if not how.warps:
        return x, masks
    warp = _warp(x, how, rng)
    return warp.images(x), warp.masks(masks)


def _shifted(x: Images, how: Augment, mirrored: Mask, rng: Rng) -> Images:
    """By whole pixels."""
    if how.crop:
        x = cropped(x, how.crop, rng)
    return flipped(x, mirrored) if how.flip else x


def _warp(x: Images, how: Augment, rng: Rng) -> Warp:
    return drawn_warp(how, len(x), (int(x.shape[2]), int(x.shape[3])), rng)


def recoloured(x: Images, how: Augment, rng: Rng) -> Images:
    """Jitter, colours, cutout and erased rectangles: what leaves everything at its place."""
    if how.jitter:
        x = jittered(x, how.jitter, rng)
    if (how.hue or how.saturation) and x.shape[1] == 3:
        x = tinted(x, how.hue, how.saturation, rng)
    if how.cutout:
        x = blanked(x, how.cutout, rng)
    return erased(x, how.erase, rng) if how.erase else x


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
    down, right = (rng.integers(0, 2 * margin + 1, len(x)) for _ in range(2))
    return views[np.arange(len(x)), :, down, right]


def jittered(x: Images, strength: float, rng: Rng) -> Images:
    """Contrast and brightness each off by up to `strength`."""
    low, high = 1 - strength, 1 + strength
    contrast, light = (rng.uniform(low, high, (len(x), 1, 1, 1)) for _ in range(2))
    middle = x.mean(axis=(1, 2, 3), keepdims=True)
    changed = (x - middle) * contrast + middle * light
    return np.rint(np.clip(changed, 0, 255)).astype(np.uint8)


def tinted(x: Images, hue: float, saturation: float, rng: Rng) -> Images:
    """Hue turned by up to `hue` of a full round, saturation off by up to a share; luma stays.

    x: N×3×H×W, as red, green, blue. In YIQ, a turn of (I, Q) is one of the hue.
    """
    angles = 2 * np.pi * rng.uniform(-hue, hue, len(x))
    strengths = rng.uniform(1 - saturation, 1 + saturation, len(x))
    cos, sin = strengths * np.cos(angles), strengths * np.sin(angles)
    turns = np.tile(np.eye(3), (len(x), 1, 1))
    turns[:, 1, 1], turns[:, 1, 2], turns[:, 2, 1], turns[:, 2, 2] = cos, -sin, sin, cos
    matrices = np.linalg.inv(_YIQ) @ turns @ _YIQ
    changed = np.einsum("nij,njhw->nihw", matrices, x.astype(np.float64), optimize=True)
    return np.rint(np.clip(changed, 0, 255)).astype(np.uint8)


def erased(x: Images, share: float, rng: Rng) -> Images:
    """In a share of the images, noise over a rectangle of 2 to 33 % of the area.

    Source: random erasing, Zhong et al. 2017, arXiv:1708.04896.
    """
    count, height, width = len(x), int(x.shape[2]), int(x.shape[3])
    chosen = rng.random(count) < share
    area = rng.uniform(0.02, 0.33, count) * (height * width)
    aspect = np.exp(rng.uniform(np.log(0.3), np.log(1 / 0.3), count))
    rows = _stretch(np.sqrt(area * aspect), height, rng) & chosen[:, None]
    columns = _stretch(np.sqrt(area / aspect), width, rng)
    hidden = rows[:, None, :, None] & columns[:, None, None, :]
    return np.where(hidden, rng.integers(0, 256, x.shape, np.uint8), x)


def _stretch(lengths: NDArray[np.float64], size: int, rng: Rng) -> Mask:
    """Which of `size` places lie in a random stretch of each length: N×size."""
    whole = np.clip(np.rint(lengths), 1, size)
    places = np.arange(size) - np.floor(rng.random(len(lengths)) * (size - whole + 1))[:, None]
    return (places >= 0) & (places < whole[:, None])


def blanked(x: Images, side: int, rng: Rng) -> Images:
    """A black square around a pixel of each picture. Source: cutout, arXiv:1708.04552."""
    height, width = int(x.shape[2]), int(x.shape[3])
    top, left = rng.integers(0, height, len(x)), rng.integers(0, width, len(x))
    rows = np.arange(height) - top[:, None] + side // 2
    columns = np.arange(width) - left[:, None] + side // 2
    tall, wide = (rows >= 0) & (rows < side), (columns >= 0) & (columns < side)
    return x * ~(tall[:, None, :, None] & wide[:, None, None, :])


def drawn_pairs(
    alpha: float, count: int, rng: np.random.Generator
) -> tuple[float, NDArray[np.intp]]:
    """The share of each image in a blend, one a batch, and the image that it is blended with.

    Source: mixup, Zhang et al. 2018, arXiv:1710.09412.
    """
    return float(rng.beta(alpha, alpha)), rng.permutation(count)


def mixed(x: Images, targets: Soft, share: float) -> tuple[Images, Soft]:
    """The first half of images and targets, each blended with its fellow in the second half."""
    count = len(x) // 2
    blended = np.rint(share * x[:count] + (1 - share) * x[count:]).astype(np.uint8)
    soft = share * targets[:count] + (1 - share) * targets[count:]
    return blended, soft.astype(np.float32)
