"""What calls in a program give: functions and classes of its own, models, layers, settings."""

import ast
from abc import abstractmethod
from typing import cast

from cnndsl.frameworks.applying import SILENT
from cnndsl.frameworks.expressions import items_of, unknown
from cnndsl.frameworks.framework import is_layer
from cnndsl.frameworks.functions import MERGES, is_function
from cnndsl.frameworks.instances import bound, fields_of, parameters
from cnndsl.frameworks.library import TRAINING, Library
from cnndsl.frameworks.objects import (
    Base,
    Class,
    Function,
    Instance,
    Layers,
    Lost,
    Method,
    Network,
    Partial,
    Scope,
    Tensor,
    holds_tensor,
    members_of,
)
from cnndsl.frameworks.values import Call, Symbol, Value

FORWARD = ("forward", "__call__", "call")
"""What frameworks call the method that a tensor goes through."""
_DEEPEST = 40  # calls inside of calls
_GROWING = ("add", "append", "extend", "add_module", "insert", "register_module")
_SETUP = ("__init__", "setup")


class Calls(Library):
    """Calls, by what is called."""

    depth: int = 0

    def called(self, node: ast.Call, scope: Scope) -> Value:
        """The value of a call."""
        if isinstance(node.func, ast.Name) and node.func.id == "super":
            return self._super(scope)
        function = self.evaluate(node.func, scope)
        given = self.values(node.args, scope)
        named = {k.arg: self.evaluate(k.value, scope) for k in node.keywords if k.arg is not None}
        for spread in (k.value for k in node.keywords if k.arg is None):
            more = self.evaluate(spread, scope)
            named |= cast("dict[str, Value]", more) if isinstance(more, dict) else {}
        return self.call(function, given, named, node)

    def values(self, nodes: list[ast.expr], scope: Scope) -> list[Value]:
        """Positional arguments."""
        return list(self.evaluate(ast.Tuple(nodes, ast.Load()), scope))

    def call(
        self, function: Value, given: list[Value], named: dict[str, Value], node: ast.Call
    ) -> Value:
        """What a value gives when it is called."""
        match function:
            case Symbol(path):
                return self.of_framework(path, given, named, node)
            case Method():
                return self._method(function, given, named, node)
            case Function():
                self.program.use(function)
                return self.invoked(function, given, named, node)
            case Class():
                return self._made(function, given, named, node)
            case Partial():
                named = function.keywords | named
                return self.call(function.function, [*function.arguments, *given], named, node)
            case Call():
                return self._layer_called(function, given, node)
            case Instance() if holds_tensor([*given, *named.values()]):
                self.program.use(function)
                return self.forward(function, given, named, node)
            case Layers() if holds_tensor(given):
                return Tensor(self.apply(function, self.tensor(given[0], node), node))
            case Network():
                return self._network_called(given, node)
            case _:
                return unknown(node)

    def _layer_called(self, function: Call, given: list[Value], node: ast.Call) -> Value:
        """A layer on tensors; anything else that a framework makes, on what is none."""
        if not is_layer(function):
            return unknown(node)
        return self.put(function, given, node)

    def _network_called(self, given: list[Value], node: ast.Call) -> Value:
        if holds_tensor(given):
            raise Lost(node, "a model in a model is not followed: write its layers in its place")
        return unknown(node)

    # Functions and classes of the program

    def invoked(
        self, function: Function, given: list[Value], named: dict[str, Value], node: ast.AST
    ) -> Value:
        """What a function of the program returns."""
        if self.depth > _DEEPEST:
            raise Lost(node, "modules of modules without an end")
        first = [function.instance] if function.instance is not None else []
        inner = Scope(parameters(function.node, [*first, *given], named), function.scope)
        for name, default in fields_of(function.node):
            if name not in inner.values:
                inner.values[name] = self.evaluate(default, function.scope)
        if function.owner is not None:
            inner.values["super()"] = Base(cast("Instance", function.instance), function.owner)
        self.depth += 1
        try:
            if isinstance(function.node, ast.Lambda):
                return self.evaluate(function.node.body, inner)
            return self.body(function.node.body, inner)
        finally:
            self.depth -= 1

    @abstractmethod
    def body(self, statements: list[ast.stmt], scope: Scope) -> Value:
        """The statements of a function, and what it returns."""

    def _super(self, scope: Scope) -> Value:
        found = scope.get("super()")
        return found if isinstance(found, Base) else Symbol("super")

    def _made(
        self, cls: Class, given: list[Value], named: dict[str, Value], node: ast.AST
    ) -> Instance:
        """An instance, behind its `__init__`."""
        model = Instance(cls)
        found = cls.method(_SETUP)
        if found is None or found[0].name == "setup":
            model.attributes |= dict(zip(cls.fields, given, strict=False)) | named
            given, named = [], {}
        if found is None and cls.is_container:
            model.members = members_of(given)
        elif found is not None:
            self.invoked(bound(model, found), given, named, node)
        self.program.found = True
        return model

    def forward(
        self, model: Instance, given: list[Value], named: dict[str, Value], node: ast.AST
    ) -> Value:
        """What an instance gives when it is called."""
        found = model.cls.method(FORWARD)
        if found is not None:
            return self.invoked(bound(model, found), given, named, node)
        if model.members is None:
            raise Lost(model.cls.node, "a class of layers has a `forward`: write what it does")
        return Tensor(self.apply(Layers(model.members), self.tensor(given[0], node), node))

    # Methods

    def _method(
        self, method: Method, given: list[Value], named: dict[str, Value], node: ast.Call
    ) -> Value:
        owner, name = method.owner, method.name
        match owner:
            case Tensor():
                return self._of_tensor(owner, name, given, named, node)
            case list():
                return _of_list(cast("list[Value]", owner), name, given)
            case dict():
                return _of_dict(cast("dict[Value, Value]", owner), name, given, node)
            case Instance():
                return self._of_instance(owner, name, given, named, node)
            case Base(instance=instance, above=above):
                return self._of_base(instance, above, name, given, named, node)
            case Layers() if name in _GROWING:
                owner.members += members_of(given[-1:])
                return None
            case Layers() | Network():
                return self._of_model(owner, name, given, named, node)
            case _:
                return unknown(node)

    def _of_tensor(
        self, owner: Tensor, name: str, given: list[Value], named: dict[str, Value], node: ast.Call
    ) -> Value:
        if name in MERGES and given:
            return self.merged_calls(node, MERGES[name], [owner, given[0]])
        if name in ("size", "dim", "numel", "item", "numpy"):
            return unknown(node)
        if not is_function(name) and name not in SILENT:
            shown = ast.unparse(node.func)
            raise Lost(node, f"`{shown}` has no counterpart that is known here")
        return Tensor(self.function(f"x.{name}", owner.line, tuple(given), named, node))

    def _of_instance(
        self, owner: Instance, name: str, given: list[Value], named: dict[str, Value],
        node: ast.Call,
    ) -> Value:  # fmt: skip
        if name in FORWARD:
            return self.forward(owner, given, named, node)
        found = owner.cls.method((name,))
        if found is not None:
            return self.invoked(bound(owner, found), given, named, node)
        if holds_tensor(given):
            shown = ast.unparse(node.func)
            raise Lost(node, f"`{shown}` is not a layer of `__init__`; write what it does")
        if name in _GROWING and len(given) == 2 and isinstance(given[0], str):
            owner.attributes[given[0]] = given[1]
            owner.members = None if owner.members is None else [*owner.members, given[1]]
        return self._of_model(owner, name, given, named, node)

    def _of_base(
        self, model: Instance, above: Class, name: str, given: list[Value],
        named: dict[str, Value], node: ast.AST,
    ) -> Value:  # fmt: skip
        """A method behind `super()`."""
        found = above.inherited((name,))
        if found is not None:
            return self.invoked(bound(model, found), given, named, node)
        if name == "__init__" and above.is_container:
            model.members = members_of(given)
        if name in FORWARD and model.members is not None:
            return Tensor(self.apply(Layers(model.members), self.tensor(given[0], node), node))
        return None

    def _of_model(
        self, owner: Value, name: str, given: list[Value], named: dict[str, Value], node: ast.Call
    ) -> Value:
        if name in TRAINING:
            self.train(name, given, named)
            self.program.trained = owner
            return unknown(node)
        return owner if name in ("to", "cuda", "cpu", "eval", "train", "half") else unknown(node)


def _of_list(owner: list[Value], name: str, given: list[Value]) -> Value:
    if name == "append" and given:
        owner.append(given[0])
    elif name == "extend" and given:
        owner += items_of(given[0]) or []
    elif name == "insert" and len(given) == 2 and isinstance(given[0], int):
        owner.insert(given[0], given[1])
    return None


def _of_dict(owner: dict[Value, Value], name: str, given: list[Value], node: ast.expr) -> Value:
    match name:
        case "items":
            return list(owner.items())
        case "keys":
            return list(owner)
        case "values":
            return list(owner.values())
        case "get" if given and isinstance(given[0], str | int):
            return owner.get(given[0], given[1] if len(given) > 1 else None)
        case _:
            return unknown(node)
