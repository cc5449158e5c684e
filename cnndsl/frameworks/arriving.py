"""How many channels or features a call of PyTorch is written for: ours take what arrives."""

from cnndsl.frameworks.values import Call

_PLACES = {
    "Conv2d": ("in_channels", 0), "ConvTranspose2d": ("in_channels", 0),
    "Linear": ("in_features", 0), "BatchNorm2d": ("num_features", 0),
    "BatchNorm1d": ("num_features", 0), "InstanceNorm2d": ("num_features", 0),
    "GroupNorm": ("num_channels", 1),
}  # fmt: skip


def arriving(call: Call) -> int | None:
    """The number, where the call says one."""
    name, at = _PLACES.get(call.name, ("", 0))
    value = call.keywords.get(name, call.arguments[at] if at < len(call.arguments) else None)
    return value if type(value) is int and name else None
