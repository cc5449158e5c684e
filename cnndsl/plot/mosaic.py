"""Images side by side, each with a line or two of text below."""

from collections.abc import Sequence
from pathlib import Path
from re import sub
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.files import write_whole
from cnndsl.plot.curves import as_png, new_figure

MOST = 24
_COLUMNS = 6
_LETTERS, _LINES = 30, 2  # of each line of text below an image


def save_mosaic(images: NDArray[np.uint8], texts: Sequence[str], title: str, path: Path) -> None:
    """Write up to `MOST` images N×C×H×W as a PNG; of other than 1 or 3 channels, the first one."""
    shown = images[:MOST]
    rows = -(-len(shown) // _COLUMNS)
    figure = new_figure(1.55 * _COLUMNS, 2.15 * rows + 0.4)
    figure.suptitle(title, fontsize=10)
    panels = np.ravel(figure.subplots(rows, _COLUMNS, squeeze=False))
    for axes in panels:
        axes.set_axis_off()
    for axes, image, text in zip(panels, shown, texts, strict=False):
        _draw(axes, image, text)
    write_whole(path, as_png(figure))


def _draw(axes: Any, image: NDArray[np.uint8], text: str) -> None:
    colours = image.transpose(1, 2, 0) if len(image) == 3 else image[0]
    axes.imshow(colours, cmap="gray", vmin=0, vmax=255)
    lines = (part for line in text.splitlines() for part in _wrapped(line))
    axes.set_title("\n".join(lines), y=0, pad=-3, va="top", fontsize=7, parse_math=False)


def _wrapped(line: str) -> list[str]:
    """Lines of a text, none of which parts a number from the name before it."""
    joined = sub(r"(?<=[^\W\d]) (?=-?\d)", "\N{NO-BREAK SPACE}", line)
    return wrap(joined, _LETTERS, max_lines=_LINES, placeholder=" …") or [""]
