"""Statements of Python: assignments, conditions and loops over what is known, followed, not run."""

import ast
from dataclasses import dataclass

from cnndsl.frameworks.calls import FORWARD, Calls
from cnndsl.frameworks.expressions import Undecided, items_of
from cnndsl.frameworks.framework import is_layer
from cnndsl.frameworks.objects import Class, Function, Lost, Scope
from cnndsl.frameworks.values import Call, Unreadable, Value, path_of

_PLAIN = (
    "what this condition or loop gives is not said in the code: write out the layers that are meant"
)
_MOST = 20_000  # statements
_BACK = "return"


class Left(Exception):  # noqa: N818
    """`continue` and `break`."""

    def __init__(self, loop: bool) -> None:
        super().__init__()
        self.loop = loop


@dataclass
class Statements(Calls):
    """Follows the statements of functions."""

    steps: int = 0

    def shown(self, node: ast.stmt, scope: Scope) -> None:
        """A statement outside of functions."""
        self.step(node, scope)

    def body(self, statements: list[ast.stmt], scope: Scope) -> Value:
        """The statements of a function, and what it returns."""
        for statement in statements:
            if self.step(statement, scope):
                return scope.values.get(_BACK)
        return None

    def step(self, node: ast.stmt, scope: Scope) -> bool:
        """One statement; whether it ends the function."""
        self.steps += 1
        if self.steps > _MOST:
            raise Lost(node, "this takes more steps than any model here needs")
        match node:
            case ast.Return(value=value):
                scope.values[_BACK] = self.evaluate(value, scope) if value is not None else None
                return True
            case ast.If() | ast.For() | ast.With() | ast.Try():
                return self.compound(node, scope)
            case ast.While() | ast.Match():
                self._undecided(node)
            case ast.Continue() | ast.Break():
                raise Left(isinstance(node, ast.Break))
            case _:
                self._simple(node, scope)
        return False

    def _simple(self, node: ast.stmt, scope: Scope) -> None:
        match node:
            case ast.Expr(value=value):
                self.evaluate(value, scope)
            case ast.Assign(targets=targets, value=value):
                found = self.evaluate(value, scope)
                for target in targets:
                    self.bind(target, found, scope)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self.bind(target, self.evaluate(value, scope), scope)
            case ast.AugAssign(target=target, op=sign, value=value):
                left, right = self.evaluate(target, scope), self.evaluate(value, scope)
                self.bind(target, self._added(target, left, sign, right), scope)
            case ast.FunctionDef(name=name):
                scope.values[name] = Function(node, scope)
            case ast.ClassDef(name=name):
                scope.values[name] = self._class(node, scope)
            case _:
                pass

    def _added(self, node: ast.expr, left: Value, sign: ast.operator, right: Value) -> Value:
        more = items_of(right)
        if isinstance(left, list) and isinstance(sign, ast.Add) and more is not None:
            return [*left, *more]
        return self.combined(node, left, sign, right)

    def _class(self, node: ast.ClassDef, scope: Scope) -> Class:
        fields = dict[str, Value]()
        for each in node.body:
            match each:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    fields[name] = self.evaluate(value, scope)
                case ast.AnnAssign(target=ast.Name(id=name), value=value):
                    fields[name] = self.evaluate(value, scope) if value is not None else None
                case _:
                    pass
        bases = tuple(self.evaluate(base, scope) for base in node.bases)
        found = Class(node, scope, bases, fields)
        if found.method(FORWARD) is not None or found.is_container:
            self.program.found, self.program.only_layers = True, False
        return found

    # Conditions and loops

    def compound(self, node: ast.stmt, scope: Scope, top: bool = False) -> bool:
        """A condition or loop, whether outside of functions; whether it ends the function."""
        match node:
            case ast.If(test=test, body=body, orelse=other):
                try:
                    chosen = body if self.holds(test, scope) else other
                except Undecided:
                    return self._undecided(node)
                return self._block(chosen, scope, top)
            case ast.For(target=target, body=body):
                return self._loop(node, target, body, scope, top)
            case ast.With(body=body) | ast.Try(body=body):
                return self._block(body, scope, top)
            case _:
                return False

    def _block(self, statements: list[ast.stmt], scope: Scope, top: bool) -> bool:
        if not top:
            return any(self.step(statement, scope) for statement in statements)
        for statement in statements:
            self.shown(statement, scope)
        return False

    def _loop(
        self, node: ast.For, target: ast.expr, body: list[ast.stmt], scope: Scope, top: bool
    ) -> bool:
        items = items_of(self.evaluate(node.iter, scope))
        if items is None:
            return self._undecided(node)
        for item in items:
            self.bind(target, item, scope)
            try:
                if self._block(body, scope, top):
                    return True
            except Left as left:
                if left.loop:
                    break
        return False

    def _undecided(self, node: ast.stmt) -> bool:
        """A condition or loop that depends on more than the code: no harm without layers."""
        for each in ast.walk(node):
            if isinstance(each, ast.Call) and _makes_layer(each):
                raise Lost(node, _PLAIN)
        return False


def _makes_layer(node: ast.Call) -> bool:
    """Whether a call, as it is written, makes a layer or puts one onto a tensor."""
    if isinstance(node.func, ast.Call):
        return True
    try:
        path = path_of(node.func)
    except Unreadable:
        return False
    return is_layer(Call(path)) or (path.startswith("self.") and bool(node.args))
