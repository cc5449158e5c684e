"""PyTorch's modules without arithmetic: sizes, orders of channels and borders."""

from typing import Any

from cnndsl.frameworks.arguments import Arguments, NoCounterpart, number, short
from cnndsl.frameworks.torch_layers import LAYERS
from cnndsl.frameworks.values import parts_of


@LAYERS.call("Upsample", "size scale_factor mode align_corners recompute_scale_factor")
@LAYERS.call("UpsamplingNearest2d", "size scale_factor")
def upsample(a: Arguments) -> str:
    """`upsample 2 bilinear`."""
    mode: Any = a.word("mode", "nearest")
    align = " align" if a.flag("align_corners", False) else ""
    return _upsampled(a, mode, align)


@LAYERS.call("UpsamplingBilinear2d", "size scale_factor")
def upsample_bilinear(a: Arguments) -> str:
    """`upsample 2 bilinear align`."""
    return _upsampled(a, "bilinear", " align")


def _upsampled(a: Arguments, mode: Any, align: str) -> str:
    if a.has("size") or mode not in ("nearest", "bilinear"):
        raise NoCounterpart("maps grow by whole factors: `upsample 2` or `upsample 2 bilinear`")
    factor = a.needed("scale_factor")
    whole = isinstance(factor, float) and factor.is_integer()
    sides = (int(factor), int(factor)) if whole else a.pair("scale_factor")
    return f"upsample {short(sides)}" + (f" bilinear{align}" if mode == "bilinear" else "")


@LAYERS.call("PixelShuffle", "upscale_factor")
def pixel_shuffle(a: Arguments) -> str:
    """`pixelshuffle 2`."""
    return f"pixelshuffle {number(a.number('upscale_factor'))}"


@LAYERS.call("ChannelShuffle", "groups")
def channel_shuffle(a: Arguments) -> str:
    """`shuffle 3`."""
    return f"shuffle {number(a.number('groups'))}"


@LAYERS.call("ZeroPad2d", "padding")
def zero_pad(a: Arguments) -> str:
    """`zeropad 1`."""
    return _border(a, "zeropad")


@LAYERS.call("ReflectionPad2d", "padding")
def reflection_pad(a: Arguments) -> str:
    """`reflectpad 1`."""
    return _border(a, "reflectpad")


@LAYERS.call("ReplicationPad2d", "padding")
def replication_pad(a: Arguments) -> str:
    """`edgepad 1`."""
    return _border(a, "edgepad")


def _border(a: Arguments, word: str) -> str:
    """PyTorch's order is left, right, top, bottom."""
    value = a.needed("padding")
    if isinstance(value, int):
        return f"{word} {value}"
    counts = parts_of(value) or ()
    if len(counts) != 4:
        raise NoCounterpart(f"write `{word} 1`, or each side: `{word} left=1 top=1`")
    sides = zip(("left", "right", "top", "bottom"), counts, strict=True)
    return word + "".join(f" {side}={count}" for side, count in sides if count)
