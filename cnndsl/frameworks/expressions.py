"""Expressions of Python, as far as the layers of a network depend on them. Nothing is run."""

import ast
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, cast

from cnndsl.frameworks.objects import Class, Instance, Layers, Method, Scope, Tensor, no_tensor
from cnndsl.frameworks.values import Call, Symbol, Value

_MOST = 10_000  # items of a list, digits aside
_LARGEST = 10**12
_SIZES = ("shape", "dtype", "ndim", "device")
_PYTHON: Any = operator  # its annotations are incomplete
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: _PYTHON.add, ast.Sub: _PYTHON.sub, ast.Mult: _PYTHON.mul, ast.Div: _PYTHON.truediv,
    ast.FloorDiv: _PYTHON.floordiv, ast.Mod: _PYTHON.mod, ast.Pow: _PYTHON.pow,
}  # fmt: skip
_SIGNS: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "//", ast.Div: "/",
}  # fmt: skip
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: _PYTHON.eq, ast.NotEq: _PYTHON.ne, ast.Lt: _PYTHON.lt, ast.LtE: _PYTHON.le,
    ast.Gt: _PYTHON.gt, ast.GtE: _PYTHON.ge, ast.Is: _PYTHON.is_, ast.IsNot: _PYTHON.is_not,
    ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
_MERGES: dict[type[ast.operator], str] = {ast.Add: "add", ast.Mult: "mul"}


class Undecided(Exception):  # noqa: N818
    """A condition whose value the program does not say."""


def unknown(node: ast.expr) -> Symbol:
    """What an expression gives that depends on more than what is written."""
    return Symbol(f"<{type(node).__name__}>.{ast.unparse(node)[:40]}")


def is_known(value: Value) -> bool:
    """Whether a value is more than a name."""
    if isinstance(value, list | tuple):
        return all(map(is_known, cast("tuple[Value, ...]", value)))
    return not isinstance(value, Symbol)


class Expressions(ABC):
    """The values of expressions; what calls give, and what tensors do, is left to others."""

    @abstractmethod
    def called(self, node: ast.Call, scope: Scope) -> Value:
        """The value of a call."""

    @abstractmethod
    def merged(self, node: ast.AST, word: str, pair: list[Value]) -> Value:
        """The sum or product of tensors."""

    def evaluate(self, node: ast.expr, scope: Scope) -> Value:
        """The value of an expression; a Symbol where the program does not say it."""
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return scope.get(name)
            case ast.Attribute(value=value, attr=name):
                return self._attribute(self.evaluate(value, scope), name, node)
            case ast.Call():
                return self.called(node, scope)
            case ast.List(elts=parts):
                return self._items(parts, scope)
            case ast.Tuple(elts=parts):
                return tuple(self._items(parts, scope))
            case ast.BinOp(left=left, op=sign, right=right):
                return self.combined(
                    node, self.evaluate(left, scope), sign, self.evaluate(right, scope)
                )
            case _:
                return self._rarer(node, scope)

    def _rarer(self, node: ast.expr, scope: Scope) -> Value:
        match node:
            case ast.Dict(keys=keys, values=values) if None not in keys:
                pairs = zip(cast("list[ast.expr]", keys), values, strict=True)
                return {self.evaluate(k, scope): self.evaluate(v, scope) for k, v in pairs}
            case ast.Subscript(value=value, slice=index):
                return self._item(node, self.evaluate(value, scope), index, scope)
            case ast.ListComp(generators=[each]) | ast.GeneratorExp(generators=[each]):
                return [self.evaluate(node.elt, inner) for inner in self._rounds(each, scope)]
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return self.combined(node, 0, ast.Sub(), self.evaluate(inner, scope))
            case ast.BoolOp(op=sign, values=values):
                return self._first(node, isinstance(sign, ast.Or), values, scope)
            case ast.Compare() | ast.UnaryOp(op=ast.Not()):
                return self._decided(node, scope)
            case ast.IfExp(test=test, body=body, orelse=other):
                return self._chosen(node, test, body, other, scope)
            case _:
                return unknown(node)

    def _decided(self, node: ast.expr, scope: Scope) -> Value:
        """A condition as a value."""
        try:
            return self.holds(node, scope)
        except Undecided:
            return unknown(node)

    def _first(self, node: ast.expr, wanted: bool, values: list[ast.expr], scope: Scope) -> Value:
        """`norm or nn.BatchNorm2d`: the first that is true, or false for `and`, else the last."""
        found: Value = None
        try:
            for each in values:
                found = self.evaluate(each, scope)
                if each is not values[-1] and _truth(found) == wanted:
                    break
        except Undecided:
            return unknown(node)
        return found

    def _chosen(
        self, node: ast.expr, test: ast.expr, body: ast.expr, other: ast.expr, scope: Scope
    ) -> Value:
        try:
            return self.evaluate(body if self.holds(test, scope) else other, scope)
        except Undecided:
            return unknown(node)

    def _items(self, parts: list[ast.expr], scope: Scope) -> list[Value]:
        found = list[Value]()
        for part in parts:
            if isinstance(part, ast.Starred):
                inner = self.evaluate(part.value, scope)
                found += items_of(inner) or []
            else:
                found.append(self.evaluate(part, scope))
        return found

    def _rounds(self, each: ast.comprehension, scope: Scope) -> Iterator[Scope]:
        """A scope for each round of a comprehension."""
        for item in items_of(self.evaluate(each.iter, scope)) or []:
            inner = Scope({}, scope)
            self.bind(each.target, item, inner)
            if all(self.holds(test, inner) for test in each.ifs):
                yield inner

    def bind(self, target: ast.expr, value: Value, scope: Scope) -> None:
        """Give a value to a name, an attribute, or to several of them."""
        match target:
            case ast.Name(id=name):
                scope.values[name] = value if is_known(value) else _by_name(name, value)
            case ast.Attribute(value=owner, attr=name):
                holder = self.evaluate(owner, scope)
                if isinstance(holder, Instance):
                    holder.attributes[name] = value
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                values = items_of(value)
                whole = values is not None and len(values) == len(parts)
                for i, part in enumerate(parts):
                    self.bind(part, values[i] if whole and values else unknown(part), scope)
            case ast.Subscript(value=owner, slice=index):
                holder, at = self.evaluate(owner, scope), self.evaluate(index, scope)
                if isinstance(holder, dict) and isinstance(at, int | str):
                    holder[at] = value
            case _:
                pass

    def _attribute(self, owner: Value, name: str, node: ast.expr) -> Value:
        match owner:
            case Symbol(path):
                return Symbol(f"{path}.{name}")
            case Tensor() if name in _SIZES:
                return unknown(node)
            case Instance(cls=cls, attributes=attributes):
                if name in attributes:
                    return attributes[name]
                constant = cls.constant(name)
                return Method(owner, name) if constant is None else constant
            case Class() if owner.constant(name) is not None:
                return owner.constant(name)
            case Layers() if name == "layers":
                return owner.members
            case _:
                return Method(owner, name)

    def _item(self, node: ast.expr, value: Value, index: ast.expr, scope: Scope) -> Value:
        if isinstance(value, Tensor):
            raise no_tensor(node)
        parts: Any = value.members if isinstance(value, Layers) else value
        if not isinstance(parts, list | tuple | dict | str):
            return unknown(node)
        try:
            if isinstance(index, ast.Slice):
                ends = (index.lower, index.upper, index.step)
                return cast("Any", parts)[slice(*(e and self.evaluate(e, scope) for e in ends))]
            return cast("Any", parts)[self.evaluate(index, scope)]
        except (LookupError, TypeError, ValueError):
            return unknown(node)

    def combined(self, node: ast.expr, left: Value, sign: ast.operator, right: Value) -> Value:
        """Arithmetic on numbers, lists and tensors."""
        if isinstance(left, Tensor) or isinstance(right, Tensor):
            word = _MERGES.get(type(sign))
            if word is None:
                raise no_tensor(node)
            return self.merged(node, word, [left, right])
        if isinstance(left, Symbol) or isinstance(right, Symbol):
            return _formula(node, left, sign, right)
        try:
            return _calculated(left, sign, right)
        except (TypeError, ValueError, ArithmeticError, KeyError):
            return unknown(node)

    # Conditions

    def holds(self, test: ast.expr, scope: Scope) -> bool:
        """Whether a condition is true; Undecided."""
        match test:
            case ast.BoolOp(op=ast.And(), values=values):
                return all(self.holds(value, scope) for value in values)
            case ast.BoolOp(op=ast.Or(), values=values):
                return any(self.holds(value, scope) for value in values)
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return not self.holds(inner, scope)
            case ast.Compare(left=left, ops=[sign], comparators=[right]):
                if _is_main(left):
                    return True
                return _compared(self.evaluate(left, scope), sign, self.evaluate(right, scope))
            case _:
                return _truth(self.evaluate(test, scope))


def _by_name(name: str, value: Value) -> Value:
    """What is not known, by the name that it gets: a help can name that."""
    bare = isinstance(value, Symbol) and not value.path.replace(".", "_").isidentifier()
    return Symbol(name) if bare else value


def items_of(value: Value) -> list[Value] | None:
    """The items of a list, a tuple, a dictionary or a sequence of layers; None for others."""
    if isinstance(value, Layers):
        return value.members
    if isinstance(value, list | tuple | dict | str):
        return list(cast("list[Value]", value))
    return None


def _formula(node: ast.expr, left: Value, sign: ast.operator, right: Value) -> Symbol:
    """`2*c` of names and numbers."""
    parts = [v.path if isinstance(v, Symbol) else v for v in (left, right)]
    plain = all(isinstance(p, str | int | float) and "<" not in str(p) for p in parts)
    if not plain or type(sign) not in _SIGNS:
        return unknown(node)
    return Symbol(f"{parts[0]}{_SIGNS[type(sign)]}{parts[1]}")


def _calculated(left: Any, sign: ast.operator, right: Any) -> Value:
    """Bounded arithmetic on numbers and lists; TypeError, ValueError where it is none."""
    if items_of(right) is not None and isinstance(left, int):
        left, right = right, left
    parts = items_of(left)
    if parts is not None and isinstance(right, int) and len(parts) * right > _MOST:
        raise ValueError
    if parts is None and isinstance(sign, ast.Pow) and (not 0 <= right <= 64):
        raise ValueError
    found: Any = _ARITHMETIC[type(sign)](left, right)
    if items_of(found) is None and abs(found) > _LARGEST:
        raise ValueError
    return found


def _compared(left: Value, sign: ast.cmpop, right: Value) -> bool:
    identity = isinstance(sign, ast.Is | ast.IsNot)
    if isinstance(left, Symbol) or isinstance(right, Symbol):
        raise Undecided
    if not identity and (isinstance(left, Call) or isinstance(right, Call)):
        raise Undecided
    if not identity and not (is_known(left) and is_known(right)):
        raise Undecided
    try:
        return bool(_COMPARISONS[type(sign)](left, right))
    except (TypeError, KeyError):
        raise Undecided from None


def _truth(value: Value) -> bool:
    if isinstance(value, Symbol) and "." in value.path and value.name[:1].isupper():
        return True  # a class of a framework
    if isinstance(value, Symbol | Method) or (isinstance(value, Call) and value.name.islower()):
        raise Undecided
    return bool(value)


def _is_main(left: ast.expr) -> bool:
    """`if __name__ == "__main__":`."""
    return isinstance(left, ast.Name) and left.id == "__name__"
