"""Python statements that build and train a network, read into a Program."""

import ast
from collections.abc import Iterator, Sequence

from cnndsl.frameworks import keras_training
from cnndsl.frameworks.arguments import NoCounterpart, NotTheirs
from cnndsl.frameworks.framework import Context, is_layer, layer
from cnndsl.frameworks.functions import MERGES, MODULES, function, is_function
from cnndsl.frameworks.keras_shapes import input_of
from cnndsl.frameworks.modules import Lost, follow, is_module
from cnndsl.frameworks.program import Program
from cnndsl.frameworks.training import setting_of
from cnndsl.frameworks.values import Call, Symbol, Unreadable, Value, call_of, parts_of

_CONTAINERS = ("Sequential", "ModuleList", "OrderedDict")
_TRAINING = ("compile", "fit")
_BUILT_IN_DATA = {"cifar10": "cifar10", "mnist": "mnist", "CIFAR10": "cifar10", "MNIST": "mnist"}
_MODELS = ("Model", "Functional")
_ROOTS = MODULES | {"layers", "K"}


def read(statements: Sequence[ast.stmt], context: Context) -> Program:
    """Everything that statements say of a network and its training."""
    program = Program()
    for statement in _flat(statements):
        _statement(statement, program, context)
    if program.classes:
        _follow_classes(program, context)
    return program


def _follow_classes(program: Program, context: Context) -> None:
    """The last class that no other one is made of."""
    inner = {
        node.id
        for name, body in program.classes.items()
        for node in ast.walk(body)
        if isinstance(node, ast.Name) and node.id != name
    }
    outer = [name for name in program.classes if name not in inner]
    name = (outer or [*program.classes])[-1]

    def layer(node: ast.expr) -> None:
        _layer_alone(node, program, context)

    try:
        made = program.made.get(name, Call(name))
        follow(name, made, program.flow, program.classes, layer)
    except Lost as lost:
        program.problems.append((lost.node, lost.message))


def _layer_alone(node: ast.expr, program: Program, context: Context) -> None:
    """A layer or a sequence of them; NotTheirs, NoCounterpart."""
    if not isinstance(node, ast.Call):
        raise NotTheirs("")
    call = _known(call_of(node), program.constants)
    if call.name not in _CONTAINERS and not is_layer(call):
        raise NotTheirs(call.path)
    _call(node, call, program, context)


def _flat(statements: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements, and those in functions and under conditions."""
    for statement in statements:
        match statement:
            case ast.FunctionDef(body=body) | ast.If(body=body) | ast.With(body=body):
                yield from _flat(body)
            case _:
                yield statement


def _statement(node: ast.stmt, program: Program, context: Context) -> None:
    match node:
        case ast.Expr(value=value):
            _expression(value, program, context)
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            _assignment(node, value, program, context)
        case ast.Return(value=ast.Call() as value):
            _expression(value, program, context)
        case ast.ClassDef(name=name) if is_module(node):
            program.classes[name] = node
            program.found, program.only_layers = True, False
        case _:
            program.only_layers = False


def _assignment(node: ast.stmt, value: ast.expr, program: Program, context: Context) -> None:
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(value, ast.Constant) and len(targets) == 1 and isinstance(targets[0], ast.Name):
        program.constants[targets[0].id] = value.value
        program.only_layers = False
        return
    own = all(isinstance(t, ast.Attribute) for t in targets)
    _expression(value, program, context)
    if len(targets) == 1 and isinstance(targets[0], ast.Name):
        program.flow.values[targets[0].id] = program.flow.here
    program.only_layers &= own or (isinstance(value, ast.Call) and isinstance(value.func, ast.Call))


def _expression(value: ast.expr, program: Program, context: Context) -> None:
    if not isinstance(value, ast.Call):
        program.only_layers = False
        return
    try:
        call = _known(call_of(value), program.constants)
        _call(value, call, program, context)
    except (NoCounterpart, NotTheirs) as error:
        program.found = True
        program.problems.append((value, str(error) if isinstance(error, NoCounterpart) else ""))
    except Unreadable:
        program.only_layers = False


def _known(call: Call, constants: dict[str, Value]) -> Call:
    """A call with the constants in the place of their names."""
    return Call(
        call.path,
        tuple(_constant(v, constants) for v in call.arguments),
        {k: _constant(v, constants) for k, v in call.keywords.items()},
    )


def _constant(value: Value, constants: dict[str, Value]) -> Value:
    if isinstance(value, Symbol):
        return constants.get(value.path, value)
    parts = parts_of(value)
    if parts is not None:
        return tuple(_constant(part, constants) for part in parts)
    return _known(value, constants) if isinstance(value, Call) else value


def _call(node: ast.Call, call: Call, program: Program, context: Context) -> None:
    owner = call.path.rpartition(".")[0]
    if call.name in _CONTAINERS:
        return _container(node, program, context)
    if call.name == "add" and owner and len(node.args) == 1 and isinstance(node.args[0], ast.Call):
        return _expression(node.args[0], program, context)
    if call.name in _TRAINING and (owner or call.keywords):
        return _training(call, program)
    if call.name == "load_data" or call.path.startswith(("datasets.", "torchvision.datasets.")):
        return _data(call, program)
    setting = setting_of(call, context)
    if setting is not None:
        return program.set(*setting.split("; "))
    if call.path in program.classes:
        program.made[call.path] = call
        return None
    if call.name in _MODELS and node.args:
        return _outputs(node, program, context)
    if _is_functional(call):
        return _functional(node, call, program, context)
    if not is_layer(call):
        program.only_layers = False
        return None
    program.found = True
    _add(node, call, program, context)


def _outputs(node: ast.Call, program: Program, context: Context) -> None:
    """`Model(inputs, outputs)`: what comes out is at hand at the end."""
    given = [*node.args[1:2], *(k.value for k in node.keywords if k.arg == "outputs")]
    program.only_layers = False
    if given and isinstance(given[0], ast.List | ast.Tuple):
        raise NoCounterpart("several outputs have names here: `output logits { … }`")
    if given:
        program.flow.go(_tensor(given[0], program, context))


def _add(node: ast.Call, call: Call, program: Program, context: Context) -> None:
    """A layer, onto what it is called on."""
    onto = _onto(node) if isinstance(node.func, ast.Call) else []
    tensors = [_tensor(each, program, context) for each in onto]
    if len(tensors) > 1 and call.name in MERGES and len({*tensors}) == len(tensors):
        program.flow.merge(MERGES[call.name], tensors)
        return
    if len(tensors) > 1:
        raise NoCounterpart("branches are merged by `add { a | b }` or `concat { a | b }`, or with "
                            "labels: `concat e1`")  # fmt: skip
    if tensors:
        program.flow.go(tensors[0])
    program.flow.apply(input_of(call) or "")
    program.flow.apply(layer(call, context))


def _onto(node: ast.Call) -> list[ast.expr]:
    """The tensors of `Add()([x, y])`, `Flatten()(x)`."""
    first = node.args[0] if node.args else None
    return first.elts if isinstance(first, ast.List | ast.Tuple) else node.args


def _tensor(node: ast.expr, program: Program, context: Context) -> int:
    """The tensor of a variable or a call; of an unknown variable, the tensor at hand."""
    if isinstance(node, ast.Call):
        _call(node, _known(call_of(node), program.constants), program, context)
    here = program.flow.here
    return program.flow.values.get(node.id, here) if isinstance(node, ast.Name) else here


def _is_functional(call: Call) -> bool:
    """`F.relu(x)`, `layers.add([x, y])`, `x.view(…)`, `self.conv1(x)`."""
    root = call.path.partition(".")[0]
    if root == "self":
        return True
    if root in _ROOTS:
        onto = call.arguments[:1] and not isinstance(call.arguments[0], int | float | str)
        merged = call.name in MERGES and call.name.islower()
        return bool(onto) and (is_function(call.name) or merged)
    return "." in call.path and call.name in ("view", "reshape", "flatten", "mean")


def _functional(node: ast.Call, call: Call, program: Program, context: Context) -> None:
    """A function of a tensor, or of several that are merged."""
    program.found = True
    root = call.path.partition(".")[0]
    if root == "self":
        raise NoCounterpart(f"`{call.path}` is a layer of another line: write it in this place")
    if call.name in MERGES:
        tensors = [_tensor(each, program, context) for each in _onto(node)]
        if len({*tensors}) < 2:
            raise NoCounterpart("tensors are merged by `add e1` or `concat e1`, with a label")
        program.flow.merge(MERGES[call.name], tensors)
        return
    method = root not in _ROOTS
    tensor = ast.Name(root) if method else node.args[0]
    program.flow.go(_tensor(tensor, program, context))
    rest = call.arguments if method else call.arguments[1:]
    program.flow.apply(function(call.path, rest, call.keywords))


def _container(node: ast.Call, program: Program, context: Context) -> None:
    program.found, program.only_layers = True, False
    for argument in node.args:
        for each in _members(argument):
            _expression(each, program, context)


def _members(node: ast.expr) -> Iterator[ast.expr]:
    """The layers in a list, in several arguments or behind their names."""
    if isinstance(node, ast.Starred):
        node = node.value
    if not isinstance(node, ast.List | ast.Tuple):
        yield node
        return
    parts = node.elts
    if len(parts) == 2 and isinstance(parts[0], ast.Constant):  # ("conv1", nn.Conv2d(…))
        yield parts[1]
        return
    for part in parts:
        yield from _members(part)


def _training(call: Call, program: Program) -> None:
    program.set(*keras_training.settings_of(call))
    given = call.keywords.get("loss", call.arguments[1] if len(call.arguments) > 1 else None)
    if call.name == "compile" and given is not None:
        program.squashed = keras_training.takes_probabilities(given)


def _data(call: Call, program: Program) -> None:
    program.found, program.only_layers = True, False
    for part in call.path.split("."):
        if part in _BUILT_IN_DATA:
            program.set(f"data {_BUILT_IN_DATA[part]}")
