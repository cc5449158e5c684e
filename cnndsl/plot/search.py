"""What a search has found, drawn: the front of two numbers, importance, parallel coordinates."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, log10
from pathlib import Path
from typing import Any

from cnndsl.files import write_whole
from cnndsl.plot.curves import as_png, new_figure

_INK, _SOFT, _PALE = "#1f4e79", "#d9822b", "#9aa5b1"
_LABEL = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.8}
_BELOW = -0.13  # where lines pass an axis on which they have no value
_COUNTED = ("MACs", "params", "memory")  # in thousands and millions
_NAMED = 12  # points of a front whose number is shown


@dataclass(frozen=True)
class Point:
    """A trial as two numbers, of which `front` says that no other is better in both."""

    name: str
    x: float
    y: float
    front: bool


@dataclass(frozen=True)
class Axis:
    """A parameter of parallel coordinates: a value a line, NaN where it was not varied.

    `labels` are the names of choices, which are numbered; `log` spreads orders of magnitude evenly.
    """

    name: str
    values: Sequence[float]
    labels: Sequence[str] = ()
    log: bool = False

    @property
    def places(self) -> list[float]:
        """The values from 0 at the bottom to 1 at the top; below them what was not varied."""
        low, high = self.ends
        size = (high - low) or 1
        return [_BELOW if isnan(v) else (self._flat(v) - low) / size for v in self.values]

    @property
    def ends(self) -> tuple[float, float]:
        """Lowest and highest, on the scale that is drawn."""
        if self.labels:
            return 0.0, len(self.labels) - 1.0
        known = [self._flat(v) for v in self.values if not isnan(v)]
        return min(known), max(known)

    def ticks(self) -> list[tuple[float, str]]:
        """Places with their texts."""
        known = [v for v in self.values if not isnan(v)]
        below = [(_BELOW, "–")] if len(known) < len(self.values) else []
        if self.labels:
            top = (len(self.labels) - 1) or 1
            return [*below, *((i / top, text) for i, text in enumerate(self.labels))]
        return [*below, (0.0, f"{min(known):.4g}"), (1.0, f"{max(known):.4g}")]

    def _flat(self, value: float) -> float:
        return log10(value) if self.log else value


def save_both(figure: Any, folder: Path, name: str) -> list[Path]:
    """Write a figure as PNG and SVG."""
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    files = {".png": as_png(figure), ".svg": out.getvalue()}
    for ending, data in files.items():
        write_whole(folder / f"{name}{ending}", data)
    return [folder / f"{name}{ending}" for ending in files]


def front_figure(points: Sequence[Point], x: str, y: str) -> Any:
    """Every trial as a point, and a line through those that no other beats; x on a log scale."""
    from matplotlib.ticker import EngFormatter

    figure = new_figure(6.4, 4.4)
    axes = figure.subplots()
    others = [p for p in points if not p.front]
    best = sorted((p for p in points if p.front), key=lambda p: p.x)
    axes.scatter([p.x for p in others], [p.y for p in others], s=18, color=_PALE, label="trained")
    axes.plot([p.x for p in best], [p.y for p in best], "o-", color=_INK, ms=5, lw=1.2,
              label="front", drawstyle="steps-post")  # fmt: skip
    for p in best[:_NAMED]:
        axes.annotate(p.name, (p.x, p.y), (0, 6), textcoords="offset points", fontsize=8,
                      color=_INK, ha="center")  # fmt: skip
    if all(p.x > 0 for p in points) and max(p.x for p in points) > 3 * min(p.x for p in points):
        axes.set_xscale("log")
    elif x in _COUNTED:
        axes.xaxis.set_major_formatter(EngFormatter())
    axes.set(xlabel=x, ylabel=y)
    axes.margins(y=0.12)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def importance_figure(shares: Sequence[tuple[str, float]], goal: str) -> Any:
    """A bar a parameter, the most important on top."""
    figure = new_figure(6.4, 0.42 * len(shares) + 1.2)
    axes = figure.subplots()
    names, values = [n for n, _ in reversed(shares)], [v for _, v in reversed(shares)]
    bars = axes.barh(names, values, color=_INK, height=0.6)
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
    axes.set_xlim(0, 1.12 * max(*values, 0.01))
    axes.set_xlabel(f"share of what decides about {goal}")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def parallel_figure(lines: Sequence[Axis], values: Sequence[float], goal: str) -> Any:
    """A line a trial through its parameters to its value; the better ones are darker."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    figure = new_figure(max(6.4, 1.5 * len(lines) + 2), 4.2)
    axes = figure.subplots()
    scale = ScalarMappable(Normalize(min(values), max(values)), "viridis_r")
    places = [axis.places for axis in lines]
    for i, value in sorted(enumerate(values), key=lambda pair: pair[1]):
        color: Any = scale.to_rgba(value)  # pyright: ignore[reportArgumentType]  (a number, too)
        axes.plot(range(len(lines)), [column[i] for column in places], color=color, lw=1.2,
                  alpha=0.8, marker="o", ms=2.5)  # fmt: skip
    for at, axis in enumerate(lines):
        axes.axvline(at, color="#c5ccd3", lw=0.8, zorder=0)
        for height, text in axis.ticks():
            axes.text(at + 0.04, height, text, fontsize=7, va="center", color="#222222", zorder=9,
                      parse_math=False, bbox=_LABEL)  # fmt: skip
    axes.set_xticks(range(len(lines)), [axis.name for axis in lines], fontsize=8)
    axes.set_yticks([])
    axes.set_xlim(-0.2, len(lines) - 0.6)
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    figure.colorbar(scale, ax=axes, label=goal)
    return figure
