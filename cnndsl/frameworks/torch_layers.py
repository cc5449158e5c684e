"""PyTorch's modules: names, order of arguments and defaults of torch.nn (pytorch.org/docs)."""

from cnndsl.frameworks.arguments import (
    Arguments,
    NoCounterpart,
    key,
    norm,
    number,
    short,
    size,
    stride,
)
from cnndsl.frameworks.registry import Table
from cnndsl.frameworks.values import parts_of

LAYERS = Table()


def _bias(a: Arguments) -> str:
    return "" if a.flag("bias", True) else " nobias"


def _pad(a: Arguments) -> str:
    """` same`, ` pad=1`."""
    value = a.get("padding", 0)
    if value in ("same", "valid"):
        return f" {value}"
    sides = a.pair("padding", (0, 0))
    return "" if sides == (0, 0) else f" pad={short(sides)}"


@LAYERS.call("Conv2d", "in_channels out_channels kernel_size stride padding dilation groups bias "
             "padding_mode")  # fmt: skip
@LAYERS.call("LazyConv2d", "out_channels kernel_size stride padding dilation groups bias "
             "padding_mode")  # fmt: skip
def conv2d(a: Arguments) -> str:
    """`conv 32 3x3 pad=1`: the channels that come in are known."""
    a.skip("in_channels")
    a.only("padding_mode", "zeros")
    head = f"conv {number(a.number('out_channels'))} {size(a.pair('kernel_size'))}{_pad(a)}"
    head += stride(a.pair("stride", (1, 1))) + _bias(a)
    head += key("dilation", short(a.pair("dilation", (1, 1))), "1")
    return head + key("groups", a.number("groups", 1), 1)


@LAYERS.call("ConvTranspose2d", "in_channels out_channels kernel_size stride padding "
             "output_padding groups bias dilation padding_mode")  # fmt: skip
def transposed(a: Arguments) -> str:
    """`upconv 32 3x3 /2 pad=1 extra=1`."""
    a.skip("in_channels")
    a.only("padding_mode", "zeros")
    head = f"upconv {number(a.number('out_channels'))} {size(a.pair('kernel_size'))}"
    head += stride(a.pair("stride", (1, 1))) + _pad(a)
    head += key("extra", short(a.pair("output_padding", (0, 0))), "0") + _bias(a)
    head += key("dilation", short(a.pair("dilation", (1, 1))), "1")
    return head + key("groups", a.number("groups", 1), 1)


def _pool(a: Arguments, word: str) -> str:
    window = a.pair("kernel_size")
    steps = a.pair("stride", window)
    rounding = " ceil" if a.flag("ceil_mode", False) else ""
    return f"{word} {short(window)}{stride(steps, window)}{_pad(a)}{rounding}"


@LAYERS.call("MaxPool2d", "kernel_size stride padding dilation return_indices ceil_mode")
def max_pool(a: Arguments) -> str:
    """`pool 3 /2 pad=1`."""
    a.only("return_indices", False)
    spread = key("dilation", short(a.pair("dilation", (1, 1))), "1")
    return _pool(a, "pool") + spread


@LAYERS.call("AvgPool2d", "kernel_size stride padding ceil_mode count_include_pad divisor_override")
def average_pool(a: Arguments) -> str:
    """`avgpool 2`."""
    counts = a.flag("count_include_pad", True)
    return _pool(a, "avgpool") + ("" if counts else " nocount")


def _adaptive(a: Arguments, word: str) -> str:
    if a.needed("output_size") not in (1, (1,), (1, 1)):
        raise NoCounterpart(f"only the mean of a whole channel adapts to its size: `{word}`; "
                            "for other sizes write the window: `avgpool 4`")  # fmt: skip
    return word


@LAYERS.call("AdaptiveAvgPool2d", "output_size")
def adaptive_average(a: Arguments) -> str:
    """`gap`."""
    return _adaptive(a, "gap")


@LAYERS.call("AdaptiveMaxPool2d", "output_size return_indices")
def adaptive_max(a: Arguments) -> str:
    """`gmp`."""
    return _adaptive(a, "gmp")


@LAYERS.call("Flatten", "start_dim end_dim")
def flatten(a: Arguments) -> str:
    """`flatten`."""
    a.only("start_dim", 1)
    a.only("end_dim", -1)
    return "flatten"


@LAYERS.call("Unflatten", "dim unflattened_size")
def unflatten(a: Arguments) -> str:
    """`reshape 16x8x8`."""
    a.only("dim", 1)
    shape = parts_of(a.needed("unflattened_size"))
    if not shape or not all(type(side) is int for side in shape):
        raise NoCounterpart("a shape is written in numbers: `reshape 16x8x8`")
    return f"reshape {'x'.join(map(str, shape))}"


@LAYERS.call("Linear", "in_features out_features bias")
@LAYERS.call("LazyLinear", "out_features bias")
def linear(a: Arguments) -> str:
    """`dense 10`."""
    a.skip("in_features")
    return f"dense {number(a.number('out_features'))}{_bias(a)}"


def _norm(a: Arguments, written: str, learned: bool) -> str:
    return norm(written, a.number("eps", 1e-5), learned, learned and a.flag("bias", True))


@LAYERS.call("BatchNorm2d BatchNorm1d SyncBatchNorm", "num_features eps momentum affine "
             "track_running_stats")  # fmt: skip
@LAYERS.call("LazyBatchNorm2d LazyBatchNorm1d", "eps momentum affine track_running_stats")
def batch_norm(a: Arguments) -> str:
    """`bn`."""
    a.skip("num_features")
    a.only("track_running_stats", True)
    momentum = key("momentum", a.number("momentum", 0.1), 0.1)
    return _norm(a, "bn", a.flag("affine", True)) + momentum


@LAYERS.call("LayerNorm", "normalized_shape eps elementwise_affine bias")
def layer_norm(a: Arguments) -> str:
    """`ln`."""
    if len(parts_of(a.get("normalized_shape")) or ()) > 1:
        raise NoCounterpart("`ln` is over the channels of each position, not over the whole image")
    return _norm(a, "ln", a.flag("elementwise_affine", True))


@LAYERS.call("GroupNorm", "num_groups num_channels eps affine")
def group_norm(a: Arguments) -> str:
    """`gn 8`."""
    a.skip("num_channels")
    return _norm(a, f"gn {number(a.number('num_groups'))}", a.flag("affine", True))


@LAYERS.call("InstanceNorm2d", "num_features eps momentum affine track_running_stats")
def instance_norm(a: Arguments) -> str:
    """`in`, which learns a factor and an offset a channel where PyTorch's is asked to."""
    a.skip("num_features", "momentum")
    a.only("track_running_stats", False)
    return _norm(a, "in", a.flag("affine", False))


@LAYERS.call("LocalResponseNorm", "size alpha beta k")
def local_response_norm(a: Arguments) -> str:
    """`lrn 5`."""
    text = f"lrn {number(a.number('size'))}{key('alpha', a.number('alpha', 1e-4), 1e-4)}"
    return text + key("beta", a.number("beta", 0.75), 0.75) + key("k", a.number("k", 1.0), 1.0)


@LAYERS.call("Dropout", "p inplace")
def dropout(a: Arguments) -> str:
    """`dropout 0.5`."""
    return f"dropout {number(a.number('p', 0.5))}"


@LAYERS.call("StochasticDepth DropPath", "p mode")
def stochastic_depth(a: Arguments) -> str:
    """`droppath 0.1`."""
    a.only("mode", "row")
    return f"droppath {number(a.number('p', 0.0))}"


@LAYERS.call("LeakyReLU", "negative_slope inplace")
def leaky_relu(a: Arguments) -> str:
    """`leaky alpha=0.01`."""
    return f"leaky alpha={number(a.number('negative_slope', 0.01))}"


@LAYERS.call("PReLU", "num_parameters init")
def prelu(a: Arguments) -> str:
    """`prelu`, a slope a channel."""
    if a.get("num_parameters", 1) == 1:
        raise NoCounterpart("there is no slope for all channels here; the nearest is `prelu`, one "
                            "a channel, as with num_parameters=C")  # fmt: skip
    return f"prelu{key('alpha', a.number('init', 0.25), 0.25)}"


@LAYERS.call("ELU", "alpha inplace")
@LAYERS.call("CELU", "alpha inplace")
def elu(a: Arguments) -> str:
    """`elu`."""
    return f"{a.call.name.lower()}{key('alpha', a.number('alpha', 1.0), 1.0)}"


@LAYERS.call("GELU", "approximate")
def gelu(a: Arguments) -> str:
    """`gelu`, the exact form."""
    a.only("approximate", "none")
    return "gelu"


@LAYERS.call("Softmax", "dim")
def softmax(a: Arguments) -> str:
    """`softmax`."""
    a.only("dim", 1, -1)
    return "softmax"


@LAYERS.call("Softplus", "beta threshold")
def softplus(a: Arguments) -> str:
    """`softplus`."""
    a.only("beta", 1, 1.0)
    a.only("threshold", 20, 20.0)
    return "softplus"


@LAYERS.call("Hardtanh", "min_val max_val inplace")
def hardtanh(a: Arguments) -> str:
    """`clamp -1 1` by its keys."""
    return (
        "clamp"
        + key("low", a.number("min_val", -1.0), -1.0)
        + key("high", a.number("max_val", 1.0), 1.0)
    )


_PLAIN = {
    "ReLU": "relu", "ReLU6": "relu6", "SELU": "selu", "SiLU": "silu", "Mish": "mish",
    "Hardswish": "hswish", "Hardsigmoid": "hsigmoid", "Sigmoid": "sigmoid", "Tanh": "tanh",
    "Softsign": "softsign", "LogSigmoid": "logsigmoid", "Softmax2d": "softmax",
}  # fmt: skip


@LAYERS.call(" ".join(_PLAIN), "inplace")
def plain(a: Arguments) -> str:
    """An activation without numbers."""
    return _PLAIN[a.call.name]


@LAYERS.call("Identity")
def identity(a: Arguments) -> str:
    """`id`."""
    return "id"
