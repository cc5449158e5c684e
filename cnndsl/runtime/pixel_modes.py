"""Images of any mode as eight bits in gray or RGB, and what that changes of them."""

from enum import Flag, auto
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

Ground = tuple[int, int, int]
"""The colour behind transparent pixels: red, green, blue."""
WHITE: Ground = (255, 255, 255)
_NARROW = 64  # of the 256 grays that are left of 16 bits
_SAMPLE = (32, 32)
_COLOURED = 16  # a JPEG's grays are apart by less


class Change(Flag):
    """What an image file loses, or is given, on the way to a model's input."""

    DEPTH = auto()  # of 16 bits the upper 8 are kept
    NARROW = auto()  # of 16 bits the upper two are not used, so that few values are left
    GROUND = auto()  # transparent pixels show the ground
    TO_GRAY = auto()  # colours are gone
    TO_RGB = auto()  # all three channels have the same gray


def is_deep(image: "Image") -> bool:
    """Whether the values of a file, opened and not yet loaded, have 16 bits."""
    tiles = getattr(image, "tile", ())
    return any(";16" in str(tile[3]) for tile in tiles)


def converted(image: "Image", deep: bool, channels: int, ground: Ground) -> "tuple[Image, Change]":
    """The image in mode L or RGB, with what has been changed.

    16-bit values are scaled by their full range; pillow itself would clip grays to white, and show
    the colours that stand behind transparency.
    """
    image, change = _on_ground(_upper_bits(image), ground)
    if deep:
        change |= Change.DEPTH | (Change.NARROW if _brightest(image) < _NARROW else Change(0))
    if channels == 1 and _is_coloured(image):
        change |= Change.TO_GRAY
    if channels == 3 and image.mode in ("1", "L"):
        change |= Change.TO_RGB
    return image.convert("L" if channels == 1 else "RGB"), change


def _upper_bits(image: "Image") -> "Image":
    """The upper eight bits of 16-bit grays; of colours pillow has dropped the lower ones."""
    if not image.mode.startswith("I"):
        return image
    from PIL.Image import fromarray

    return fromarray((np.clip(np.asarray(image), 0, 65535) >> 8).astype(np.uint8))


def _on_ground(image: "Image", ground: Ground) -> "tuple[Image, Change]":
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image, Change(0)
    from PIL.Image import alpha_composite, new

    image = image.convert("RGBA")
    lowest, _ = image.getchannel("A").getextrema()
    if lowest == 255:
        return image.convert("RGB"), Change(0)
    return alpha_composite(new("RGBA", image.size, ground), image).convert("RGB"), Change.GROUND


def _brightest(image: "Image") -> int:
    return int(np.asarray(image).max(initial=0))


def _is_coloured(image: "Image") -> bool:
    """Whether the channels of some pixels are apart, by a sample of them."""
    if image.mode in ("1", "L"):
        return False
    sample = np.asarray(image.convert("RGB").resize(_SAMPLE, 0), np.int16)
    return bool(np.ptp(sample, axis=2).max() > _COLOURED)
