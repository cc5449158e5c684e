"""The tape: a straight line of ONNX operators whose values all have known shapes.

Names, operators and attributes are ONNX's own; protobuf appears only in `graph.export`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cnndsl.graph.ops import operator
from cnndsl.graph.ops.base import Call
from cnndsl.graph.value import Dim, Dims, Node, Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Dim", "Dims", "Node", "Tape", "Value"]


@dataclass
class Tape:
    """Operators in the order of their writing; every input stands before its use."""

    nodes: list[Node] = field(default_factory=list[Node])
    inputs: list[Value] = field(default_factory=list[Value])
    outputs: dict[str, Value] = field(default_factory=dict[str, Value])
    consts: "dict[Value, NDArray[Any]]" = field(default_factory=dict[Value, "NDArray[Any]"])
    path: str = ""
    line: int = 0
    _producers: dict[Value, Node] = field(default_factory=dict[Value, Node])
    _taken: dict[str, int] = field(default_factory=dict[str, int])
    _pool: dict[tuple[str, tuple[int, ...], bytes], Value] = field(
        default_factory=dict[tuple[str, tuple[int, ...], bytes], Value]
    )

    def replaced(self, nodes: list[Node]) -> "Tape":
        """A tape with other nodes: same inputs, outputs and constants, and no name given twice."""
        new = replace(
            self, nodes=[], inputs=self.inputs[:], outputs=dict(self.outputs),
            consts=dict(self.consts), _producers={}, _taken=dict(self._taken),
            _pool=dict(self._pool),
        )  # fmt: skip
        for node in nodes:
            new.keep(node)
        return new

    def parted(self, values: Iterable[Value]) -> tuple[list[Node], list[Node]]:
        """The nodes that need none of the values, and those that do."""
        reached, apart, behind = set(values), list[Node](), list[Node]()
        for node in self.nodes:
            if reached.isdisjoint(node.inputs):
                apart.append(node)
            else:
                behind.append(node)
                reached.update(node.outputs)
        return apart, behind

    def name(self, base: str) -> str:
        """A name that nothing on this tape has yet."""
        count = self._taken.get(base, 0)
        self._taken[base] = count + 1
        return f"{base}_{count}" if count else base

    def input(self, name: str, shape: Dims, dtype: str = "float32") -> Value:
        """Declare a graph input."""
        value = Value(self.name(name), shape, dtype)
        self.inputs.append(value)
        return value

    def const(self, array: "NDArray[Any] | np.generic", name: str | None = None) -> Value:
        """A constant; equal anonymous ones are stored once."""
        import numpy as np

        array = np.asarray(array)
        if name is not None:
            return self._store(array, name)
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self._pool:
            self._pool[key] = self._store(array, "const")
        return self._pool[key]

    def is_anonymous(self, value: Value) -> bool:
        """Whether it is a constant without a name: those have a layer's path before a dot."""
        return value in self.consts and "." not in value.name

    def _store(self, array: "NDArray[Any]", name: str) -> Value:
        value = Value(self.name(name), array.shape, array.dtype.name)
        self.consts[value] = array
        return value

    def ints(self, values: Iterable[int]) -> Value:
        """An int64 vector constant: axes, shapes, pads."""
        import numpy as np

        return self.const(np.array(list(values), np.int64))

    def scalar(self, number: float, dtype: str = "float32") -> Value:
        """A constant without dimensions."""
        import numpy as np

        return self.const(np.array(number, dtype))

    def scalars(self, numbers: Sequence[float], dtype: str = "float32") -> Value:
        """A constant of one dimension."""
        import numpy as np

        return self.const(np.array(numbers, dtype))

    def ops(self, op: str, *inputs: Value | None, results: int = 1, **attrs: Any) -> list[Value]:
        """Write an operator; returns all its outputs."""
        made = operator(op).outputs(Call(inputs, attrs, results, self.consts))
        base = f"{self.path or 'graph'}/{op}"
        name = self.name(base)
        outputs = tuple(
            Value(name if not i else f"{name}:{i}", shape, dtype)
            for i, (shape, dtype) in enumerate(made)
        )
        self.keep(Node(op, inputs, outputs, attrs, self.path, self.line))
        return list(outputs)

    def keep(self, node: Node) -> None:
        """Append a node as it is."""
        self.nodes.append(node)
        self._producers.update(dict.fromkeys(node.outputs, node))

    def producer(self, value: Value) -> Node | None:
        """The node that makes a value; None for inputs and constants."""
        return self._producers.get(value)

    def op(self, op: str, *inputs: Value | None, **attrs: Any) -> Value:
        """Write an operator with one output."""
        return self.ops(op, *inputs, **attrs)[0]

    def sum(self, values: Sequence[Value]) -> Value:
        """The sum of one or more values, by Adds: onnxruntime's Sum is slower."""
        summed = values[0]
        for value in values[1:]:
            summed = self.op("Add", summed, value)
        return summed

    def reshape(self, x: Value, *shape: int) -> Value:
        """Reshape; 0 keeps a dimension and -1 is computed, as in ONNX."""
        return self.op("Reshape", x, self.ints(shape))
