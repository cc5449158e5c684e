"""What names of a program in Python stand for, where a network is made of them."""

import ast
from dataclasses import dataclass, field
from typing import Any, cast

from cnndsl.frameworks.values import Call, Symbol, Value


class Lost(Exception):  # noqa: N818
    """A part of a program that is not followed, and why."""

    def __init__(self, node: ast.AST, message: str) -> None:
        super().__init__(message)
        self.node, self.message = node, message


def no_tensor(node: ast.AST) -> Lost:
    """The error for a tensor that is asked for, and an expression that is followed as none."""
    return Lost(
        node,
        f"`{ast.unparse(node)[:40]}` is not a tensor that can be followed; tensors are merged by "
        "`add e1`, `mul e1` or `concat e1`, with a label: `e1: conv 64 3x3`",
    )


@dataclass(frozen=True, eq=False)
class Tensor:
    """What a layer gives: the number of its line in the flow."""

    line: int


@dataclass(eq=False)
class Layers:
    """Layers one behind the other: `Sequential`, `ModuleList`."""

    members: list[Value]


@dataclass(frozen=True, eq=False)
class Network:
    """`keras.Model(inputs, outputs)`: layers that are written already, up to an output."""

    output: Tensor


@dataclass(eq=False)
class Scope:
    """The values of names in a function, and the scope around it."""

    values: dict[str, Value] = field(default_factory=dict[str, Value])
    outer: "Scope | None" = None

    def get(self, name: str) -> Value:
        """The value of a name; a Symbol where the program does not say it."""
        if name in self.values:
            return self.values[name]
        return Symbol(name) if self.outer is None else self.outer.get(name)


@dataclass(frozen=True, eq=False)
class Function:
    """A function with the scope in which it stands, and the instance whose method it is."""

    node: ast.FunctionDef | ast.Lambda
    scope: Scope
    instance: "Instance | None" = None
    owner: "Class | None" = None


@dataclass(frozen=True, eq=False)
class Partial:
    """`functools.partial(nn.Conv2d, bias=False)`."""

    function: Value
    arguments: tuple[Value, ...]
    keywords: dict[str, Value]


@dataclass(frozen=True, eq=False)
class Class:
    """A class of the program. `bases` are classes of it, or the paths of others."""

    node: ast.ClassDef
    scope: Scope
    bases: tuple[Value, ...]
    fields: dict[str, Value]
    """Values of the class; a field without one, as in a dataclass, is None."""

    def method(self, names: tuple[str, ...]) -> "tuple[ast.FunctionDef, Class] | None":
        """The first method with one of the names, and the class that has it."""
        for name in names:
            for node in self.node.body:
                if isinstance(node, ast.FunctionDef) and node.name == name:
                    return node, self
        return self.inherited(names)

    def inherited(self, names: tuple[str, ...]) -> "tuple[ast.FunctionDef, Class] | None":
        """The first such method of the classes that it is made of."""
        found = (base.method(names) for base in self.bases if isinstance(base, Class))
        return next((each for each in found if each is not None), None)

    def constant(self, name: str) -> Value:
        """A value of the class or of one that it is made of; None."""
        if name in self.fields:
            return self.fields[name]
        inherited = (base.constant(name) for base in self.bases if isinstance(base, Class))
        return next((each for each in inherited if each is not None), None)

    @property
    def is_container(self) -> bool:
        """Whether it is a `Sequential` with a name."""
        return any(
            base.is_container if isinstance(base, Class) else _named(base) in CONTAINERS
            for base in self.bases
        )


CONTAINERS = ("Sequential", "ModuleList", "OrderedDict", "ModuleDict")


def _named(base: Value) -> str:
    return base.name if isinstance(base, Symbol) else ""


@dataclass(eq=False)
class Instance:
    """An instance of a class of the program; `members` are the layers of a `Sequential`."""

    cls: Class
    attributes: dict[str, Value] = field(default_factory=dict[str, Value])
    members: list[Value] | None = None


@dataclass(frozen=True, eq=False)
class Base:
    """`super()`: an instance as the classes above one see it."""

    instance: Instance
    above: Class


@dataclass(frozen=True, eq=False)
class Method:
    """A method of a value, not called yet."""

    owner: Value
    name: str


MODELS = (Layers, Instance, Network)


def members_of(value: Value) -> list[Value]:
    """The layers in a list, in a dictionary or behind their names."""
    if isinstance(value, dict):
        return list(cast("dict[Any, Value]", value).values())
    if isinstance(value, Layers):
        return value.members
    if isinstance(value, tuple):
        parts = cast("tuple[Value, ...]", value)
        if len(parts) == 2 and isinstance(parts[0], str):  # ("conv1", nn.Conv2d(…))
            return [parts[1]]
        return [member for part in parts for member in members_of(part)]
    if isinstance(value, list):
        return [member for part in cast("list[Value]", value) for member in members_of(part)]
    return [value]


def holds_tensor(value: Value) -> bool:
    """Whether a tensor is in a value."""
    if isinstance(value, list | tuple):
        return any(map(holds_tensor, cast("tuple[Value, ...]", value)))
    return isinstance(value, Tensor) or is_input(value)


def is_input(value: Value) -> bool:
    """`keras.Input(…)`, a tensor that is written where it is used first."""
    return isinstance(value, Call) and value.name in ("Input", "InputLayer")


def as_call(
    path: str, given: list[Value], named: dict[str, Value], node: ast.Call | None = None
) -> Call:
    """A call with its values as arguments of a layer."""
    keywords = {name: as_argument(value) for name, value in named.items()}
    return Call(path, tuple(map(as_argument, given)), keywords, node)


def as_argument(value: Value) -> Value:
    """A value as the arguments of a layer have it: lists as tuples, functions by their names."""
    match value:
        case list() | tuple():
            return tuple(map(as_argument, cast("tuple[Value, ...]", value)))
        case Class(node=node):
            return Symbol(node.name)
        case Function(node=ast.FunctionDef(name=name)) | Method(name=name):
            return Symbol(name)
        case Call() | Symbol() | int() | float() | str() | None:
            return value
        case _:
            return Symbol(f"<{type(value).__name__}>.value")
