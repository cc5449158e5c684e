"""Pictures and arrays as the input of a model."""

import sys
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from cnndsl.runtime.file_kinds import other_kind
from cnndsl.runtime.pixel_modes import WHITE, Change, Ground, converted, is_deep
from cnndsl.source import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

_MAX_PIXELS = 64_000_000
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
_UPRIGHT = {  # what EXIF's orientations ask for
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE",
    6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90",
}  # fmt: skip
_SIDEWAYS = 5  # from this orientation on width and height change places


@dataclass(frozen=True)
class Framing:
    """Which part of an image file a model sees, in its pixels."""

    size: tuple[int, int]  # height, width of the file
    box: tuple[float, float, float, float]  # left, top, right, bottom


class Decoded(NamedTuple):
    """Pixels of an image file, and what has been changed of them."""

    pixels: NDArray[np.uint8]
    change: Change = Change(0)


def read_picture(
    path: "Path | Image", height: int, width: int, channels: int = 3, ground: Ground = WHITE
) -> NDArray[np.uint8]:
    """A PNG or JPEG, or an image of pillow, as height x width x channels, uint8.

    The picture is turned upright by its EXIF tag, scaled so that it covers the size, and its middle
    is cut out. `ground` is the colour behind transparent pixels. UserError where it cannot be read.
    """
    with bombs_refused():
        return decode(path, height, width, channels, ground).pixels


def decode(
    path: "Path | Image", height: int, width: int, channels: int = 3, ground: Ground = WHITE
) -> Decoded:
    """As `read_picture`, for threads: their caller is in `bombs_refused`."""
    image, change = _image(path, channels, ground)
    if image.size != (width, height):
        image = image.resize((width, height), 2, _middle(image, height, width))
    return Decoded(np.asarray(image, np.uint8).reshape(height, width, channels), change)


def decode_mask(path: Path, height: int, width: int) -> NDArray[np.uint8]:
    """A PNG of class numbers as height x width, uint8: indices of a palette, or gray values.

    It is cut as an image of its size, each pixel taken from the nearest. For threads, as `decode`.
    UserError for colours and for values beyond 255.
    """
    image, _ = _open(path)
    if image.mode in ("LA", "RGB", "RGBA"):
        bands = [np.asarray(band) for band in image.split()[: 1 if image.mode == "LA" else 3]]
        if any((band != bands[0]).any() for band in bands):
            told = "a mask is a PNG of class numbers, with a palette or gray"
            raise UserError(f"{path}: {told}; this one has colours")
        values = bands[0]
    else:
        values = np.asarray(image)
    if values.max(initial=0) > 255 or values.min(initial=0) < 0:
        raise UserError(f"{path}: has the value {values.max()}; masks hold class numbers to 254")
    return _nearest(values.astype(np.uint8), image, height, width)


def upright_size(path: Path) -> tuple[int, int] | None:
    """Width and height of an image file as its head and EXIF tag tell; None where it has none."""
    image_module, tags = pillow()
    try:
        with image_module.open(path, formats=_FORMATS) as image:
            turned = image.getexif().get(tags.Base.Orientation, 1) >= _SIDEWAYS
            return image.size[::-1] if turned else image.size
    except Exception:  # what is damaged raises a dozen unrelated types, and is told when it is read
        return None


def _nearest(
    values: NDArray[np.uint8], image: "Image", height: int, width: int
) -> NDArray[np.uint8]:
    if image.size == (width, height):
        return values
    from PIL.Image import fromarray

    return np.asarray(fromarray(values).resize((width, height), 0, _middle(image, height, width)))


@contextmanager
def bombs_refused() -> Generator[None]:
    """Pillow's warning of an image with too many pixels is an error; not to be entered in threads.

    UserError where pillow is missing.
    """
    image_module, _ = pillow()
    image_module.MAX_IMAGE_PIXELS = _MAX_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error", image_module.DecompressionBombWarning)
        yield


def read_cropped(
    path: "Path | Image", height: int, width: int, channels: int, crop: float, resample: int,
    ground: Ground = WHITE,
) -> NDArray[np.uint8]:  # fmt: skip
    """As `read_picture`, with the shorter side scaled first to the model's over `crop`.

    The roundings are those of torchvision's Resize and CenterCrop, `resample` is pillow's number.
    """
    with bombs_refused():
        return decode_cropped(path, height, width, channels, crop, resample, ground).pixels


def decode_cropped(
    path: "Path | Image", height: int, width: int, channels: int, crop: float, resample: int,
    ground: Ground = WHITE,
) -> Decoded:  # fmt: skip
    """As `read_cropped`, for threads: their caller is in `bombs_refused`."""
    image, change = _image(path, channels, ground)
    short = round(min(height, width) / crop)
    if image.width <= image.height:
        size = (short, int(short * image.height / image.width))
    else:
        size = (int(short * image.width / image.height), short)
    scaled = image.resize(size, resample)
    left, top = round((size[0] - width) / 2), round((size[1] - height) / 2)
    cut = scaled.crop((left, top, left + width, top + height))
    return Decoded(np.asarray(cut, np.uint8).reshape(height, width, channels), change)


def read_framed(path: Path, height: int, width: int) -> tuple[NDArray[np.uint8], Framing]:
    """A picture upright in its own size, H×W×3, and what `read_picture` takes of it."""
    with bombs_refused():
        image, _ = _image(path, 3, WHITE)
    framing = Framing((image.height, image.width), _middle(image, height, width))
    return np.asarray(image, np.uint8), framing


def _image(path: "Path | Image", channels: int, ground: Ground) -> "tuple[Image, Change]":
    """A file's image in its own size, gray or RGB of eight bits."""
    return converted(*_open(path), channels, ground)


def _middle(image: "Image", height: int, width: int) -> tuple[float, float, float, float]:
    """The box in the middle that has the shape of a size and is as large as can be.

    Scaling it alone takes no more than the result.
    """
    scale = max(width / image.width, height / image.height)
    wide, high = min(width / scale, image.width), min(height / scale, image.height)
    left, top = (image.width - wide) / 2, (image.height - high) / 2
    return (left, top, left + wide, top + high)


def pillow() -> "tuple[Any, Any]":
    """Its modules Image and ExifTags; UserError where it is missing."""
    try:
        from PIL import ExifTags, Image
    except ImportError:
        raise UserError("pictures need pillow\n  pip install pillow") from None
    return Image, ExifTags


def _open(source: "Path | Image") -> "tuple[Image, bool]":
    """An image, upright, and whether its values have 16 bits."""
    if not isinstance(source, Path):
        return _upright(source), is_deep(source)
    image_module, _ = pillow()
    bombs = (image_module.DecompressionBombError, image_module.DecompressionBombWarning)
    try:
        if source.exists() and not source.is_file():
            raise ValueError("it is no file")
        with image_module.open(source, formats=_FORMATS) as image:
            deep = is_deep(image)
            image.load()
            return _upright(image), deep
    except bombs:
        raise UserError(f"{source}: has more than {_MAX_PIXELS:,} pixels") from None
    except Exception as error:  # what is damaged raises a dozen unrelated types
        if kind := other_kind(source):
            raise UserError(f"{source}: cannot be read as a picture: it {kind}") from None
        text = getattr(error, "strerror", None) or error
        if isinstance(error, image_module.UnidentifiedImageError):  # its text repeats the path
            text = f"it is none of {', '.join(_FORMATS)}"
        raise UserError(f"{source}: cannot be read as a picture: {text}") from None


def _upright(image: "Image") -> "Image":
    """A copy, turned as its EXIF tag asks."""
    image_module, tags = pillow()
    orientation: Any = image.getexif().get(tags.Base.Orientation)
    way = _UPRIGHT.get(orientation)
    return image.transpose(image_module.Transpose[way]) if way else image.copy()


def is_pillow_image(value: object) -> "TypeGuard[Image]":
    """Whether a value is an image of pillow, which is imported then."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


def read_array(path: Path) -> NDArray[np.generic]:
    """An `.npy` file, never with pickled objects."""
    try:
        with path.open("rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:  # what is damaged raises a dozen unrelated types
        raise UserError(f"{path}: cannot be read as an array: {error}") from None
