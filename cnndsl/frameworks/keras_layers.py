"""Keras's layers: names, order of arguments and defaults as in Keras 3 (keras.io/api/layers)."""

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
from cnndsl.layers import vocabulary

LAYERS = Table()
_RULES = (
    " kernel_regularizer bias_regularizer activity_regularizer kernel_constraint bias_constraint"
)
_END = " activation use_bias kernel_initializer bias_initializer" + _RULES


def activation(a: Arguments, name: str = "activation") -> str:
    """` relu`, or nothing for a linear one."""
    word = a.word(name, "linear")
    if word in (None, "linear"):
        return ""
    value = a.get(name)
    if isinstance(value, Call) and value.name in LAYERS:
        return f" {LAYERS.written(value)}"
    if word == "leaky_relu":  # keras.activations.leaky_relu, other than the layer LeakyReLU
        return " leaky alpha=0.2"
    posts = {word for word, cls in vocabulary().items() if cls.post}
    return f" {counterpart('layer', word or '', posts)}"


def _bias(a: Arguments) -> str:
    a.only("bias_initializer", "zeros", "Zeros")
    return "" if a.flag("use_bias", True) else " nobias"


def _init(a: Arguments, ours: str, name: str = "kernel_initializer") -> str:
    """` init=glorot_uniform`, unless that is our default for the layer."""
    word = counterpart("init", a.word(name, "glorot_uniform") or "", INITIALISERS)
    return key("init", word, ours)


def _l2(a: Arguments, name: str = "kernel_regularizer") -> str:
    """` l2=1e-4`."""
    value = a.get(name)
    if value is None:
        return ""
    if isinstance(value, str) and value.lower() == "l2":
        return " l2=0.01"
    if isinstance(value, Call) and value.name.lower() == "l2":
        return f" l2={number(Arguments(value, 'l2').number('l2', 0.01))}"
    raise NoCounterpart("weights are penalised by their squares only: `l2=1e-4`")


def _padding(a: Arguments) -> str:
    """` same`, ` valid` where it is written."""
    word = (a.word("padding", "valid") or "").lower()
    if word not in ("same", "valid"):
        raise NoCounterpart(f"there is no padding `{word}` here; write `same`, `valid` or `pad`")
    return f" {word}" if a.has("padding") else ""


@LAYERS.call("Conv2D Convolution2D", "filters kernel_size strides padding data_format "
             "dilation_rate groups" + _END)  # fmt: skip
def conv2d(a: Arguments) -> str:
    """`conv 32 3x3 same relu`."""
    head = f"conv {number(a.number('filters'))} {size(a.pair('kernel_size'))}"
    window = _padding(a) + stride(a.pair("strides", (1, 1))) + _bias(a)
    more = key("dilation", short(a.pair("dilation_rate", (1, 1))), "1")
    more += key("groups", a.number("groups", 1), 1)
    return head + window + more + activation(a) + _init(a, "he_normal") + _l2(a)


@LAYERS.call("DepthwiseConv2D", "kernel_size strides padding depth_multiplier data_format "
             "dilation_rate activation use_bias depthwise_initializer bias_initializer "
             "depthwise_regularizer bias_regularizer activity_regularizer "
             "depthwise_constraint bias_constraint")  # fmt: skip
def depthwise(a: Arguments) -> str:
    """`dwconv 3x3 same`."""
    head = f"dwconv {size(a.pair('kernel_size'))}{_padding(a)}"
    head += stride(a.pair("strides", (1, 1))) + _bias(a)
    head += key("multiplier", a.number("depth_multiplier", 1), 1)
    head += key("dilation", short(a.pair("dilation_rate", (1, 1))), "1")
    ends = _init(a, "he_normal", "depthwise_initializer") + _l2(a, "depthwise_regularizer")
    return head + activation(a) + ends


@LAYERS.call("SeparableConv2D SeparableConvolution2D", "filters kernel_size strides padding "
             "data_format dilation_rate depth_multiplier activation use_bias "
             "depthwise_initializer pointwise_initializer bias_initializer")  # fmt: skip
def separable(a: Arguments) -> str:
    """`dwconv 3x3 same nobias; conv 64 1x1`."""
    first = f"dwconv {size(a.pair('kernel_size'))}{_padding(a)}"
    first += stride(a.pair("strides", (1, 1))) + " nobias"
    first += key("multiplier", a.number("depth_multiplier", 1), 1)
    first += key("dilation", short(a.pair("dilation_rate", (1, 1))), "1")
    first += _init(a, "he_normal", "depthwise_initializer")
    second = f"conv {number(a.number('filters'))} 1x1{_bias(a)}{activation(a)}"
    return f"{first}; {second}{_init(a, 'he_normal', 'pointwise_initializer')}"


@LAYERS.call("Conv2DTranspose Convolution2DTranspose", "filters kernel_size strides padding "
             "data_format dilation_rate" + _END + " output_padding groups")  # fmt: skip
def transposed(a: Arguments) -> str:
    """`upconv 32 2x2 /2`; with `valid`, Keras fills up to the stride, here that is `extra`."""
    kernel, steps = a.pair("kernel_size"), a.pair("strides", (1, 1))
    a.only("output_padding", None)
    padding = _padding(a)
    spread = a.pair("dilation_rate", (1, 1))
    extra = ""
    if "same" not in padding and all(isinstance(n, int) for n in (*kernel, *steps)):
        missing = max(0, steps[0] - kernel[0]), max(0, steps[1] - kernel[1])
        extra = key("extra", short(missing), "0")
    head = f"upconv {number(a.number('filters'))} {size(kernel)}{padding}{stride(steps)}"
    more = key("dilation", short(spread), "1") + key("groups", a.number("groups", 1), 1)
    return head + extra + more + _bias(a) + activation(a) + _init(a, "he_normal") + _l2(a)


def _pool(a: Arguments, word: str) -> str:
    window = a.pair("pool_size", (2, 2))
    steps = a.pair("strides", window)
    return f"{word} {short(window)}{_padding(a)}{stride(steps, window)}"


@LAYERS.call("MaxPooling2D MaxPool2D", "pool_size strides padding data_format")
def max_pool(a: Arguments) -> str:
    """`pool 2`."""
    return _pool(a, "pool")


@LAYERS.call("AveragePooling2D AvgPool2D", "pool_size strides padding data_format")
def average_pool(a: Arguments) -> str:
    """`avgpool 2`; Keras leaves padding out of the mean."""
    text = _pool(a, "avgpool")
    return f"{text} nocount" if "same" in text else text


def _global(a: Arguments, word: str) -> str:
    a.skip("keepdims")
    return word


@LAYERS.call("GlobalAveragePooling2D GlobalAvgPool2D", "data_format keepdims")
def global_average(a: Arguments) -> str:
    """`gap`."""
    return _global(a, "gap")


@LAYERS.call("GlobalMaxPooling2D GlobalMaxPool2D", "data_format keepdims")
def global_max(a: Arguments) -> str:
    """`gmp`."""
    return _global(a, "gmp")


@LAYERS.call("Flatten", "data_format")
def flatten(a: Arguments) -> str:
    """`flatten`."""
    return "flatten"


@LAYERS.call("Dense", "units" + _END)
def dense(a: Arguments) -> str:
    """`dense 10`."""
    head = f"dense {number(a.number('units'))}{_bias(a)}{activation(a)}"
    return head + _init(a, "glorot_uniform") + _l2(a)


@LAYERS.call("Dropout", "rate noise_shape seed")
def dropout(a: Arguments) -> str:
    """`dropout 0.5`; `droppath 0.5` where whole samples are dropped."""
    a.skip("seed")
    sizes = parts_of(a.get("noise_shape"))
    is_path = sizes is not None and len(sizes) > 1 and set(sizes[1:]) == {1}
    a.only("noise_shape", None, sizes if is_path else None)
    return f"{'droppath' if is_path else 'dropout'} {number(a.number('rate'))}"


def _norm(a: Arguments, written: str) -> str:
    return norm(written, a.number("epsilon", 1e-3), a.flag("scale", True), a.flag("center", True))


@LAYERS.call("BatchNormalization", "axis momentum epsilon center scale beta_initializer "
             "gamma_initializer moving_mean_initializer moving_variance_initializer")  # fmt: skip
def batch_norm(a: Arguments) -> str:
    """`bn eps=0.001 momentum=0.01`: Keras's momentum is the share that is kept."""
    a.only("axis", -1, 3, 1, (-1,), (3,))
    kept: Any = a.number("momentum", 0.99)
    share = round(1 - kept, 10) if not isinstance(kept, str) else f"1-{kept}"
    return _norm(a, "bn") + key("momentum", share, 0.1)


@LAYERS.call("LayerNormalization", "axis epsilon center scale")
def layer_norm(a: Arguments) -> str:
    """`ln eps=0.001`."""
    a.only("axis", -1, 3, (-1,))
    return _norm(a, "ln")


@LAYERS.call("GroupNormalization", "groups axis epsilon center scale")
def group_norm(a: Arguments) -> str:
    """`gn 32 eps=0.001`."""
    a.only("axis", -1, 3)
    return _norm(a, f"gn {number(a.number('groups', 32))}")


@LAYERS.call("Activation", "activation")
def activation_layer(a: Arguments) -> str:
    """`relu`."""
    a.needed("activation")
    return activation(a).strip() or "id"


@LAYERS.call("ReLU", "max_value negative_slope threshold")
def relu(a: Arguments) -> str:
    """`relu`, `relu6` or `leaky`."""
    a.only("threshold", 0, 0.0)
    top, slope = a.get("max_value"), a.number("negative_slope", 0)
    if top is not None and (float(top) != 6.0 or slope):
        raise NoCounterpart("a ReLU is cut at 6 only: `relu6`")
    if top is not None:
        return "relu6"
    return f"leaky alpha={number(slope)}" if slope else "relu"


@LAYERS.call("LeakyReLU", "negative_slope alpha")
def leaky_relu(a: Arguments) -> str:
    """`leaky alpha=0.3`."""
    return f"leaky alpha={number(a.number('negative_slope', a.number('alpha', 0.3)))}"


@LAYERS.call("PReLU", "alpha_initializer alpha_regularizer alpha_constraint shared_axes")
def prelu(a: Arguments) -> str:
    """`prelu alpha=0`: a slope a channel, as with Keras's shared_axes=[1, 2]."""
    a.only("alpha_initializer", "zeros", "Zeros")
    if a.get("shared_axes") != (1, 2):
        raise NoCounterpart("there is no slope a position here; the nearest is `prelu alpha=0`, "
                            "one a channel, as with shared_axes=[1, 2]")  # fmt: skip
    return "prelu alpha=0"


@LAYERS.call("ELU", "alpha")
def elu(a: Arguments) -> str:
    """`elu`."""
    return f"elu{key('alpha', a.number('alpha', 1), 1)}"


@LAYERS.call("Softmax", "axis")
def softmax(a: Arguments) -> str:
    """`softmax`."""
    a.only("axis", -1, 1, 3)
    return "softmax"
