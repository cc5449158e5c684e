"""A graph as a listing: every operator with its type, under the layer and the line it is of."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from cnndsl.shapes import show

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnndsl.graph.tape import Node, Tape, Value

_NAME, _TYPE = 22, 18  # columns; what is longer moves the rest of its line
_SHOWN = 8  # numbers of a constant that are written out


def listing(tape: "Tape", results: "Mapping[str, Value]", origins: Mapping[str, str]) -> str:
    """The graph as text, the same for the same graph.

    `results` are values by the names that later passes know them by; `origins` say for the path of
    a layer where it comes from. An operator is called by its layer's path and its own name, as in
    the ONNX file; within its layer by its own name alone.
    """
    read = {value for node in tape.nodes for value in node.inputs}
    weights = [value for value in tape.consts if value in read and not tape.is_anonymous(value)]
    blocks = [
        _block("inputs", [_row(v.name, v) for v in tape.inputs]),
        _block("weights", [_row(v.name, v) for v in weights]),
        *_layers(tape, origins),
        _block("outputs", [_row(name, v, v.name) for name, v in results.items()]),
    ]
    return "\n\n".join(filter(None, blocks))


def _block(title: str, rows: Sequence[str]) -> str:
    return "\n".join([title, *(f"  {row}".rstrip() for row in rows)]) if rows else ""


def _layers(tape: "Tape", origins: Mapping[str, str]) -> Iterator[str]:
    """Operators in a row that are of the same layer are a block."""
    for path, nodes in groupby(tape.nodes, lambda node: node.path):
        origin = origins.get(path.removesuffix(".grad"), "")
        title = f"{path or 'graph':<{_NAME + 2}}{origin}".rstrip()
        yield _block(title, [row for node in nodes for row in _node(tape, node, path or "graph")])


def _node(tape: "Tape", node: "Node", path: str) -> Iterator[str]:
    inputs = ["-" if v is None else _argument(tape, v, path) for v in node.inputs]
    attrs = [f"{key}={_text(node.attrs[key])}" for key in sorted(node.attrs)]
    call = f"{node.op}({', '.join([*inputs, *attrs])})"
    for i, value in enumerate(node.outputs):
        yield _row(_local(value.name, path), value, "" if i else f"= {call}")


def _row(name: str, value: "Value", rest: str = "") -> str:
    kind = "x".join(map(str, value.shape)) or "scalar"
    kind += "" if value.dtype == "float32" else f" {value.dtype}"
    return f"{name:<{_NAME}}  {kind:<{_TYPE}}  {rest}"


def _argument(tape: "Tape", value: "Value", path: str) -> str:
    if not tape.is_anonymous(value):
        return _local(value.name, path)
    array = tape.consts[value]
    if array.size == 1 or (array.size <= _SHOWN and array.ndim == 1):
        return _numbers(array)
    return f"{value.name}[{show(array.shape)}]"


def _numbers(array: "NDArray[Any]") -> str:
    """A small constant, written out."""
    numbers = [f"{n:.6g}" for n in array.reshape(-1).tolist()]
    return f"[{', '.join(numbers)}]" if array.ndim == 1 else numbers[0]


def _local(name: str, path: str) -> str:
    return name.removeprefix(f"{path}/")


def _text(attribute: Any) -> str:
    if isinstance(attribute, tuple):
        return f"({', '.join(map(str, attribute))})"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return str(attribute)
