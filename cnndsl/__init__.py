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
    from cnndsl.api import Model, check, formatted, from_onnx, load, parse
    from cnndsl.deployment import bench, heat_maps, to_float16, to_int8
    from cnndsl.runs import evaluate, predict, resume, search, train
    from cnndsl.source import Diagnostic, Failed, UserError
    from cnndsl.training.callbacks import Callback
    from cnndsl.training.signals import Interrupted

    __version__: str

__all__ = [  # noqa: RUF022  (by subject)
    # specs
    "Model",
    "check",
    "formatted",
    "from_onnx",
    "load",
    "parse",
    # training
    "Callback",
    "evaluate",
    "predict",
    "resume",
    "search",
    "train",
    # compiled models
    "bench",
    "heat_maps",
    "to_float16",
    "to_int8",
    # what can go wrong
    "Diagnostic",
    "Failed",
    "Interrupted",
    "UserError",
]

_HOMES = {
    **dict.fromkeys(("Model", "check", "formatted", "from_onnx", "load", "parse"), "cnndsl.api"),
    **dict.fromkeys(("evaluate", "predict", "resume", "search", "train"), "cnndsl.runs"),
    **dict.fromkeys(("bench", "heat_maps", "to_float16", "to_int8"), "cnndsl.deployment"),
    "Callback": "cnndsl.training.callbacks",
    "Interrupted": "cnndsl.training.signals",
    "load_ipython_extension": "cnndsl.notebook",
    **dict.fromkeys(("Diagnostic", "Failed", "UserError"), "cnndsl.source"),
}


_MODULES = ("losses", "lr_schedules", "optim")  # with the objects that a recipe takes


if not TYPE_CHECKING:  # a type checker would take any name for granted

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            return import_module("cnndsl.version").version()
        if name in _MODULES:
            return import_module(f"cnndsl.{name}")
        if name not in _HOMES:
            raise AttributeError(f"module 'cnndsl' has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
