"""Functions of tensors in PyTorch, TensorFlow and JAX, `F.relu(x)`, in our words."""

from cnndsl.frameworks import jax_layers, torch_rearrange
from cnndsl.frameworks.arguments import NoCounterpart
from cnndsl.frameworks.values import Call, Value, parts_of

MODULES = {"F", "functional", "torch", "nn", "tf", "jax", "jnp", "linen", "keras"}
MERGES = {
    "add": "add", "Add": "add", "multiply": "mul", "mul": "mul", "Multiply": "mul",
    "cat": "concat", "concat": "concat", "concatenate": "concat", "Concatenate": "concat",
}  # fmt: skip
_AS_MODULES = {
    "relu": "ReLU", "relu_": "ReLU", "relu6": "ReLU6", "elu": "ELU", "selu": "SELU",
    "celu": "CELU", "gelu": "GELU", "silu": "SiLU", "swish": "SiLU", "mish": "Mish",
    "hardswish": "Hardswish", "hard_swish": "Hardswish", "hardsigmoid": "Hardsigmoid",
    "hard_sigmoid": "Hardsigmoid", "sigmoid": "Sigmoid", "tanh": "Tanh", "softplus": "Softplus",
    "softsign": "Softsign", "soft_sign": "Softsign", "logsigmoid": "LogSigmoid",
    "log_sigmoid": "LogSigmoid", "hardtanh": "Hardtanh", "leaky_relu": "LeakyReLU",
    "softmax": "Softmax", "max_pool2d": "MaxPool2d", "avg_pool2d": "AvgPool2d",
    "adaptive_avg_pool2d": "AdaptiveAvgPool2d", "adaptive_max_pool2d": "AdaptiveMaxPool2d",
    "dropout": "Dropout", "interpolate": "Upsample", "upsample": "Upsample",
    "pixel_shuffle": "PixelShuffle", "channel_shuffle": "ChannelShuffle",
}  # fmt: skip
_SHAPED = ("flatten", "view", "reshape", "ravel")
_SILENT = ("training", "dtype", "dim", "axis", "_stacklevel", "deterministic", "name")
_IMAGE = ((2, 3), (-2, -1), (-1, -2), (3, 2))


def is_function(name: str) -> bool:
    """Whether a function of a tensor is known here."""
    return name in _AS_MODULES or name in _SHAPED or name in ("mean", "max_pool", "avg_pool")


def function(path: str, arguments: tuple[Value, ...], keywords: dict[str, Value]) -> str:
    """A function of one tensor, which is not among the arguments; NoCounterpart, NotTheirs."""
    name = path.rpartition(".")[2]
    if name in _SHAPED:
        return _shaped(name, arguments, keywords)
    if name == "mean":
        return _mean(arguments, keywords)
    if name in ("max_pool", "avg_pool"):
        return jax_layers.LAYERS.written(Call(name, arguments, keywords))
    if path.startswith("tf.") and name == "leaky_relu":
        return f"leaky alpha={keywords.get('alpha', arguments[0] if arguments else 0.2)}"
    if name == "softmax":
        return "softmax"
    given = {key: value for key, value in keywords.items() if key not in _SILENT}
    return torch_rearrange.LAYERS.written(Call(_AS_MODULES[name], arguments, given))


def _shaped(name: str, arguments: tuple[Value, ...], keywords: dict[str, Value]) -> str:
    """`flatten` of all but the batch; `reshape 16x8x8`."""
    given = (*arguments, *keywords.values())
    sides = parts_of(given[0]) if len(given) == 1 else given
    if name in ("flatten", "ravel") and given in ((1,), (1, -1)):
        return "flatten"
    if name in ("view", "reshape") and sides and len(sides) == 2:
        return "flatten"
    if name in ("view", "reshape") and sides and len(sides) == 4:
        channels, height, width = sides[1:]
        if all(isinstance(side, int) and side > 0 for side in (channels, height, width)):
            return f"reshape {channels}x{height}x{width}"
    raise NoCounterpart("only all values as a vector, `flatten`, and images, `reshape 16x8x8`, are "
                        "shapes here: the batch stays as it is")  # fmt: skip


def _mean(arguments: tuple[Value, ...], keywords: dict[str, Value]) -> str:
    """`gap` of rows and columns."""
    axes = arguments[0] if arguments else keywords.get("dim", keywords.get("axis"))
    if axes not in _IMAGE:
        raise NoCounterpart("only the mean of a whole channel is a layer here: `gap`")
    return "gap"
