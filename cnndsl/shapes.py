"""Window arithmetic, once: what kernels, strides and paddings do to sizes.

Shapes are without the batch: `(channels, height, width)` for images, `(features,)` for vectors.
Windows are per axis. Source: Dumoulin & Visin, A guide to convolution arithmetic, arXiv:1603.07285.
"""

from typing import Literal

Shape = tuple[int, ...]
Pair = tuple[int, int]
Padding = Literal["valid", "same", "pad"]
Pads = tuple[int, int, int, int]  # top, left, bottom, right: ONNX's order


def show(shape: Shape) -> str:
    """`(3, 32, 32)` as `3x32x32`."""
    return "x".join(map(str, shape))


def short(pair: Pair) -> str:
    """`(2, 2)` as `2`, `(2, 1)` as `2x1`."""
    return str(pair[0]) if pair[0] == pair[1] else show(pair)


def reach(kernel: int, dilation: int) -> int:
    """How many inputs a dilated kernel spans."""
    return (kernel - 1) * dilation + 1


def reach_2d(kernel: Pair, dilation: Pair) -> Pair:
    """`reach` on both axes."""
    return reach(kernel[0], dilation[0]), reach(kernel[1], dilation[1])


def pads_1d(padding: Padding, size: int, kernel: int, stride: int, dilation: int) -> Pair:
    """Zeros before and after one axis; `same` puts the odd one at the end (ONNX SAME_UPPER).

    `pad` is half of what the kernel spans: k//2, and (k−1)·d/2 for an odd dilated kernel.
    """
    if padding == "valid":
        return 0, 0
    if padding == "pad":
        half = reach(kernel, dilation) // 2
        return half, half
    out = -(-size // stride)
    total = max(0, (out - 1) * stride + reach(kernel, dilation) - size)
    return total // 2, total - total // 2


def window_1d(
    size: int, kernel: int, stride: int, pads: Pair, dilation: int = 1, ceil: bool = False
) -> int:
    """Number of windows on one axis; 0 or less when the kernel does not fit.

    With `ceil`, a last window may hang over the end, but must start inside the input or the
    padding before it (PyTorch's and onnxruntime's rule).
    """
    room = size + sum(pads) - reach(kernel, dilation)
    if room < 0:
        return 0
    count = (-(-room // stride) if ceil else room // stride) + 1
    return count - 1 if ceil and (count - 1) * stride >= size + pads[0] else count


def largest_window(size: Pair, pads: Pads, dilation: Pair) -> Pair:
    """The largest kernel that fits a padded image, on each axis."""
    top, left, bottom, right = pads
    room = (size[0] + top + bottom - 1, size[1] + left + right - 1)
    return room[0] // dilation[0] + 1, room[1] // dilation[1] + 1


def overhang_1d(size: int, kernel: int, stride: int, pads: Pair, count: int) -> int:
    """How far the last of `count` windows passes the padded end."""
    return max(0, (count - 1) * stride + kernel - size - sum(pads))


def is_window_blind(
    size: int, kernel: int, stride: int, before: int, dilation: int, count: int
) -> bool:
    """Whether one of `count` windows has no value inside the axis."""
    starts = range(-before, -before + count * stride, stride)
    return not all(
        any(0 <= start + tap * dilation < size for tap in range(kernel)) for start in starts
    )


def transposed_1d(
    size: int, kernel: int, stride: int, pads: Pair, dilation: int, extra: int
) -> int:
    """Output size of a transposed convolution on one axis; `extra` is the output padding."""
    return (size - 1) * stride - sum(pads) + reach(kernel, dilation) + extra


def pads_2d(padding: Padding, size: Pair, kernel: Pair, stride: Pair, dilation: Pair) -> Pads:
    """`pads_1d` on both axes, in ONNX's order."""
    top, bottom = pads_1d(padding, size[0], kernel[0], stride[0], dilation[0])
    left, right = pads_1d(padding, size[1], kernel[1], stride[1], dilation[1])
    return top, left, bottom, right


def window_2d(
    size: Pair, kernel: Pair, stride: Pair, pads: Pads, dilation: Pair = (1, 1), ceil: bool = False
) -> Pair:
    """`window_1d` on both axes."""
    top, left, bottom, right = pads
    return (
        window_1d(size[0], kernel[0], stride[0], (top, bottom), dilation[0], ceil),
        window_1d(size[1], kernel[1], stride[1], (left, right), dilation[1], ceil),
    )
