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
    scale = max(width / image.width, height / image.height)
    if scale != 1:
        size = (max(width, round(image.width * scale)), max(height, round(image.height * scale)))
        image = image.resize(size, resample=2)  # bilinear, antialiased
    left, top = (image.width - width) // 2, (image.height - height) // 2
    cut = np.asarray(image.crop((left, top, left + width, top + height)), np.uint8)
    return cut.reshape(height, width, channels)


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
