"""Masks to look at: their colours, files of them, images under them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.files import writing
from cnndsl.losses import VOID
from cnndsl.runtime.images import Framing, pillow, read_framed, save_png
from cnndsl.weights.model_info import ModelInfo

Pixels = NDArray[np.uint8]
_USUAL = ModelInfo()


def palette() -> Pixels:
    """A colour a class, 256×3: the bits of its number, spread over red, green and blue.

    Class 0 is black. Source: the development kit of PASCAL VOC (Everingham et al. 2010).
    """
    number, colours = np.arange(256), np.zeros((256, 3), np.uint8)
    for step in range(8):
        for channel in range(3):
            bit = number >> (3 * step + channel) & 1
            colours[:, channel] |= (bit << (7 - step)).astype(np.uint8)
    return colours


def overlaid(images: Pixels, masks: Pixels) -> Pixels:
    """Images N×C×H×W under the colours of masks N×H×W, half of each: N×3×H×W.

    Class 0, mostly the background, and ignored pixels are left as they are.
    """
    colours = palette()[masks].transpose(0, 3, 1, 2)
    channels = images if images.shape[1] == 3 else np.repeat(images[:, :1], 3, axis=1)
    shown = ((masks != 0) & (masks != VOID))[:, None]
    return np.where(shown, channels // 2 + colours // 2, channels).astype(np.uint8)


def save_masks(
    folder: Path, path: Path, stem: str, mask: Pixels, info: ModelInfo = _USUAL
) -> dict[str, str]:
    """Write `stem.mask.png` and, for an image file, `stem.overlay.png`; their paths by kind.

    The mask is as large as the image file, which `info` cut; what the model has not seen of it is
    `VOID`. That of an `.npy` file is as large as the model gives it.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        return {"mask": save_png(folder / f"{stem}.mask.png", _as_palette(mask))}
    height, width = mask.shape
    image, framing = read_framed(path, height, width, info)
    whole = _unframed(mask, framing)
    mixed = overlaid(image.transpose(2, 0, 1)[None], whole[None])[0].transpose(1, 2, 0)
    return {
        "mask": save_png(folder / f"{stem}.mask.png", _as_palette(whole)),
        "overlay": save_png(folder / f"{stem}.overlay.png", pillow()[0].fromarray(mixed)),
    }


def _unframed(mask: Pixels, framing: Framing) -> Pixels:
    """A mask of what the model has seen, on the whole image, by the nearest pixel."""
    (height, width), (left, top, right, bottom) = framing.size, framing.box
    rows = _nearest(np.arange(height), top, bottom, mask.shape[0])
    columns = _nearest(np.arange(width), left, right, mask.shape[1])
    seen = np.outer(rows >= 0, columns >= 0)
    return np.where(seen, mask[np.ix_(rows, columns)], np.uint8(VOID))


def _nearest(at: NDArray[np.int64], start: float, end: float, count: int) -> NDArray[np.int64]:
    """Which of `count` cells from `start` to `end` holds the middle of each pixel; −1 for none."""
    cell = np.floor((at + 0.5 - start) * count / (end - start)).astype(np.int64)
    return np.where((cell >= 0) & (cell < count), cell, -1)


def _as_palette(mask: Pixels) -> Any:
    """An image of class numbers with their colours."""
    image = pillow()[0].fromarray(mask)
    image.putpalette(palette().tobytes())
    return image
