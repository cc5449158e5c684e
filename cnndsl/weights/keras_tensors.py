"""Variables of Keras's layers as tensors in our layouts: what each is called, and how it lies.

Source: keras.io/api/layers. Kernels are H×W×I×O there, O×I×H×W here; those of dense layers are
transposed. What lies behind a flattened image is turned later, with the model at hand.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from cnndsl.weights.keras_graph import Config, snake_case

Tensors = dict[str, NDArray[Any]]

_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
_VARIABLES = {
    "Conv2D": ("kernel", "bias"),
    "Conv2DTranspose": ("kernel", "bias"),
    "Dense": ("kernel", "bias"),
    "DepthwiseConv2D": ("depthwise_kernel", "bias"),
    "SeparableConv2D": ("depthwise_kernel", "pointwise_kernel", "bias"),
    "BatchNormalization": _NORM,
    "LayerNormalization": _NORM[:2],
    "GroupNormalization": _NORM[:2],
    "LayerScale": ("gamma",),
    "PReLU": ("alpha",),
    "Normalization": ("mean", "variance", "count"),
}
NORMS = frozenset({"BatchNormalization", "LayerNormalization", "GroupNormalization"})
_SWITCHES = {"bias": "use_bias", "gamma": "scale", "beta": "center"}
KERNELS = {kind: sum("kernel" in name for name in names) for kind, names in _VARIABLES.items()}
"""How many kernels a layer has."""
KINDS = {snake_case(kind): kind for kind in _VARIABLES}
"""Classes by the names that paths have for them."""

_NAMES = {
    "bias": "bias", "gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
    "moving_variance": "running_var", "alpha": "weight", "kernel": "weight",
    "depthwise_kernel": "weight", "pointwise_kernel": "weight",
}  # fmt: skip


def variables(kind: str, config: Config, count: int) -> Sequence[str]:
    """Names for so many variables of a layer, in their order there; numbers for unknown layers."""
    names = [
        name for name in _VARIABLES.get(kind, ())
        if config.get(_SWITCHES.get(name, ""), True) is not False
    ]  # fmt: skip
    if count == len(names) - 1 and not config:  # without its configuration
        names = names[1:] if kind in NORMS else names[:-1]  # no gamma; no bias
    return names if len(names) == count else [str(i) for i in range(count)]


def turned(kind: str, values: Mapping[str, NDArray[Any]]) -> Tensors:
    """A layer's tensors by our names, in our layouts; a slope H×W×C is C×H×W."""
    if kind == "SeparableConv2D":
        first = {"depthwise.weight": _depthwise(values["depthwise_kernel"])}
        return first | {
            f"pointwise.{_NAMES[name]}": _kernel(value)
            for name, value in values.items() if name != "depthwise_kernel"
        }  # fmt: skip
    if kind == "DepthwiseConv2D" or "depthwise_kernel" in values:
        return {
            _NAMES.get(name, name): value if value.ndim == 1 else _depthwise(value)
            for name, value in values.items()
        }
    return {_NAMES.get(name, name): _kernel(value) for name, value in values.items()}


def _kernel(value: NDArray[Any]) -> NDArray[Any]:
    if value.ndim == 4:
        return value.transpose(3, 2, 0, 1)
    return value.transpose(2, 0, 1) if value.ndim == 3 else value.T


def _depthwise(value: NDArray[Any]) -> NDArray[Any]:
    """H×W×C×M as C·M×1×H×W."""
    if value.ndim != 4:
        return value
    height, width, channels, multiplier = value.shape
    return value.transpose(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width)
