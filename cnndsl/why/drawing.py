"""Heat maps as images: over what a model has seen of a file, or over the pixels themselves."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnndsl.files import writing
from cnndsl.runtime.images import pillow, read_framed, save_png
from cnndsl.weights.model_info import ModelInfo

Heat = NDArray[np.float32]
Pixels = NDArray[np.uint8]
_STRONGEST = 0.7  # share of the colour where the heat is 1
_USUAL = ModelInfo()
_SIDE = 224  # small images are drawn as large as this
_BILINEAR = 2  # pillow's number


def is_empty(heat: Heat) -> bool:
    """Whether no place has heat: none raises the score of the answer."""
    return not heat.any()


def save_over_file(
    target: Path, image_file: Path, heat: Heat, info: ModelInfo = _USUAL
) -> str:  # fmt: skip
    """Write the heat map over an image file, in its own size; what is not seen stays as it is.

    `info` says how the file was cut. Of an `.npy` file the heat map alone is drawn. Returns the
    path.
    """
    if image_file.suffix == ".npy":
        return save_over(target, np.zeros((*heat.shape, 3), np.uint8), heat)
    height, width = heat.shape
    image, framing = read_framed(image_file, height, width, info)
    left, top, right, bottom = (max(0, round(side)) for side in framing.box)
    image = image.copy()
    seen = image[top:bottom, left:right]
    seen[:] = _blended(seen, _scaled(heat, seen.shape[1], seen.shape[0]))
    return _save(target, image)


def save_over(target: Path, image: Pixels, heat: Heat) -> str:
    """Write the heat map over pixels H×W×3, small ones enlarged. Returns the path."""
    times = max(1, -(-_SIDE // max(image.shape[:2])))
    large = image.repeat(times, 0).repeat(times, 1)
    return _save(target, _blended(large, _scaled(heat, large.shape[1], large.shape[0])))


def as_colours(image: Pixels) -> Pixels:
    """C×H×W as H×W×3; of other than three channels the first."""
    channels = image if len(image) == 3 else image[:1].repeat(3, 0)
    return channels.transpose(1, 2, 0)


def _scaled(heat: Heat, width: int, height: int) -> Heat:
    values = pillow()[0].fromarray(np.asarray(heat, np.float32))
    return np.asarray(values.resize((width, height), _BILINEAR))


def _blended(image: Pixels, heat: Heat) -> Pixels:
    """The image in gray under black, red, yellow and white, the more the hotter."""
    gray = image.mean(2, keepdims=True)
    colours = np.clip(3 * heat[..., None] - np.arange(3), 0, 1) * 255
    share = _STRONGEST * heat[..., None]
    return (gray * (1 - share) + colours * share).round().astype(np.uint8)


def _save(target: Path, pixels: Pixels) -> str:
    with writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    return save_png(target, pillow()[0].fromarray(pixels))
