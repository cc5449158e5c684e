"""Pooling and resizing. Lowered to gathers and products before they are differentiated."""

from collections.abc import Mapping, Sequence
from typing import Any

from cnndsl.graph.ops.base import WIDE, Call, define
from cnndsl.graph.value import Dim, Dims
from cnndsl.shapes import window_1d


def windows(x: Dims, kernel: Sequence[Dim], attrs: Mapping[str, Any]) -> tuple[int, ...]:
    """Numbers of windows along each spatial axis of an image shaped x."""
    pads, dilations = attrs["pads"], attrs.get("dilations", (1, 1))
    half, ceil = len(pads) // 2, bool(attrs.get("ceil_mode", 0))
    return tuple(
        window_1d(int(d), int(k), s, (pads[i], pads[i + half]), dilations[i], ceil)
        for i, (d, k, s) in enumerate(zip(x[2:], kernel, attrs["strides"], strict=True))
    )


def _pool(call: Call) -> list[Dims]:
    x = call.shape()
    return [(*x[:2], *windows(x, call.attrs["kernel_shape"], call.attrs))]


def _global_pool(call: Call) -> list[Dims]:
    return [(*call.shape()[:2], 1, 1)]


def _resize(call: Call) -> list[Dims]:
    x, scales = call.shape(), [float(s) for s in call.consts[call.x(2)]]
    return [x[:2] + tuple(int(int(d) * s) for d, s in zip(x[2:], scales[2:], strict=True))]


define("MaxPool", _pool)
define("AveragePool", _pool, WIDE)
define("GlobalAveragePool", _global_pool, WIDE)
define("GlobalMaxPool", _global_pool, WIDE)
define("Resize", _resize, WIDE)
