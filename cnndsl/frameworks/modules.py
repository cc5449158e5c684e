"""Classes of layers: those of `__init__`, in the order in which `forward` calls them.

Nothing is run. An instance of another class of the text is followed in its place.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from cnndsl.frameworks.arguments import NoCounterpart, NotTheirs
from cnndsl.frameworks.flow import Flow
from cnndsl.frameworks.forward import PLAIN, Bound, Forward, Lost, is_path
from cnndsl.frameworks.values import Call, Value, call_of, path_of

Write = Callable[[ast.expr], None]
"""Writes the layer of an expression onto the tensor at hand; NoCounterpart, NotTheirs."""

_FORWARD = ("forward", "__call__", "call")
_SETUP = ("__init__", "setup")
_DEEPEST = 16  # instances inside of instances
_LONGEST = 5_000  # lines


def is_module(node: ast.ClassDef) -> bool:
    """Whether a class says what becomes of a tensor."""
    return _method(node, _FORWARD) is not None


def follow(
    name: str, made: Call, flow: Flow, classes: Mapping[str, ast.ClassDef], write: Write
) -> None:
    """Write the layers of an instance of a class in the order of its `forward`; Lost."""
    _Follower(flow, classes, write).instance(classes[name], made, flow.here)


@dataclass(frozen=True)
class _Follower:
    """Follows instances of classes; `write` knows the layers that are no class of the text."""

    flow: Flow
    classes: Mapping[str, ast.ClassDef]
    write: Write
    depth: int = 0

    def instance(self, node: ast.ClassDef, made: Call, x: int) -> int:
        """An instance with its arguments, called on a tensor."""
        forward, setup = _method(node, _FORWARD), _method(node, _SETUP)
        assert forward is not None
        if self.depth > _DEEPEST or len(self.flow.lines) > _LONGEST:
            raise Lost(node, "modules of modules without an end")
        arguments = _arguments(setup, made) if setup else {}
        attributes = dict(_attributes(setup, arguments)) if setup else {}
        values = {name.arg: x for name in forward.args.args[1:2]}
        inner = replace(self, depth=self.depth + 1)
        return Forward(self.flow, inner.layer, attributes, arguments, values).run(forward)

    def layer(self, made: ast.expr, x: int) -> int:
        """A layer, a sequence of them or an instance of a class, on a tensor."""
        if isinstance(made, ast.Call) and is_path(made.func):
            nested = self.classes.get(path_of(made.func))
            if nested is not None:
                return self.instance(nested, call_of(made), x)
        self.flow.go(x)
        try:
            self.write(made)
        except NotTheirs:
            raise Lost(made, f"no framework known here has `{ast.unparse(made)[:40]}`") from None
        except NoCounterpart as error:
            raise Lost(made, str(error)) from None
        return self.flow.here


def _method(node: ast.ClassDef, names: tuple[str, ...]) -> ast.FunctionDef | None:
    """The first method of a class that has one of the names."""
    methods = (each for each in node.body if isinstance(each, ast.FunctionDef))
    return next((each for each in methods if each.name in names), None)


def _arguments(setup: ast.FunctionDef, made: Call) -> dict[str, Value]:
    """The arguments of `__init__` by name, with their defaults."""
    names, defaults = [a.arg for a in setup.args.args[1:]], setup.args.defaults
    pairs = zip(names[len(names) - len(defaults) :], defaults, strict=False)
    known = {name: value.value for name, value in pairs if isinstance(value, ast.Constant)}
    return {**known, **dict(zip(names, made.arguments, strict=False)), **made.keywords}


def _attributes(
    setup: ast.FunctionDef, arguments: Mapping[str, Value]
) -> Iterator[tuple[str, ast.expr]]:
    """`self.conv1 = nn.Conv2d(…)`, with arguments in the place of their names."""
    for statement in setup.body:
        match statement:
            case ast.Assign(targets=[ast.Attribute(ast.Name("self"), name)], value=value):
                yield name, Bound(arguments).bound(value)
            case ast.If() | ast.For() | ast.While():
                raise Lost(statement, PLAIN)
            case _:
                pass
