"""Python statements that build and train a network, in our words."""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cnndsl.frameworks import keras_training, torch_training
from cnndsl.frameworks.arguments import NoCounterpart, NotTheirs
from cnndsl.frameworks.framework import KERAS, Context, is_layer, layer
from cnndsl.frameworks.keras_shapes import input_of
from cnndsl.frameworks.values import Call, Symbol, Unreadable, Value, call_of, parts_of, value_of

_CONTAINERS = ("Sequential", "ModuleList", "OrderedDict")
_TRAINING = ("compile", "fit")
_BUILT_IN_DATA = {"cifar10": "cifar10", "mnist": "mnist", "CIFAR10": "cifar10", "MNIST": "mnist"}


@dataclass
class Program:
    """What statements say: layers line by line, settings, and what cannot be said here."""

    layers: list[str] = field(default_factory=list[str])
    settings: dict[str, str] = field(default_factory=dict[str, str])
    problems: list[tuple[ast.AST, str]] = field(default_factory=list[tuple[ast.AST, str]])
    constants: dict[str, Value] = field(default_factory=dict[str, Value])
    squashed: bool = False  # whether the loss is of probabilities
    only_layers: bool = True  # whether each statement is a layer, and nothing around them
    found: bool = False  # whether anything here is of a framework

    def set(self, text: str) -> None:
        """Take a setting, `optimizer adam lr=0.1`."""
        self.settings[text.split()[0]] = text
        self.found, self.only_layers = True, False

    def lines(self) -> list[str]:
        """The statements, `train { … }` last."""
        shown = _with_default(self._plain_end())
        if not self.settings:
            return shown
        order = ("data", "epochs", "batch", "loss", "optimizer", "schedule")
        known = sorted(self.settings, key=lambda s: order.index(s) if s in order else len(order))
        return [*shown, "train {", *(f"  {self.settings[name]}" for name in known), "}"]

    def _plain_end(self) -> list[str]:
        """The layers; without a last softmax that the loss contains here."""
        if not (self.layers and self.squashed):
            return self.layers
        last = re.sub(r"(^| )(softmax|sigmoid)\b", "", self.layers[-1])
        return [*self.layers[:-1], *([last] if last else [])]


def _with_default(lines: list[str]) -> list[str]:
    """A framework's initialiser said once a word, where all of several lines share it."""
    said = list[str]()
    for word in ("conv", "dense"):
        theirs = [line for line in lines if line.startswith(f"{word} ")]
        inits = {text for line in theirs for text in re.findall(r" init=\w+", line)}
        if len(theirs) > 1 and len(inits) == 1 and all(" init=" in line for line in theirs):
            (text,) = inits
            said.append(f"default {word}{text}")
            lines = [line.replace(text, "") if line in theirs else line for line in lines]
    inputs = 1 if lines and lines[0].startswith("input ") else 0
    return [*lines[:inputs], *said, *lines[inputs:]]


def read(statements: Sequence[ast.stmt], context: Context) -> Program:
    """Everything that statements say of a network and its training."""
    program = Program()
    for statement in _flat(statements):
        _statement(statement, program, context)
    return program


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
        case ast.ClassDef():
            message = "a module is written as the list of its layers, `forward` is their order"
            program.problems.append((node, message))
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
        call.onto,
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
    setting = _setting(call, context)
    if setting is not None:
        return [program.set(part) for part in setting.split("; ")].clear()
    if not is_layer(call):
        program.only_layers = False
        return None
    program.found = True
    _add(call, program, context)


def _add(call: Call, program: Program, context: Context) -> None:
    _check_chain(call)
    shape = input_of(call)
    if shape is not None:
        program.layers.append(shape)
    text = layer(call, context)
    program.layers += [text] if text else []


def _check_chain(call: Call) -> None:
    """A Keras layer that is called on several tensors merges them."""
    if call.onto is not None and len(call.onto) > 1:
        raise NoCounterpart("branches are merged by `add { a | b }` or `concat { a | b }`, or with "
                            "labels: `concat e1`")  # fmt: skip


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
    for text in keras_training.settings_of(call):
        program.set(text)
    given = call.keywords.get("loss", call.arguments[1] if len(call.arguments) > 1 else None)
    if call.name == "compile" and given is not None:
        program.squashed = keras_training.takes_probabilities(given)


def _data(call: Call, program: Program) -> None:
    program.found, program.only_layers = True, False
    for part in call.path.split("."):
        if part in _BUILT_IN_DATA:
            program.set(f"data {_BUILT_IN_DATA[part]}")


def _setting(call: Call, context: Context) -> str | None:
    """The setting of an optimizer, a loss, a scheduler or a callback by itself."""
    modules = call.path.split(".")[:-1]
    theirs = call.name in keras_training.OPTIMIZERS and call.name in torch_training.OPTIMIZERS
    first = call.arguments[0] if call.arguments else call.keywords.get("params")
    has_params = "params" in call.keywords or isinstance(first, Call | Symbol | tuple)
    if "optim" in modules or (has_params and theirs):
        return torch_training.setting(call)
    if call.name in keras_training.OPTIMIZERS:
        return keras_training.optimizer(call)
    if call.name in keras_training.LOSSES:
        return keras_training.loss(call)
    if call.name in keras_training.CALLBACKS and context.frameworks == (KERAS,):
        return keras_training.CALLBACKS.written(call)
    return torch_training.setting(call)


def named_value(kind: str, expr: ast.expr, context: Context) -> str:
    """`optimizer Adam(1e-3)`, as a section may have it: a setting's name and a call."""
    value = value_of(expr)
    if not isinstance(value, Call):
        raise Unreadable
    text = _setting(value, context)
    if text is None or text.split()[0] != kind:
        raise NotTheirs(value.name)
    return text
