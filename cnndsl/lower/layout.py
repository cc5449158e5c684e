"""How a parameter is stored in a training step: the layout that its product wants.

ONNX's layout stays the layout of files and checkpoints; only the state inside the step differs, so
that no step has to transpose a weight.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnndsl.graph.tape import Tape, Value


@dataclass(frozen=True)
class Layout:
    """Read as `split`, axes permuted, read as `stored`."""

    shape: tuple[int, ...]
    split: tuple[int, ...]
    perm: tuple[int, ...]
    stored: tuple[int, ...]

    def store(self, array: "NDArray[Any]") -> "NDArray[Any]":
        """From ONNX's layout to the step's."""
        moved = array.reshape(self.split).transpose(self.perm)
        return np.ascontiguousarray(moved).reshape(self.stored)

    def restore(self, array: "NDArray[Any]") -> "NDArray[Any]":
        """From the step's layout to ONNX's."""
        moved = array.reshape([self.split[i] for i in self.perm])
        back = moved.transpose([int(i) for i in np.argsort(self.perm)])
        return np.ascontiguousarray(back).reshape(self.shape)

    def stored_by(self, tape: "Tape", value: "Value") -> "Value":
        """`store`, written as operators."""
        split = tape.reshape(value, *self.split)
        return tape.reshape(tape.op("Transpose", split, perm=self.perm), *self.stored)

    def restored_by(self, tape: "Tape", value: "Value") -> "Value":
        """`restore`, written as operators."""
        moved = tape.reshape(value, *(self.split[i] for i in self.perm))
        inverse = tuple(int(i) for i in np.argsort(self.perm))
        return tape.reshape(tape.op("Transpose", moved, perm=inverse), *self.shape)


def as_it_is(shape: tuple[int, ...]) -> Layout:
    """No change."""
    return Layout(shape, shape, tuple(range(len(shape))), shape)
