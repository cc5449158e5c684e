"""Training curves."""

import io
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cnndsl.files import write_whole

_INK, _SOFT = "#1f4e79", "#d9822b"


def available() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def new_figure(width: float, height: float) -> Any:
    """A figure of this size in inches, without a screen."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def as_png(figure: Any) -> bytes:
    """A figure as the bytes of a PNG."""
    out = io.BytesIO()
    with warnings.catch_warnings():  # a name in letters that the font lacks is shown as boxes
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        figure.savefig(out, format="png", dpi=120)
    return out.getvalue()


def save_curves(rows: list[dict[str, Any]], path: Path) -> None:
    """Loss and metrics of training and validation over the epochs."""
    write_whole(path, curves_png(rows))


def curves_png(rows: list[dict[str, Any]]) -> bytes:
    """The picture of `save_curves`."""
    names = [name.removeprefix("val_") for name in rows[0] if name.startswith("val_")]
    figure = new_figure(4.5 * len(names), 3.6)
    epochs = [row["epoch"] for row in rows]
    for axes, name in zip(figure.subplots(1, len(names)), names, strict=True):
        if name in rows[0]:
            axes.plot(epochs, [row[name] for row in rows], "o-", ms=3, color=_INK, label="training")
        axes.plot(epochs, [row[f"val_{name}"] for row in rows], "o-", ms=3, color=_SOFT,
                  label="validation")  # fmt: skip
        axes.set_title(name)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    return as_png(figure)
