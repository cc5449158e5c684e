"""Layers, functions and models put onto tensors: each becomes a line of the flow."""

import ast
import re
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field

from cnndsl.frameworks import keras_training
from cnndsl.frameworks.arguments import NoCounterpart, NotTheirs
from cnndsl.frameworks.arriving import arriving
from cnndsl.frameworks.expressions import Expressions, items_of
from cnndsl.frameworks.flow import NOWHERE, START
from cnndsl.frameworks.framework import Context, layer
from cnndsl.frameworks.functions import MERGES, function, is_function
from cnndsl.frameworks.keras_shapes import input_of
from cnndsl.frameworks.objects import (
    Function,
    Instance,
    Layers,
    Lost,
    Network,
    Tensor,
    as_argument,
    is_input,
    no_tensor,
)
from cnndsl.frameworks.program import Program
from cnndsl.frameworks.region import UNSAID
from cnndsl.frameworks.values import Call, Symbol, Value, parts_of
from cnndsl.layers import vocabulary

LONGEST = 5_000  # lines
_LEARNED = ("conv", "dwconv", "upconv", "dense", "bn", "ln", "gn", "in", "prelu")
SILENT = ("log_softmax", "contiguous", "float", "to", "detach", "clone", "cuda", "type", "squeeze")
_LOGARITHM = "`log_softmax` is left out: `loss cross_entropy` contains it"
_NAME = re.compile(r"[A-Za-z_]\w*")
_MERGED = (
    "branches are merged by `add { a | b }` or `concat { a | b }`, or with labels: `concat e1`"
)


@dataclass
class Applying(Expressions):
    """Writes what becomes of tensors onto the flow of a program."""

    context: Context
    program: Program = field(default_factory=Program)
    inputs: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    """Tensors of `keras.Input(…)` calls, by the identity of these."""
    written: dict[int, Call] = field(default_factory=dict[int, Call])
    """Layers that are in the flow, by their identity."""

    @abstractmethod
    def invoked(
        self, function: Function, given: list[Value], named: dict[str, Value], node: ast.AST
    ) -> Value:
        """What a function of the program returns."""

    @abstractmethod
    def forward(self, model: Instance, given: list[Value], named: dict[str, Value],
                node: ast.AST) -> Value:  # fmt: skip
        """What an instance gives when it is called."""

    def tensor(self, value: Value, node: ast.AST) -> int:
        """The tensor of a value; of a name that the program does not know, the one at hand."""
        match value:
            case Tensor(line):
                return line
            case Network(output=output):
                return output.line
            case Symbol(path) if "<" not in path:
                return self.program.flow.here
            case Call() if is_input(value):
                return self._input(value).line
            case _:
                raise no_tensor(node)

    def _input(self, call: Call) -> Tensor:
        """The tensor of `keras.Input(…)`, written where it is used first."""
        if id(call) not in self.inputs:
            if self.program.begun:
                raise Lost(call.node or NOWHERE, "a network has one input here")
            self.program.use(call)
            self.inputs[id(call)] = Tensor(self.write(call, [START], call.node or NOWHERE))
        return self.inputs[id(call)]

    def merged(self, node: ast.AST, word: str, pair: list[Value]) -> Tensor:
        """The sum, product or concatenation of tensors."""
        tensors = [self.tensor(each, node) for each in pair]
        if len(tensors) == 1:
            return Tensor(tensors[0])
        if len({*tensors}) < len(tensors):
            twice = "tensors are merged by `add e1` or `concat e1`, with a label; a tensor with "
            raise Lost(node, twice + "itself is nearest to `scale 2`")
        return Tensor(self.program.flow.merge(word, tensors, node))

    def apply(self, value: Value, x: int, node: ast.AST) -> int:
        """Any value that can be called, on a tensor."""
        if len(self.program.flow.lines) > LONGEST:
            raise Lost(node, "this gives more lines than any model here has")
        self.program.use(value)
        match value:
            case Call():
                return self.write(value, [x], node)
            case Layers(members=members):
                for member in members:
                    x = self.apply(member, x, node)
                return x
            case Instance():
                return self.tensor(self.forward(value, [Tensor(x)], {}, node), node)
            case Function():
                return self.tensor(self.invoked(value, [Tensor(x)], {}, node), node)
            case Symbol(path):
                return self._by_path(path, x, node)
            case _:
                raise Lost(node, f"`{ast.unparse(node)[:40]}` is not a layer that is known here")

    def _by_path(self, path: str, x: int, node: ast.AST) -> int:
        """`jax.nn.relu` without its call, in a sequence."""
        if not is_function(path.rpartition(".")[2]):
            shown = path.rpartition(">.")[2]
            if not self.program.problems:  # else what it stands for has one
                self.program.refuse(node, f"`{shown}` has no counterpart that is known here")
            return x
        return self.function(path, x, (), {}, node)

    def write(self, call: Call, tensors: list[int], node: ast.AST) -> int:
        """The line of a layer; what has no counterpart is noted, and the tensor stays."""
        program, flow = self.program, self.program.flow
        program.found = True
        flow.go(tensors[0])
        try:
            if len(tensors) > 1:
                raise NoCounterpart(_MERGED)
            if (given := input_of(call)) and flow.here == START:
                flow.apply(given, call.node)
            if call.name == "LogSoftmax":
                flow.notes.add(_LOGARITHM)
                return flow.here
            if call.name in keras_training.AUGMENTATIONS:
                program.augment(keras_training.AUGMENTATIONS.written(call))
                return flow.here
            text = self._known(layer(call, self.context), call)
            self._once(call, text, node)
        except NotTheirs:
            program.refuse(call.node or node, "")
            return flow.here
        except NoCounterpart as error:
            program.refuse(call.node or node, str(error))
            return flow.here
        if text.startswith("input ") and flow.here != START:
            return flow.here
        return flow.apply(text, call.node or node, arriving(call))

    def _known(self, text: str, call: Call) -> str:
        """A layer in our words, in which all names are of the spec; NoCounterpart."""
        symbols = _names_in((*call.arguments, *call.keywords.values()))
        names = (set(_NAME.findall(text)) & symbols) - vocabulary().keys() - self.context.names
        for name in sorted(names):
            raise NoCounterpart(f"{UNSAID} `{name}` is: write its value in its place")
        return text

    def _once(self, call: Call, text: str, node: ast.AST) -> None:
        """Lost, where weights would be shared."""
        if id(call) in self.written and text.split()[:1] and text.split()[0] in _LEARNED:
            shown = ast.unparse(node)[:40]
            raise Lost(node, f"`{shown}` is called twice: layers here share no weights")
        self.written[id(call)] = call

    def function(
        self, path: str, x: int, given: tuple[Value, ...], named: dict[str, Value], node: ast.AST
    ) -> int:
        """`F.relu(x)`, `x.view(…)`."""
        self.program.found = True
        name = path.rpartition(".")[2]
        if name in SILENT:
            self.program.flow.notes |= {_LOGARITHM} if name == "log_softmax" else set()
            return x
        self.program.flow.go(x)
        values = tuple(map(as_argument, given))
        try:
            text = function(path, values, {k: as_argument(v) for k, v in named.items()})
        except NotTheirs as error:
            raise Lost(node, f"`{path}` has no argument `{error}` that is known here") from None
        except NoCounterpart as error:
            raise Lost(node, str(error)) from None
        return self.program.flow.apply(text, node)

    def put(self, call: Call, given: list[Value], node: ast.AST) -> Tensor:
        """`Flatten()(x)`, `Add()([x, y])`."""
        first = given[0] if given else Symbol("x")
        values = items_of(first) or [first]
        if call.name in MERGES and len(values) > 1:
            return self.merged_calls(node, MERGES[call.name], values)
        return Tensor(self.write(call, [self.tensor(value, node) for value in values], node))

    def merged_calls(self, node: ast.AST, word: str, values: list[Value]) -> Tensor:
        """The values of a merge that stands as a call."""
        self.program.found = True
        return self.merged(node, word, values)


def _names_in(values: Iterable[Value]) -> set[str]:
    """The names in the arguments of a call, parts of formulas included."""
    found = set[str]()
    for value in values:
        match value:
            case Symbol(path):
                found |= set(_NAME.findall(path.rpartition(".")[2] if "<" in path else path))
            case Call(arguments=arguments, keywords=keywords):
                found |= _names_in((*arguments, *keywords.values()))
            case tuple():
                found |= _names_in(parts_of(value) or ())
            case _:
                pass
    return found
