"""What one call says of training: an optimizer, a loss, a scheduler or a callback."""

import ast

from cnndsl.frameworks import keras_training, torch_training
from cnndsl.frameworks.arguments import NotTheirs
from cnndsl.frameworks.framework import KERAS, Context
from cnndsl.frameworks.values import Call, Symbol, Unreadable, value_of


def setting_of(call: Call, context: Context) -> str | None:
    """The setting of an optimizer, a loss, a scheduler or a callback by itself."""
    modules = call.path.split(".")[:-1]
    theirs = call.name in keras_training.OPTIMIZERS and call.name in torch_training.OPTIMIZERS
    first = call.arguments[0] if call.arguments else call.keywords.get("params")
    has_params = "params" in call.keywords or isinstance(first, Call | Symbol | tuple)
    if "optim" in modules or (has_params and theirs):
        return torch_training.setting(call)
    if call.name in keras_training.OPTIMIZERS:
        return keras_training.optimizer(call)
    if call.name in keras_training.LOSSES:
        return keras_training.loss(call)
    if call.name in keras_training.CALLBACKS and context.frameworks == (KERAS,):
        return keras_training.CALLBACKS.written(call)
    return torch_training.setting(call)


def named_value(kind: str, expr: ast.expr, context: Context) -> str:
    """`optimizer Adam(1e-3)`, as a section may have it: a setting's name and a call."""
    value = value_of(expr)
    if not isinstance(value, Call):
        raise Unreadable
    text = setting_of(value, context)
    if text is None or text.split()[0] != kind:
        raise NotTheirs(value.name)
    return text
