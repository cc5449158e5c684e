"""A foreign ONNX graph as plain values: operators, constants, shapes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from cnndsl.source import UserError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Array = NDArray[Any]
LAST, FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
"""Permutations of images: to channels last, and back to channels first."""


@dataclass(frozen=True)
class Op:
    """An operator. Inputs that are left out are ''."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Any]

    @property
    def output(self) -> str:
        """The first output, the only one of all but a few operators."""
        return self.outputs[0]

    def refuse(self, why: str) -> NoReturn:
        """UserError that names the operator."""
        raise UserError(f"`{self.name[:80]}` ({self.kind}): {why}")


@dataclass
class Graph:
    """Operators in order; whatever depends on constants and shapes only is a constant."""

    ops: list[Op]
    constants: dict[str, Array]
    shapes: dict[str, tuple[int, ...]]
    input: str
    outputs: list[str]
    room: int
    """Elements that computed constants may still have."""

    uint8: bool = False
    """Whether the file takes uint8 images; the scaling behind is not in a spec."""
    notes: list[str] = field(default_factory=list[str])
    """What of the file a spec does not say."""

    def drop_unread(self) -> None:
        """Leave out operators, and results of operators, that no output needs."""
        needed, kept = set(self.outputs), list[Op]()
        for op in reversed(self.ops):
            if not needed.isdisjoint(op.outputs):
                more = tuple(name if name in needed else "" for name in op.outputs[1:])
                kept.append(replace(op, outputs=(op.output, *more)))
                needed.update(op.inputs)
        self.ops[:] = kept[::-1]

    @property
    def makers(self) -> dict[str, Op]:
        """The operators by what they give, as they are now."""
        return {name: op for op in self.ops for name in op.outputs}

    @property
    def batch(self) -> int:
        """Samples of a batch in `shapes`."""
        return self.shapes[self.input][0]


def initializers(model: "ModelProto") -> dict[str, Array]:
    """The constants of a model, by name; float16 as float32."""
    import onnx

    to_array = cast(Any, onnx).numpy_helper.to_array
    arrays = {t.name: to_array(t) for t in model.graph.initializer}
    return {k: a.astype(np.float32) if a.dtype == np.float16 else a for k, a in arrays.items()}


def op_of(node: "NodeProto") -> Op:
    """A node with attributes as plain values; one without a name has that of its output."""
    import onnx

    value = cast(Any, onnx).helper.get_attribute_value
    attrs = {a.name: _plain(value(a)) for a in node.attribute}
    name = node.name or node.output[0]
    return Op(node.op_type, name, tuple(node.input), tuple(node.output), attrs)


def _plain(value: Any) -> Any:
    """Text as str, lists as tuples, float32 as the shortest number that means it."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):
        return shortest(value)
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


def shortest(value: float) -> float:
    """0.1 for the float32 nearest to it."""
    return float(str(np.float32(value)))
