"""Pictures and arrays as the input of a model."""

import sys
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from cnndsl.files import write_whole
from cnndsl.losses import VOID
from cnndsl.runtime.file_kinds import other_kind
from cnndsl.runtime.pixel_modes import Change, converted, is_deep
from cnndsl.source import UserError
from cnndsl.weights.model_info import GROUNDS, RESAMPLE, ModelInfo

if TYPE_CHECKING:
    from PIL.Image import Image

_MAX_PIXELS = 64_000_000
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
_UPRIGHT = {  # what EXIF's orientations ask for
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE",
    6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90",
}  # fmt: skip
_SIDEWAYS = 5  # from this orientation on width and height change places
_NEAREST, _BILINEAR = 0, 2  # pillow's numbers
_USUAL = ModelInfo()


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
    path: "Path | Image", height: int, width: int, channels: int = 3, info: ModelInfo = _USUAL
) -> NDArray[np.uint8]:
    """A PNG or JPEG, or an image of pillow, as height x width x channels, uint8.

    The picture is turned upright by its EXIF tag, and scaled and cut as `info` says. All that shows
    files to a model reads them by this or by `decode`. UserError where it cannot be read.
    """
    with bombs_refused():
        return decode(path, height, width, channels, info).pixels


def decode(
    path: "Path | Image", height: int, width: int, channels: int = 3, info: ModelInfo = _USUAL
) -> Decoded:
    """As `read_picture`, for threads: their caller is in `bombs_refused`."""
    image, change = _image(path, channels, info)
    resample = RESAMPLE[info.resample] if info.crop else _BILINEAR
    cut = _fitted(image, height, width, info.crop, resample)
    return Decoded(np.asarray(cut, np.uint8).reshape(height, width, channels), change)


def decode_mask(path: Path, height: int, width: int, info: ModelInfo = _USUAL) -> NDArray[np.uint8]:
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
        raise UserError(f"{path} has the value {values.max()}; masks hold class numbers to 254")
    numbers = pillow()[0].fromarray(values.astype(np.uint8))
    return np.asarray(_fitted(numbers, height, width, info.crop, _NEAREST, VOID))


def upright_size(path: Path) -> tuple[int, int] | None:
    """Width and height of an image file as its head and EXIF tag tell; None where it has none."""
    image_module, tags = pillow()
    try:
        with image_module.open(path, formats=_FORMATS) as image:
            turned = image.getexif().get(tags.Base.Orientation, 1) >= _SIDEWAYS
            return image.size[::-1] if turned else image.size
    except Exception:  # what is damaged raises a dozen unrelated types, and is told when it is read
        return None


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


def read_framed(
    path: Path, height: int, width: int, info: ModelInfo = _USUAL
) -> tuple[NDArray[np.uint8], Framing]:
    """A picture upright in its own size, H×W×3, and what `read_picture` takes of it."""
    with bombs_refused():
        image, _ = _image(path, 3, _USUAL)
    framing = Framing((image.height, image.width), _seen(image, height, width, info.crop))
    return np.asarray(image, np.uint8), framing


def save_png(path: Path, image: "Image") -> str:
    """Write an image of pillow, in one piece. Returns the path."""
    data = BytesIO()
    image.save(data, "PNG")
    write_whole(path, data.getvalue())
    return str(path)


def _image(path: "Path | Image", channels: int, info: ModelInfo) -> "tuple[Image, Change]":
    """A file's image in its own size, gray or RGB of eight bits."""
    return converted(*_open(path), channels, GROUNDS[info.ground])


def _fitted(
    image: "Image", height: int, width: int, crop: float | None, resample: int, outside: int = 0
) -> "Image":
    """An image at a size, by pillow's filter: its middle, or with `crop` that of the whole scaled.

    What a crop has beyond the image is `outside`.
    """
    if crop is None:
        if image.size == (width, height):
            return image
        return image.resize((width, height), resample, _middle(image, height, width))
    size, (left, top) = _crop_at(image, height, width, crop)
    cut = pillow()[0].new(image.mode, (width, height), outside)
    cut.paste(image.resize(size, resample), (-left, -top))
    return cut


def _crop_at(
    image: "Image", height: int, width: int, crop: float
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Width and height of the scaled image, and left and top of what is cut out of it.

    The roundings are those of torchvision's Resize and CenterCrop.
    """
    short = round(min(height, width) / crop)
    if image.width <= image.height:
        size = (short, int(short * image.height / image.width))
    else:
        size = (int(short * image.width / image.height), short)
    return size, (round((size[0] - width) / 2), round((size[1] - height) / 2))


def _seen(
    image: "Image", height: int, width: int, crop: float | None
) -> tuple[float, float, float, float]:
    """The box of a file's pixels that `_fitted` takes."""
    if crop is None:
        return _middle(image, height, width)
    size, (left, top) = _crop_at(image, height, width, crop)
    wide, high = image.width / size[0], image.height / size[1]
    return (left * wide, top * high, (left + width) * wide, (top + height) * high)


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
            raise ValueError("it is not a file")
        with image_module.open(source, formats=_FORMATS) as image:
            deep = is_deep(image)
            image.load()
            return _upright(image), deep
    except bombs:
        raise UserError(f"{source}: more than {_MAX_PIXELS:,} pixels") from None
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
