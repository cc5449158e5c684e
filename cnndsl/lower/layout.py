"""How a parameter is packed in a lowered graph: the layout that its product wants.

ONNX's layout stays the layout of files and checkpoints; only the values inside the graph differ, so
that no run has to transpose a weight.
"""

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnndsl.graph.tape import Tape, Value


@dataclass(frozen=True)
class Layout:
    """Read ONNX's `shape` as `split`, permute the axes by `perm`, read the result as `packed`."""

    shape: tuple[int, ...]
    split: tuple[int, ...]
    perm: tuple[int, ...]
    packed: tuple[int, ...]

    def to_packed(self, array: "NDArray[Any]") -> "NDArray[Any]":
        """From ONNX's layout to the graph's."""
        moved = array.reshape(self.split).transpose(self.perm)
        return np.ascontiguousarray(moved).reshape(self.packed)

    def from_packed(self, array: "NDArray[Any]") -> "NDArray[Any]":
        """From the graph's layout to ONNX's."""
        moved = array.reshape([self.split[i] for i in self.perm])
        back = moved.transpose([int(i) for i in np.argsort(self.perm)])
        return np.ascontiguousarray(back).reshape(self.shape)

    def axes_of(self, axis: int) -> tuple[int, ...]:
        """Where an axis of ONNX's `shape` is behind `perm`: one axis, or several that it was split
        into.
        """
        step, size = prod(self.shape[axis + 1 :]), self.shape[axis]
        steps = [prod(self.split[i + 1 :]) for i in range(len(self.split))]
        own = {
            i for i, each in enumerate(self.split)
            if each > 1 and step <= steps[i] and steps[i] * each <= step * size
        }  # fmt: skip
        assert prod(self.split[i] for i in own) == size, f"axis {axis} of {self} is mixed"
        return tuple(at for at, i in enumerate(self.perm) if i in own)

    def write_to_packed(self, tape: "Tape", value: "Value") -> "Value":
        """`to_packed`, written as operators."""
        split = tape.reshape(value, *self.split)
        return tape.reshape(tape.op("Transpose", split, perm=self.perm), *self.packed)

    def write_from_packed(self, tape: "Tape", value: "Value") -> "Value":
        """`from_packed`, written as operators."""
        moved = tape.reshape(value, *(self.split[i] for i in self.perm))
        inverse = tuple(int(i) for i in np.argsort(self.perm))
        return tape.reshape(tape.op("Transpose", moved, perm=inverse), *self.shape)


def onnx_layout(shape: tuple[int, ...]) -> Layout:
    """ONNX's own layout: nothing is permuted."""
    return Layout(shape, shape, tuple(range(len(shape))), shape)
