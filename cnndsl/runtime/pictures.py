"""Pictures and arrays as the input of a model."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnndsl.source import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

_MAX_PIXELS = 64_000_000


def read_picture(path: Path, height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    """A PNG or JPEG as height x width x channels, uint8.

    The picture is turned upright by its EXIF tag, scaled so that it covers the size, and its middle
    is cut out. UserError where it cannot be read.
    """
    image = _eight_bits(_open(path)).convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        scale = max(width / image.width, height / image.height)
        image = image.resize((width, height), 2, _middle(image, width / scale, height / scale))
    return np.asarray(image, np.uint8).reshape(height, width, channels)


def _middle(image: "Image", width: float, height: float) -> tuple[float, float, float, float]:
    """The box of this size in the middle: scaling it alone takes no more than the result."""
    width, height = min(width, image.width), min(height, image.height)
    left, top = (image.width - width) / 2, (image.height - height) / 2
    return (left, top, left + width, top + height)


def _eight_bits(image: "Image") -> "Image":
    """What pillow itself would clip to white or warn of: 16-bit grays, transparent palettes."""
    if image.mode.startswith("I"):
        from PIL.Image import fromarray

        return fromarray((np.clip(np.asarray(image), 0, 65535) >> 8).astype(np.uint8))
    return image.convert("RGBA") if "transparency" in image.info else image


def _open(path: Path) -> "Image":
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise UserError("pictures need pillow\n  pip install 'cnndsl[image]'") from None
    import warnings

    Image.MAX_IMAGE_PIXELS = _MAX_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path, formats=("PNG", "JPEG", "BMP", "GIF", "WEBP"))
            return ImageOps.exif_transpose(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UserError(f"{path}: has more than {_MAX_PIXELS:,} pixels") from None
    except (OSError, ValueError, SyntaxError) as error:
        text = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read as a picture: {text}") from None


def read_array(path: Path) -> NDArray[np.generic]:
    """An `.npy` file, never with pickled objects."""
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: cannot be read as an array: {error}") from None
