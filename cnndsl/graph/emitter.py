"""What a layer writes with: a tape, the layer's own parameters, and the mode."""

from abc import ABC, abstractmethod
from typing import Any

from cnndsl.graph.tape import Tape, Value


class Emitter(ABC):
    """Gives a layer its parameters by name and takes back what changes them.

    `training` is true where batch statistics and random masks are wanted.
    """

    def __init__(self, tape: Tape, training: bool = False, dtype: str = "float32") -> None:
        self.tape = tape
        self.training = training
        self.dtype = dtype

    @abstractmethod
    def param(self, name: str) -> Value:
        """The current layer's parameter, such as `weight`."""

    @property
    def drops(self) -> bool:
        """Whether the current layer is to drop at random, if it does so in training."""
        return self.training

    def is_frozen(self, name: str) -> bool:
        """Whether the current layer's parameter is a constant though the mode is training."""
        return False

    def update(self, name: str, value: Value) -> None:
        """Make `value` the parameter's value after the step (batch statistics)."""
        raise NotImplementedError(f"{name}: an inference graph has no state")

    def uniform(self, *shape: int | str) -> Value:
        """Uniform numbers in [0, 1), drawn by the host anew for each step."""
        raise NotImplementedError("an inference graph has no randomness")

    def op(self, op: str, *inputs: Value | None, **attrs: Any) -> Value:
        """Write an operator with one output."""
        return self.tape.op(op, *inputs, **attrs)

    def ints(self, *values: int) -> Value:
        """An int64 vector constant."""
        return self.tape.ints(values)

    def scalar(self, number: float) -> Value:
        """A constant without dimensions, of the graph's type."""
        return self.tape.scalar(number, self.dtype)
