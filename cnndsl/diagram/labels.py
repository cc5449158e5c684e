"""What stands in the boxes: captions as the language writes them, families, widths of text."""

import re
from math import ceil
from typing import Any, cast

from cnndsl.fields import specs
from cnndsl.layers.activation import Activation
from cnndsl.layers.base import Layer, Merge
from cnndsl.layers.norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm
from cnndsl.layers.pool import GlobalPooling, Pooling
from cnndsl.shapes import Shape

FAMILIES = ("conv", "norm", "activation", "pool", "dense", "merge", "other")
_KINDS: dict[str, tuple[type[Layer], ...]] = {
    "activation": (Activation,),
    "merge": (Merge,),
    "norm": (BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm),
    "pool": (Pooling, GlobalPooling),
}
_TOLD = ("stride", "dilation", "groups", "multiplier")
"""The keys that a caption tells; padding and the like show in the shapes."""


def family(layer: Layer) -> str:
    """One of FAMILIES: what gives a box its colour."""
    if layer.word in ("conv", "dwconv", "upconv"):
        return "conv"
    found = (name for name, kinds in _KINDS.items() if isinstance(layer, kinds))
    return next(found, layer.word if layer.word == "dense" else "other")


def caption(layer: Layer) -> str:
    """`conv 64 3×3 /2`: the layer as it is written, without what the shapes tell."""
    parts = [layer.word]
    for spec in specs(type(layer)):
        value = getattr(layer, spec.name)
        if spec.role == "arg" and (spec.required or value != spec.default):
            parts.append(_value(value, short=spec.kind == "pair" and "pool" in layer.word))
        elif spec.role == "key" and spec.key in _TOLD and value not in (None, spec.default):
            shown = _value(value, short=True)
            parts.append(f"/{shown}" if spec.key == "stride" else f"{spec.key}={shown}")
    return " ".join(parts) if layer.word != "input" else "input"


def call(text: str) -> str:
    """`bottleneck(c=64, stride=2)` as `bottleneck 64 /2`."""
    name, _, inner = text.partition("(")
    pairs = [pair.partition("=") for pair in inner.rstrip(")").split(", ") if pair]
    values = [f"/{v}" if k == "stride" else v for k, _, v in pairs if (k, v) != ("stride", "1")]
    return " ".join([name, *values])


def labelled(path: str, name: str, text: str) -> str:
    """The text with the label in front, where the spec pins one: `e1: double 64`."""
    own = path.rpartition(".")[2]
    return text if re.fullmatch(rf"{re.escape(name)}(_\d+)?", own) else f"{own}: {text}"


def shape(sizes: Shape) -> str:
    """`64×56×56`."""
    return "×".join(map(str, sizes))


def _value(value: Any, short: bool = False) -> str:
    if isinstance(value, tuple):
        sizes = cast("tuple[int, ...]", value)
        return str(sizes[0]) if short and len(set(sizes)) == 1 else shape(sizes)
    return f"{value:g}".replace("e-0", "e-") if isinstance(value, float) else str(value)


_NARROW, _WIDE = set(" .,:;|!'()[]/iljtfrI1·"), set("mwMWGOQ×—%@")


def width(text: str, size: float, bold: bool = False) -> float:
    """About how wide a text is: a little more than in the usual sans-serif fonts.

    Whole pixels, so that all places are exact and straight lines are straight.
    """
    ems = sum(0.4 if c in _NARROW else 0.86 if c in _WIDE else 0.61 for c in text)
    return float(ceil(size * ems * (1.06 if bold else 1.0)))


def fitted(text: str, size: float, room: float, bold: bool = False) -> str:
    """The text, cut with an ellipsis where it is wider than the room."""
    if width(text, size, bold) <= room:
        return text
    while text and width(text + "…", size, bold) > room:
        text = text[:-1]
    return text.rstrip() + "…"
