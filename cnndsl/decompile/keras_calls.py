"""Layers of a Keras configuration as calls of Keras, and those calls in our words."""

from collections.abc import Mapping
from typing import Any, cast

from cnndsl.frameworks.arguments import NoCounterpart, NotTheirs
from cnndsl.frameworks.keras_rearrange import LAYERS
from cnndsl.frameworks.values import Call
from cnndsl.weights.keras_graph import KerasLayer
from cnndsl.weights.keras_tensors import NORMS

_SILENT = frozenset({
    "name", "dtype", "trainable", "seed", "synchronized", "renorm", "renorm_momentum", "sparse",
    "ragged", "optional", "keepdims", "rms_scaling", "quantization_config", "batch_input_shape",
    "lora_rank", "lora_alpha",
})  # fmt: skip
_OF_TRAINING = ("_initializer", "_regularizer", "_constraint")


def statement(layer: KerasLayer, size: tuple[int, int] | None, on_images: bool = False) -> str:
    """`conv 32 3x3 same relu`; NoCounterpart. A dense layer works on images, too.

    Where its initialisers have no word, they are left out: weights come along.
    """
    if layer.config.get("data_format") == "channels_first":
        raise NoCounterpart("its images are channels first; save it with channels last")
    if layer.kind == "InputLayer":
        return _input(layer, size)
    kind, config = layer.kind, _arguments(layer)
    if kind == "Dense" and on_images:
        kind, config = "Conv2D", {"filters": config.pop("units", 0), "kernel_size": 1, **config}
    if kind not in LAYERS:
        raise NoCounterpart("the language has no word for it")
    try:
        return _written(kind, config)
    except NoCounterpart:
        plain = {k: v for k, v in config.items() if not k.endswith(_OF_TRAINING)}
        return _written(kind, plain)


def _written(kind: str, config: Mapping[str, Any]) -> str:
    try:
        return LAYERS.written(Call(kind, (), dict(config)))
    except NotTheirs as error:
        raise NoCounterpart(f"`{error}` says nothing here") from None


def _input(layer: KerasLayer, size: tuple[int, int] | None) -> str:
    """`input 3x32x32` of batch, height, width, channels."""
    shape = layer.config.get("batch_shape") or layer.config.get("batch_input_shape")
    if not isinstance(shape, list) or len(cast("list[Any]", shape)) not in (2, 4):
        raise NoCounterpart("takes no images and no vectors of a known size")
    sides: list[Any] = [*cast("list[Any]", shape)[1:]]
    if size is not None and len(sides) == 3:
        sides[:2] = [there or given for there, given in zip(sides, size, strict=False)]
    if not all(type(side) is int for side in sides):
        raise NoCounterpart("leaves height and width open: give --size, such as --size 224x224")
    return "input " + "x".join(map(str, sides[-1:] + sides[:-1]))


def _arguments(layer: KerasLayer) -> dict[str, Any]:
    """What the configuration says and a call would."""
    names = LAYERS.entries[layer.kind][0].split() if layer.kind in LAYERS else []
    found = dict[str, Any]()
    for name, value in layer.config.items():
        unsaid = value in (None, False) and name not in names
        if name in _SILENT or value is None or unsaid or _is_a_norms(layer, name):
            continue
        found[name] = _value(value)
    return found


def _is_a_norms(layer: KerasLayer, name: str) -> bool:
    """Whether it says how a norm's numbers begin."""
    return layer.kind in NORMS and name.endswith(_OF_TRAINING)


def _value(value: Any) -> Any:
    """Lists as tuples, objects with a class as calls of it."""
    if isinstance(value, list):
        return tuple(map(_value, cast("list[Any]", value)))
    if not isinstance(value, dict):
        return value
    entry = cast("dict[str, Any]", value)
    config: Any = entry.get("config")
    if entry.get("class_name") == "function":
        return str(config)
    named: dict[str, Any] = cast("dict[str, Any]", config) if isinstance(config, dict) else {}
    given = {k: _value(v) for k, v in named.items() if v is not None and k not in _SILENT}
    return Call(str(entry.get("class_name")), (), given)
