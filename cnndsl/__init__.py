"""Convolutional networks as a few lines of text: check, compile to ONNX, run, train.

    import cnndsl
    model = cnndsl.load("model.cnn", width=64)
    print(model.summary())
    onnx_model = model.to_onnx()

Importing this package loads neither onnx nor numpy; each name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnndsl.api import Model, check, load, parse, train
    from cnndsl.source import Diagnostic, Failed, UserError
    from cnndsl.training.callbacks import Callback

__all__ = [  # noqa: RUF022  (by subject)
    # specs
    "Model",
    "check",
    "load",
    "parse",
    # training
    "Callback",
    "train",
    # what can go wrong
    "Diagnostic",
    "Failed",
    "UserError",
]

_HOMES = {
    **dict.fromkeys(("Model", "check", "load", "parse", "train"), "cnndsl.api"),
    "Callback": "cnndsl.training.callbacks",
    "load_ipython_extension": "cnndsl.notebook",
    **dict.fromkeys(("Diagnostic", "Failed", "UserError"), "cnndsl.source"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'cnndsl' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
