"""`forward`, followed statement by statement: which layers a tensor goes through, never run."""

import ast
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from cnndsl.frameworks.arguments import NoCounterpart, NotTheirs
from cnndsl.frameworks.flow import Flow
from cnndsl.frameworks.functions import MERGES, MODULES, function, is_function
from cnndsl.frameworks.values import Unreadable, Value, path_of, value_of

Layer = Callable[[ast.expr, int], int]
"""Writes the layers of an expression onto a tensor, and gives the tensor behind them; Lost."""

PLAIN = "only plain statements are followed here: what a condition or a loop gives is written out"
_MERGED = "tensors are merged by `add e1`, `mul e1` or `concat e1`, with a label: `e1: conv 64 3x3`"
_SILENT = ("log_softmax", "contiguous", "float", "to", "detach")
_LOGARITHM = "`log_softmax` is left out: `loss cross_entropy` contains it"
_LEARNED = ("conv", "dwconv", "upconv", "dense", "bn", "ln", "gn", "in", "prelu")


class Lost(Exception):  # noqa: N818
    """A part of `forward` that is not followed."""

    def __init__(self, node: ast.AST, message: str) -> None:
        super().__init__(message)
        self.node, self.message = node, message


class Bound(ast.NodeTransformer):
    """Puts known numbers in the place of names."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = values

    def bound(self, node: ast.expr) -> Any:
        """A copy of an expression with them."""
        return self.visit(deepcopy(node))

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """A name, or its value."""
        value = self._values.get(node.id)
        if not isinstance(value, int | float | str):
            return node
        return ast.copy_location(ast.Constant(value), node)


@dataclass
class Forward:
    """One call of `forward`: the tensors of its variables."""

    flow: Flow
    layer: Layer
    attributes: Mapping[str, ast.expr]
    """What `__init__` gave the instance: layers, as expressions."""
    arguments: Mapping[str, Value]
    values: dict[str, int]
    used: set[str] = field(default_factory=set[str])

    def run(self, forward: ast.FunctionDef) -> int:
        """All statements; the tensor that is returned."""
        for statement in forward.body:
            found = self._statement(statement)
            if found is not None:
                return found
        raise Lost(forward, "nothing is returned")

    def _statement(self, node: ast.stmt) -> int | None:
        match node:
            case ast.Return(value=ast.expr() as value):
                found = self.tensor(value)
                self.flow.go(found)
                return found
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if not _is_size(value):
                    self.values[name] = self.tensor(value)
            case ast.AugAssign(target=ast.Name(id=name), op=ast.Add() | ast.Mult(), value=value):
                word = "add" if isinstance(node.op, ast.Add) else "mul"
                pair = [self.tensor(node.target), self.tensor(value)]
                self.values[name] = self._merged(node, word, pair)
            case ast.Expr(value=ast.Constant()) | ast.Assert() | ast.Pass():
                pass
            case _:
                raise Lost(node, PLAIN)
        return None

    def tensor(self, node: ast.expr) -> int:
        """The tensor of an expression, with the layers that give it written."""
        match node:
            case ast.Name(id=name) if name in self.values:
                return self.values[name]
            case ast.Call():
                return self._call(node)
            case ast.BinOp(left=left, op=ast.Add() | ast.Mult() as sign, right=right):
                word = "add" if isinstance(sign, ast.Add) else "mul"
                return self._merged(node, word, [self.tensor(left), self.tensor(right)])
            case _:
                raise Lost(node, f"`{ast.unparse(node)[:40]}` is no tensor that can be followed; "
                           + _MERGED)  # fmt: skip

    def _merged(self, node: ast.AST, word: str, tensors: list[int]) -> int:
        if len(set(tensors)) < len(tensors):
            raise Lost(node, "a tensor is merged with itself; the nearest is `scale 2`")
        return self.flow.merge(word, tensors)

    def _call(self, node: ast.Call) -> int:
        match node.func:
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                return self._attribute(node, name)
            case ast.Call() as made:
                return self._made(node, made)
            case ast.Name() | ast.Attribute():
                return self._function(node, node.func)
            case _:
                raise Lost(node, PLAIN)

    def _attribute(self, node: ast.Call, name: str) -> int:
        """`self.conv1(x)`."""
        made = self.attributes.get(name)
        if made is None or not node.args:
            raise Lost(node, f"`self.{name}` is no layer of `__init__`; write what it does")
        x, count = self.tensor(node.args[0]), len(self.flow.lines)
        found = self.layer(made, x)
        written = self.flow.lines[max(count, 1) :]
        if name in self.used and any(line.split()[0] in _LEARNED for line in written):
            raise Lost(node, f"`self.{name}` is called twice: layers here share no weights")
        self.used.add(name)
        return found

    def _made(self, node: ast.Call, made: ast.Call) -> int:
        """`Add()([x, y])`, `nn.Dense(10)(x)`."""
        name = path_of(made.func).rpartition(".")[2] if is_path(made.func) else ""
        if name in MERGES and node.args and isinstance(node.args[0], ast.List | ast.Tuple):
            parts = [self.tensor(part) for part in node.args[0].elts]
            return self._merged(node, MERGES[name], parts)
        if not node.args:
            raise Lost(node, PLAIN)
        return self.layer(Bound(self.arguments).bound(made), self.tensor(node.args[0]))

    def _function(self, node: ast.Call, func: ast.Name | ast.Attribute) -> int:
        """`F.relu(x)`, `torch.cat([x, y], 1)`, `x.view(…)`."""
        name = func.id if isinstance(func, ast.Name) else func.attr
        if name in MERGES and node.args:
            first = node.args[0]
            parts = first.elts if isinstance(first, ast.List | ast.Tuple) else node.args[:2]
            return self._merged(node, MERGES[name], [self.tensor(part) for part in parts])
        if name in _SILENT:
            self.flow.notes |= {_LOGARITHM} if name == "log_softmax" else set()
            return self.tensor(_first(node, func))
        if not is_function(name):
            raise Lost(node, f"`{ast.unparse(func)}` has no counterpart that is known here")
        tensor = _first(node, func)
        rest = node.args[1:] if node.args and tensor is node.args[0] else node.args
        return self._applied(node, func, tensor, rest)

    def _applied(
        self, node: ast.Call, func: ast.expr, tensor: ast.expr, rest: list[ast.expr]
    ) -> int:
        x = self.tensor(tensor)
        self.flow.go(x)
        keywords = {k.arg: _value(k.value) for k in node.keywords if k.arg is not None}
        path = ast.unparse(func)
        try:
            return self.flow.apply(function(path, tuple(map(_value, rest)), keywords))
        except NotTheirs as error:
            raise Lost(node, f"`{path}` has no argument `{error}` that is known here") from None
        except NoCounterpart as error:
            raise Lost(node, str(error)) from None


def _first(node: ast.Call, func: ast.expr) -> ast.expr:
    """The tensor of a function or of a method."""
    if isinstance(func, ast.Attribute):
        root: Any = func
        while isinstance(root, ast.Attribute):
            root = root.value
        if not (isinstance(root, ast.Name) and root.id in MODULES):
            return func.value
    if not node.args:
        raise Lost(node, PLAIN)
    return node.args[0]


def _value(expr: ast.expr) -> Value:
    """A value; None for what is none, such as `x.size(0)`."""
    if isinstance(expr, ast.Tuple | ast.List):
        return tuple(map(_value, expr.elts))
    try:
        return value_of(expr)
    except Unreadable:
        return None


def is_path(expr: ast.expr) -> bool:
    """Whether an expression is a name, perhaps behind modules."""
    try:
        return bool(path_of(expr))
    except Unreadable:
        return False


def _is_size(expr: ast.expr) -> bool:
    """`x.size(0)`, `x.shape[0]`: a number that only a `view` needs."""
    match expr:
        case ast.Call(func=ast.Attribute(attr="size")) | ast.Attribute(attr="shape"):
            return True
        case ast.Subscript(value=value):
            return _is_size(value)
        case _:
            return False
