"""What holds of every tape behind every pass, re-derived from the operators' own entries."""

from collections.abc import Iterator

from cnndsl.graph.ops import operator
from cnndsl.graph.ops.base import Call
from cnndsl.graph.tape import Node, Tape
from cnndsl.graph.value import Value
from cnndsl.source import counted


class InvalidTape(Exception):  # noqa: N818
    """A pass left a tape that is not a graph, or whose shapes and types are not those written."""


def verify(tape: Tape) -> None:
    """InvalidTape where a value is read before it is made, made twice, or not what it says."""
    made = set(tape.inputs)
    for value, array in tape.consts.items():
        if (value.shape, value.dtype) != (array.shape, array.dtype.name):
            raise InvalidTape(f"{_shown(value)} holds {_type(array.shape, array.dtype.name)}")
        made.add(value)
    for node in tape.nodes:
        for problem in _problems(tape, node, made):
            raise InvalidTape(f"{_place(node)}: {problem}")
        made.update(node.outputs)
    for name, value in tape.outputs.items():
        if value not in made:
            raise InvalidTape(f"output {name}: nothing makes {_shown(value)}")


def _problems(tape: Tape, node: Node, made: set[Value]) -> Iterator[str]:
    """What is wrong with a node, given the values that stand before it."""
    for value in node.inputs:
        if value is not None and value not in made:
            yield f"{_shown(value)} is read before it is made"
    for value in node.outputs:
        if value in made:
            yield f"{_shown(value)} is made twice"
    call = Call(node.inputs, node.attrs, len(node.outputs), tape.consts)
    try:
        types = operator(node.op).outputs(call)
    except (LookupError, ValueError, AssertionError) as error:
        yield f"the inputs do not fit: {error}"
        return
    if len(types) != len(node.outputs):
        yield f"{counted(len(node.outputs), 'output')}, where the operator has {len(types)}"
    for value, (shape, dtype) in zip(node.outputs, types, strict=False):
        if (value.shape, value.dtype) != (shape, dtype):
            yield f"{_shown(value)} should be {_type(shape, dtype)}"


def _place(node: Node) -> str:
    return f"{node.op} of {node.path or 'the graph'}, line {node.line}"


def _shown(value: Value) -> str:
    return f"{value.name} ({_type(value.shape, value.dtype)})"


def _type(shape: tuple[int | str, ...], dtype: str) -> str:
    return f"{'x'.join(map(str, shape)) or 'scalar'} {dtype}"
