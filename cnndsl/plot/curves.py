"""Training curves and confusion matrices."""

import io
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.files import write_whole

_INK, _SOFT = "#1f4e79", "#d9822b"


def available() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _png(figure: Any) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings():  # a name in letters that the font lacks is shown as boxes
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        figure.savefig(out, format="png", dpi=120)
    return out.getvalue()


def save_curves(rows: list[dict[str, Any]], path: Path) -> None:
    """Loss and accuracy of training and validation over the epochs."""
    write_whole(path, curves_png(rows))


def curves_png(rows: list[dict[str, Any]]) -> bytes:
    """The picture of `save_curves`."""
    figure = _figure(9, 3.6)
    epochs = [row["epoch"] for row in rows]
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        axes.plot(epochs, [row[name] for row in rows], "o-", ms=3, color=_INK, label="training")
        axes.plot(epochs, [row[f"val_{name}"] for row in rows], "o-", ms=3, color=_SOFT,
                  label="validation")  # fmt: skip
        axes.set_title(name)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    return _png(figure)


def save_confusion(confusion: NDArray[np.int64], classes: tuple[str, ...], path: Path) -> None:
    """Rows are the true classes, columns what the model says; shares of each row."""
    totals = np.maximum(confusion.sum(1, keepdims=True), 1)
    shares, count = confusion / totals, len(classes)
    side = max(4.5, 0.55 * count + 1.5)
    figure = _figure(side + 1, side)
    axes = figure.subplots()
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(count), classes, rotation=45, ha="right", parse_math=False)
    axes.set_yticks(range(count), classes, parse_math=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for i, j in np.ndindex(count, count) if count <= 20 else ():
        color = "white" if shares[i, j] > 0.5 else "#333333"
        axes.text(j, i, f"{confusion[i, j]}", ha="center", va="center", fontsize=8, color=color)
    figure.colorbar(picture, ax=axes, label="share of the true class")
    write_whole(path, _png(figure))
