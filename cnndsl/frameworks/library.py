"""Calls of what a framework gives: containers, models, functions of tensors, settings, data."""

import ast

from cnndsl.frameworks import keras_training
from cnndsl.frameworks.applying import SILENT, Applying
from cnndsl.frameworks.builtins import built_in, is_builtin
from cnndsl.frameworks.expressions import items_of, unknown
from cnndsl.frameworks.framework import is_layer
from cnndsl.frameworks.functions import MERGES, MODULES, is_function
from cnndsl.frameworks.objects import (
    CONTAINERS,
    Layers,
    Lost,
    Network,
    Partial,
    Tensor,
    as_call,
    holds_tensor,
    members_of,
)
from cnndsl.frameworks.training import setting_of
from cnndsl.frameworks.values import Call, Symbol, Value

TRAINING = ("compile", "fit")
_BUILT_IN_DATA = {"cifar10": "cifar10", "mnist": "mnist", "CIFAR10": "cifar10", "MNIST": "mnist"}
_WRAPPING = ("DataParallel", "DistributedDataParallel", "deepcopy", "script", "jit")
_ROOTS = MODULES | {"layers", "K", "ops"}
_PUBLISHED = ("create_model", "from_pretrained")
_WHOLE = (
    "a whole network is not in this code: export it as ONNX and run `cnndsl decompile model.onnx`, "
    "or start from a published one: `cnndsl init --list`"
)


class Library(Applying):
    """Calls by the names of a framework."""

    def of_framework(
        self, path: str, given: list[Value], named: dict[str, Value], node: ast.Call
    ) -> Value:
        """What a call by a name gives that the program does not define."""
        owner, _, name = path.rpartition(".")
        if is_builtin(path):
            return _built_in(path, given, named, node)
        if name == "partial" and given:
            return Partial(given[0], tuple(given[1:]), named)
        if name in CONTAINERS:
            return self._container(name, given)
        if name == "add" and owner and len(given) == 1 and isinstance(given[0], Call | Tensor):
            return given[0]
        if name in TRAINING and (owner or named):
            self.train(name, given, named)
            return unknown(node)
        if name in _WRAPPING and given:
            return given[0]
        if name == "load_data" or path.startswith(("datasets.", "torchvision.datasets.")):
            return self._data(path, node)
        call = as_call(path, given, named, node)
        if (setting := setting_of(call, self.context)) is not None:
            self.program.set(*setting.split("; "))
            return call
        return self._layer_or_function(call, given, named, node)

    def _layer_or_function(
        self, call: Call, given: list[Value], named: dict[str, Value], node: ast.Call
    ) -> Value:
        root, name = call.path.partition(".")[0], call.name
        if name in ("Model", "Functional") and (given or "outputs" in named):
            return self._outputs(given, named, node)
        if root == "self" and "." in call.path:
            self.program.found = True
            raise Lost(node, f"`{call.path}` is a layer of another line: write it in this place")
        if name in MERGES and name.islower() and root in _ROOTS and given:
            pair = items_of(given[0]) or given[:2]
            return self.merged_calls(node, MERGES[name], pair)
        if self._is_functional(call, given):
            return self._functional(call, given, named, node)
        if is_layer(call):
            self.program.found = True
            return call
        return self._unknown(call, given, node)

    def _unknown(self, call: Call, given: list[Value], node: ast.Call) -> Value:
        """A call that nothing here knows: no harm where no tensor goes through it."""
        modules = call.path.split(".")[:-1]
        network = call.name in _PUBLISHED or "applications" in modules
        if network or (modules[-1:] == ["models"] and call.name[:1].islower()):
            raise Lost(node, _WHOLE)
        if holds_tensor(given):
            raise Lost(node, f"`{call.path}` has no counterpart that is known here")
        return call

    def _container(self, name: str, given: list[Value]) -> Layers:
        self.program.found, self.program.only_layers = True, False
        found = Layers(members_of(given))
        for member in found.members:
            self.program.use(member)
        return found

    def _outputs(self, given: list[Value], named: dict[str, Value], node: ast.Call) -> Value:
        """`Model(inputs, outputs)`."""
        self.program.only_layers = False
        output = named.get("outputs", given[1] if len(given) > 1 else None)
        if len(items_of(output) or (output,)) != 1:
            raise Lost(node, "several outputs have names here: `output logits { … }`")
        one = next(iter(items_of(output) or ()), output)
        return unknown(node) if one is None else Network(Tensor(self.tensor(one, node)))

    def _is_functional(self, call: Call, given: list[Value]) -> bool:
        """`F.relu(x)`, `x.view(…)`."""
        root = call.path.partition(".")[0]
        if root in _ROOTS:
            on = given[:1] and not isinstance(given[0], int | float | str)
            return bool(on) and (is_function(call.name) or call.name in SILENT)
        if "." not in call.path:
            return is_function(call.name) and holds_tensor(given)
        return call.name in ("view", "reshape", "flatten", "mean") and "<" not in call.path

    def _functional(
        self, call: Call, given: list[Value], named: dict[str, Value], node: ast.Call
    ) -> Value:
        """A function of a tensor, which it has as an argument or of which it is a method."""
        root = call.path.partition(".")[0]
        method = root not in _ROOTS and "." in call.path
        tensor = Symbol(root) if method else given[0]
        rest = given if method else given[1:]
        x = self.tensor(tensor, node)
        return Tensor(self.function(call.path, x, tuple(rest), named, node))

    def train(self, name: str, given: list[Value], named: dict[str, Value]) -> None:
        """Take what `compile` or `fit` says."""
        call = as_call(name, given, named)
        self.program.set(*keras_training.settings_of(call))
        loss = call.keywords.get("loss", call.arguments[1] if len(call.arguments) > 1 else None)
        if name == "compile" and loss is not None:
            self.program.squashed = keras_training.takes_probabilities(loss)

    def _data(self, path: str, node: ast.Call) -> Value:
        self.program.found, self.program.only_layers = True, False
        for part in path.split("."):
            if part in _BUILT_IN_DATA:
                self.program.set(f"data {_BUILT_IN_DATA[part]}")
        return unknown(node)


def _built_in(path: str, given: list[Value], named: dict[str, Value], node: ast.Call) -> Value:
    try:
        return built_in(path, given, named)
    except (TypeError, ValueError, ArithmeticError, LookupError):
        return unknown(node)
