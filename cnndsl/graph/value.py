"""Values and nodes: what a tape consists of, and what may be written on one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Dim = int | str
Dims = tuple[Dim, ...]


def times(name: str, factor: int) -> str:
    """The dimension N some times: `6*N`."""
    return name if factor == 1 else f"{factor}*{name}"


def name_of(dim: str) -> str:
    """What a dimension is some times: N, of N or `6*N`."""
    return dim.rpartition("*")[2]


def factor_of(dim: Dim) -> int:
    """How many times a dimension is its name, 6 of `6*N`; a number itself."""
    return dim if isinstance(dim, int) else int(dim.rpartition("*")[0] or 1)


@dataclass(frozen=True, eq=False, slots=True)
class Value:
    """A tensor on a tape. `dtype` is numpy's name; a dimension is an int or, for the batch, a name.

    That is "N", or "6*N" where the batch has six views of each sample.
    """

    name: str
    shape: Dims
    dtype: str

    @property
    def size(self) -> int:
        """Number of elements; every dimension must be known."""
        return prod(int(d) for d in self.shape)


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """One application of an ONNX operator, with the place in the spec that caused it."""

    op: str
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value, ...]
    attrs: dict[str, Any]
    path: str
    line: int


class Writer(Protocol):
    """What writes operators: a tape, for those that a tape itself needs."""

    @property
    def consts(self) -> "Mapping[Value, NDArray[Any]]":
        """Arrays of the constants."""
        ...

    def op(self, op: str, *inputs: Value | None, **attrs: Any) -> Value:
        """Write an operator with one output."""
        ...

    def const(self, array: "NDArray[Any] | np.generic") -> Value:
        """A constant."""
        ...

    def scalar(self, number: float, dtype: str = "float32") -> Value:
        """A constant without dimensions."""
        ...

    def ints(self, values: Iterable[int]) -> Value:
        """An int64 vector constant."""
        ...

    def reshape(self, x: Value, *shape: int) -> Value:
        """Reshape; 0 keeps a dimension and -1 is computed."""
        ...

    def sum(self, values: Sequence[Value]) -> Value:
        """The sum of one or more values."""
        ...

    def producer(self, value: Value) -> Node | None:
        """The node that makes a value; None for inputs and constants."""
        ...
