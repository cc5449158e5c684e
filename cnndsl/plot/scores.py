"""What a model does, drawn: confusion matrices, and numbers against the true ones."""

from pathlib import Path
from typing import Any

import numpy as np

from cnndsl.files import write_whole
from cnndsl.plot.curves import as_png, new_figure
from cnndsl.results import Drawing, Matrix, Scatter


def save_drawing(drawing: Drawing, folder: Path) -> None:
    """Write the file of a drawing."""
    figure = _matrix(drawing) if isinstance(drawing, Matrix) else _scatter(drawing)
    write_whole(folder / drawing.file, as_png(figure))


def _matrix(matrix: Matrix) -> Any:
    """Rows are the true classes, columns what the model says; shares of each row."""
    counts, classes = matrix.counts, matrix.names
    totals = np.maximum(counts.sum(1, keepdims=True), 1)
    shares, count = counts / totals, len(classes)
    side = max(4.5, 0.55 * count + 1.5)
    figure = new_figure(side + 1, side)
    axes = figure.subplots()
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(count), classes, rotation=45, ha="right", parse_math=False)
    axes.set_yticks(range(count), classes, parse_math=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for i, j in np.ndindex(count, count) if count <= 20 else ():
        color = "white" if shares[i, j] > 0.5 else "#333333"
        axes.text(j, i, f"{counts[i, j]}", ha="center", va="center", fontsize=8, color=color)
    figure.colorbar(picture, ax=axes, label="share of the true class")
    return figure


def _scatter(scatter: Scatter) -> Any:
    """A panel for each number, with the line on which both are equal."""
    count = len(scatter.names)
    columns = min(count, 4)
    rows = -(-count // columns)
    figure = new_figure(3.6 * columns, 3.6 * rows)
    panels = np.ravel(figure.subplots(rows, columns, squeeze=False))
    for axes, name, truth, predicted in zip(
        panels, scatter.names, scatter.truth.T, scatter.predicted.T, strict=False
    ):
        both = np.concatenate([truth, predicted])
        ends = [both.min(), both.max()]
        axes.plot(ends, ends, color="#999999", lw=1)
        axes.plot(truth, predicted, ".", ms=4, alpha=0.5, color="#1f4e79")
        axes.set_title(name, parse_math=False)
        axes.set_xlabel("true")
        axes.set_ylabel("predicted")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[count:]:
        axes.set_visible(False)
    return figure
