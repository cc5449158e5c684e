"""Layers of Flax and Haiku: names, order of arguments and defaults (flax.readthedocs.io)."""

from typing import Any

from cnndsl.frameworks.arguments import (
    Arguments,
    NoCounterpart,
    counterpart,
    key,
    norm,
    number,
    short,
    size,
    stride,
)
from cnndsl.frameworks.registry import Table
from cnndsl.frameworks.values import Call, parts_of
from cnndsl.init import INITIALISERS

LAYERS = Table()
_REST = " kernel_init bias_init dtype param_dtype precision"


def _padding(a: Arguments, default: str) -> str:
    """` same`, ` pad=1`; nothing where the layer's own padding is ours."""
    value = a.get("padding", default)
    if isinstance(value, str) and value.lower() in ("same", "valid"):
        return " same" if value.lower() == "same" else ""
    sides = (value, value) if isinstance(value, int) else tuple(map(_both, parts_of(value) or ()))
    if len(sides) != 2 or None in sides:
        raise NoCounterpart("padding is `same`, `valid`, or as much on both sides: `pad=1`")
    return f" pad={short(sides)}" if any(sides) else ""


def _both(side: Any) -> int | None:
    ends = parts_of(side) or (side,)
    return ends[0] if len(set(ends)) == 1 and isinstance(ends[0], int) else None


def _init(a: Arguments, ours: str) -> str:
    """` init=lecun_normal`, which is Flax's."""
    if not a.has("kernel_init"):
        return key("init", "lecun_normal", ours)
    value = a.get("kernel_init")
    name = value.name if isinstance(value, Call) else a.word("kernel_init") or ""
    return key("init", counterpart("init", name, INITIALISERS), ours)


def _bias(a: Arguments) -> str:
    a.skip("bias_init", "precision", "param_dtype", "w_init", "b_init")
    used = a.flag("use_bias", True) if a.has("use_bias") else a.flag("with_bias", True)
    return "" if used else " nobias"


def _norm(a: Arguments, written: str, eps: float) -> str:
    scale, shift = a.flag("use_scale", True), a.flag("use_bias", True)
    return norm(written, a.number("epsilon", eps), scale, shift)


def _window(a: Arguments, size_name: str, stride_name: str, spread: str, padding: str) -> str:
    """Kernel, padding, stride and dilation of a convolution."""
    text = f" {size(a.pair(size_name))}{_padding(a, padding)}"
    text += stride(a.pair(stride_name, (1, 1)))
    return text + key("dilation", short(a.pair(spread, (1, 1))), "1")


@LAYERS.call("Conv", "features kernel_size strides padding input_dilation kernel_dilation "
             "feature_group_count use_bias mask" + _REST)  # fmt: skip
def conv(a: Arguments) -> str:
    """`conv 32 3x3 same`: Flax pads unless it is told not to."""
    if len(parts_of(a.get("kernel_size", (3, 3))) or (1, 1)) == 1:
        raise NoCounterpart("images have two sides: `conv 32 3x3`")
    head = f"conv {number(a.number('features'))}"
    head += _window(a, "kernel_size", "strides", "kernel_dilation", "same")
    return (
        head
        + key("groups", a.number("feature_group_count", 1), 1)
        + _bias(a)
        + _init(a, "he_normal")
    )


@LAYERS.call("Conv2D", "output_channels kernel_shape stride rate padding with_bias w_init b_init "
             "data_format mask feature_group_count")  # fmt: skip
def haiku_conv(a: Arguments) -> str:
    """`conv 32 3x3 same` of Haiku."""
    head = f"conv {number(a.number('output_channels'))}"
    head += _window(a, "kernel_shape", "stride", "rate", "same")
    return head + key("groups", a.number("feature_group_count", 1), 1) + _bias(a)


@LAYERS.call("ConvTranspose", "features kernel_size strides padding kernel_dilation use_bias"
             + _REST)  # fmt: skip
def transposed(a: Arguments) -> str:
    """`upconv 32 2x2 same /2`."""
    head = f"upconv {number(a.number('features'))}"
    window = _window(a, "kernel_size", "strides", "kernel_dilation", "same")
    return head + window + _bias(a) + _init(a, "he_normal")


@LAYERS.call("Dense", "features use_bias" + _REST)
def dense(a: Arguments) -> str:
    """`dense 10`."""
    return f"dense {number(a.number('features'))}{_bias(a)}{_init(a, 'glorot_uniform')}"


@LAYERS.call("Linear", "output_size with_bias w_init b_init")
def haiku_linear(a: Arguments) -> str:
    """`dense 10` of Haiku."""
    return f"dense {number(a.number('output_size'))}{_bias(a)}"


@LAYERS.call("BatchNorm", "use_running_average axis momentum epsilon dtype param_dtype use_bias "
             "use_scale")  # fmt: skip
def batch_norm(a: Arguments) -> str:
    """`bn momentum=0.01`: Flax's momentum is the share that is kept."""
    a.skip("use_running_average", "axis", "param_dtype")
    share = round(1 - float(a.number("momentum", 0.99)), 10)
    return _norm(a, "bn", 1e-5) + key("momentum", share, 0.1)


@LAYERS.call("LayerNorm", "epsilon use_bias use_scale")
def layer_norm(a: Arguments) -> str:
    """`ln eps=1e-06`."""
    return _norm(a, "ln", 1e-6)


@LAYERS.call("GroupNorm", "num_groups group_size epsilon use_bias use_scale")
def group_norm(a: Arguments) -> str:
    """`gn 32 eps=1e-06`."""
    a.only("group_size", None)
    return _norm(a, f"gn {number(a.number('num_groups', 32))}", 1e-6)


@LAYERS.call("Dropout", "rate broadcast_dims deterministic rng_collection")
def dropout(a: Arguments) -> str:
    """`dropout 0.5`."""
    a.skip("deterministic", "rng_collection")
    return f"dropout {number(a.number('rate'))}"


@LAYERS.call("Flatten", "preserve_dims")
def flatten(a: Arguments) -> str:
    """`flatten`."""
    a.only("preserve_dims", 1)
    return "flatten"


@LAYERS.call("max_pool avg_pool MaxPool AvgPool", "window_shape strides padding channel_axis "
             "count_include_pad")  # fmt: skip
def pool(a: Arguments) -> str:
    """`pool 2`: Flax steps by 1 unless it is told to."""
    a.skip("channel_axis")
    ours = "pool" if a.call.name.lower().startswith("max") else "avgpool"
    counts = a.flag("count_include_pad", a.call.name.islower())
    sides = parts_of(a.get("window_shape")) or ()
    window = (sides[0], sides[1]) if len(sides) == 2 else a.pair("window_shape")
    text = f"{ours} {short(window)}{_padding(a, 'valid' if a.call.name.islower() else 'same')}"
    text += stride(a.pair("strides", (1, 1)), window)
    return text + (" nocount" if ours == "avgpool" and "same" in text and not counts else "")
