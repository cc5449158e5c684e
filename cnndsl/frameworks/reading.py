"""Statements of Python that build and train a network, followed into a Program, never run."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cnndsl.frameworks.arguments import NoCounterpart, NotTheirs
from cnndsl.frameworks.calls import FORWARD
from cnndsl.frameworks.flow import NOWHERE, START
from cnndsl.frameworks.framework import Context, is_layer
from cnndsl.frameworks.objects import (
    MODELS,
    Class,
    Function,
    Instance,
    Layers,
    Lost,
    Network,
    Scope,
    Tensor,
)
from cnndsl.frameworks.program import Program
from cnndsl.frameworks.statements import Left, Statements
from cnndsl.frameworks.values import Call, Value


def read(statements: Sequence[ast.stmt], context: Context) -> Program:
    """Everything that statements say of a network and its training."""
    reader = Reader(context)
    scope = Scope()
    for statement in statements:
        reader.top(statement, scope)
    reader.finish(scope)
    return reader.program


@dataclass
class Reader(Statements):
    """Follows a program, and finds the network that it makes."""

    def top(self, node: ast.stmt, scope: Scope) -> None:
        """A statement of the program; what cannot be followed is noted."""
        try:
            self.shown(node, scope)
        except Lost as lost:
            self.program.refuse(lost.node, lost.message)
        except NoCounterpart as error:
            self.program.refuse(_value(node), str(error))
        except NotTheirs:
            self.program.refuse(_value(node), "")
        except Left:
            pass

    def shown(self, node: ast.stmt, scope: Scope) -> None:
        """A statement outside of functions: a layer by itself is a part of the network."""
        match node:
            case ast.Expr(value=ast.Call() as value):
                self._given(self.evaluate(value, scope), value)
            case ast.Assign(targets=[target], value=ast.Call() as value):
                found = self.evaluate(value, scope)
                self._named(target, found, value)
                self.bind(target, found, scope)
            case ast.Return(value=ast.Call() as value):
                self._given(self.evaluate(value, scope), value)
            case ast.If() | ast.For() | ast.With() | ast.Try():
                self.program.only_layers = False
                self.compound(node, scope, top=True)
            case _:
                self.program.only_layers = False
                self.step(node, scope)

    def _given(self, value: Value, node: ast.expr) -> None:
        """What a statement gives without a name: a layer by itself is one of the network."""
        if isinstance(value, Call) and is_layer(value):
            self.apply(value, self.program.flow.here, node)
        elif isinstance(value, MODELS):
            self.program.models.append(value)
        elif not isinstance(value, Tensor):
            self.program.only_layers = False

    def _named(self, target: ast.expr, value: Value, node: ast.Call) -> None:
        """A layer or a model with a name."""
        own = isinstance(target, ast.Attribute)
        self.program.only_layers &= (
            own or isinstance(node.func, ast.Call) or (isinstance(value, Tensor))
        )
        if isinstance(value, MODELS):
            self.program.models.append(value)
        elif isinstance(value, Call) and is_layer(value) and own:
            self.apply(value, self.program.flow.here, node)
        elif isinstance(value, Call) and is_layer(value):
            self.program.loose.append(value)

    # The network

    def finish(self, scope: Scope) -> None:
        """Write the network that the program makes, where no statement has written it."""
        program = self.program
        try:
            if not program.problems or not program.begun:
                self._finish(scope)
        except Lost as lost:
            program.refuse(lost.node, lost.message)
        except NoCounterpart as error:
            program.refuse(NOWHERE, str(error))
        except (NotTheirs, Left):
            program.refuse(NOWHERE, "")

    def _finish(self, scope: Scope) -> None:
        program = self.program
        root = program.trained or self._outermost()
        if isinstance(root, Network):
            program.flow.go(root.output.line)
        elif program.begun:
            return
        elif root is not None:
            self._write(root, self._place(root))
        elif not self._build(scope):
            for call in program.loose:
                if id(call) not in program.used:
                    self.apply(call, program.flow.here, call.node or NOWHERE)

    def _write(self, root: Value, node: ast.AST) -> None:
        self.program.flow.go(self.apply(root, START, node))

    def _outermost(self) -> Value:
        """The last model that is no part of another one."""
        inner = set(self.program.used)
        for model in self.program.models:
            if isinstance(model, Instance):
                inner |= {id(value) for value in model.attributes.values()}
        free = [model for model in self.program.models if id(model) not in inner]
        return free[-1] if free else None

    def _place(self, root: Value) -> ast.AST:
        return root.cls.node if isinstance(root, Instance) else NOWHERE

    def _build(self, scope: Scope) -> bool:
        """Call the last function, or make the last class, that nothing uses."""
        values = [v for v in scope.values.values() if isinstance(v, Class | Function)]
        inner = {n.id for v in values for n in ast.walk(v.node) if isinstance(n, ast.Name)}
        free = [v for v in values if _name_of(v) not in inner] or values
        classes = [v for v in free if isinstance(v, Class) and _is_module(v)]
        functions = [v for v in free if isinstance(v, Function) and id(v) not in self.program.used]
        if functions:
            return self._call(functions[-1])
        if classes:
            found: Any = self.call(classes[-1], [], {}, ast.Call(ast.Name("_"), [], []))
            self._write(found, classes[-1].node)
        return bool(classes)

    def _call(self, function: Function) -> bool:
        """A function that builds a model or changes a tensor."""
        found = self.invoked(function, [], {}, function.node)
        if isinstance(found, Network):
            self.program.flow.go(found.output.line)
        elif isinstance(found, Layers | Instance) and not self.program.begun:
            self._write(found, function.node)
        elif isinstance(found, Tensor):
            self.program.flow.go(found.line)
        return self.program.begun


def _is_module(cls: Class) -> bool:
    return cls.is_container or cls.method(FORWARD) is not None


def _name_of(value: Class | Function) -> str:
    return "" if isinstance(value.node, ast.Lambda) else value.node.name


def _value(node: ast.stmt) -> ast.AST:
    """The part of a statement that an error is said of."""
    match node:
        case (
            ast.Expr(value=value) | ast.Assign(value=value) | ast.Return(value=ast.expr() as value)
        ):
            return value
        case _:
            return node
