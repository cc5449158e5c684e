"""A scene through matplotlib: PNG for slides, PDF for papers."""

import io
from typing import Any

from cnndsl.diagram import palette
from cnndsl.diagram.scene import Line, Mark, Rect, Scene, Text
from cnndsl.diagram.svg import clean, head, rounded
from cnndsl.source import UserError

_DPI, _PAPER = 72.0, 2.0
_CODES = {"M": (1,), "L": (2,), "Q": (3, 3)}
"""matplotlib's codes: move, line, quadratic curve."""


def drawn(scene: Scene, kind: str) -> bytes:
    """The scene as `png` (two pixels a unit) or `pdf`; UserError without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError(f"a {kind} needs matplotlib\n  pip install matplotlib") from None
    figure: Any = Figure(figsize=(scene.w / _DPI, scene.h / _DPI), facecolor=palette.PAGE[0])
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, scene.w), ylim=(scene.h, 0))
    axes.set_axis_off()
    for order, mark in enumerate(m for group in scene.groups for m in group.marks):
        _draw(axes, mark, order)
    out = io.BytesIO()
    undated = {"CreationDate": None} if kind == "pdf" else None
    figure.savefig(out, format=kind, dpi=_DPI * _PAPER, metadata=undated)
    return out.getvalue()


def _draw(axes: Any, mark: Mark, order: int) -> None:
    if isinstance(mark, Rect):
        _rect(axes, mark, order)
    elif isinstance(mark, Line):
        _line(axes, mark, order)
    else:
        _text(axes, mark, order)


def _rect(axes: Any, mark: Rect, order: int) -> None:
    from matplotlib.patches import FancyBboxPatch

    *family, kind = mark.kind.split()
    if kind == "frame":
        fill, edge = palette.FRAME[0], palette.BORDER[0]
    elif kind == "box":
        fill, edge = palette.TINT[family[0]][0], palette.ACCENT[family[0]][0]
    else:
        fill, edge = palette.ACCENT[family[0]][0], "none"
    axes.add_patch(FancyBboxPatch(
        (mark.x, mark.y), mark.w, mark.h, fc=fill, ec=edge, lw=0.0 if edge == "none" else 1.0,
        alpha=0.45 if kind == "pale" else 1.0, zorder=order,
        boxstyle=f"round,pad=0,rounding_size={min(mark.round, mark.h / 2)}",
    ))  # fmt: skip


def _line(axes: Any, mark: Line, order: int) -> None:
    from matplotlib.patches import PathPatch, Polygon
    from matplotlib.path import Path

    steps = list(rounded(mark.points))
    corners = [p for _, at in steps for p in at]
    codes = [code for letter, _ in steps for code in _CODES[letter]]
    dashes = "--" if mark.kind == "aside" else "-"
    axes.add_patch(PathPatch(
        Path(corners, codes), fc="none", ec=palette.WIRE[0], lw=1.3, ls=dashes, zorder=order,
    ))  # fmt: skip
    if mark.arrow:
        axes.add_patch(Polygon(head(mark.points), fc=palette.WIRE[0], lw=0, zorder=order))


def _text(axes: Any, mark: Text, order: int) -> None:
    axes.text(
        mark.x, mark.y, clean(mark.text), size=mark.size * 0.94, color=palette.INK[mark.kind][0],
        weight="bold" if mark.bold else "normal", va="baseline", zorder=order, parse_math=False,
        ha={"start": "left", "middle": "center", "end": "right"}[mark.anchor],
        family="DejaVu Sans",
    )  # fmt: skip
