"""Parameters of functions, and methods of instances."""

import ast
from collections.abc import Iterator

from cnndsl.frameworks.objects import Class, Function, Instance
from cnndsl.frameworks.values import Symbol, Value

_Definition = ast.FunctionDef | ast.Lambda


def parameters(node: _Definition, given: list[Value], named: dict[str, Value]) -> dict[str, Value]:
    """The values of a function's parameters by name; those at their defaults are missing."""
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
    keys = {a.arg for a in node.args.kwonlyargs} | {*names}
    values = dict(zip(names, given, strict=False))
    values |= {name: value for name, value in named.items() if name in keys}
    if node.args.vararg is not None:
        values[node.args.vararg.arg] = tuple(given[len(names) :])
    if node.args.kwarg is not None:
        values[node.args.kwarg.arg] = {k: v for k, v in named.items() if k not in keys}
    unsaid = [name for name in keys if name not in values and name not in dict(fields_of(node))]
    return values | {name: Symbol(name) for name in unsaid}


def fields_of(node: _Definition) -> Iterator[tuple[str, ast.expr]]:
    """The parameters that have a default, with it."""
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
    defaults = node.args.defaults
    yield from zip(names[len(names) - len(defaults) :], defaults, strict=False)
    for name, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        if default is not None:
            yield name.arg, default


def bound(model: Instance, method: tuple[ast.FunctionDef, Class]) -> Function:
    """A method of an instance, with the class that has it."""
    node, owner = method
    return Function(node, owner.scope, model, owner)
