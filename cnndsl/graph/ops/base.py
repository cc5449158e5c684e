"""What an entry of an operator consists of, and the shapes that many operators share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Flag, auto
from typing import TYPE_CHECKING, Any

from cnndsl.graph.ops.grad import Rule
from cnndsl.graph.value import Dims, Value

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Trait(Flag):
    """What passes ask of an operator."""

    NONE = 0
    ELEMENTWISE = auto()
    """Element i of the output reads element i of each input: it works in every layout."""
    MONOTONE = auto()
    """Never falls where the input rises, given an `alpha` of at least 0: it commutes with max."""
    BROADCASTS = auto()
    """Inputs of any shapes meet by NumPy's rules; gradients are summed back to each shape."""
    IN_PLACE = auto()
    """onnxruntime writes the output over an input that nobody else reads."""
    VIEW = auto()
    """onnxruntime gives the input itself in another shape, without a copy."""
    NARROW = auto()
    """A step in float16 computes it in float16: a product, which CUDA sums in float32."""
    WIDE = auto()
    """A step in float16 computes it in float32: it sums many numbers, or leaves float16's range."""


ELEMENTWISE, MONOTONE, BROADCASTS = Trait.ELEMENTWISE, Trait.MONOTONE, Trait.BROADCASTS
IN_PLACE, VIEW = Trait.IN_PLACE, Trait.VIEW
NARROW, WIDE = Trait.NARROW, Trait.WIDE


@dataclass(frozen=True)
class Call:
    """One use of an operator, as rules for shapes and types see it."""

    inputs: tuple[Value | None, ...]
    attrs: Mapping[str, Any]
    results: int
    consts: "Mapping[Value, NDArray[Any]]"

    def x(self, i: int = 0) -> Value:
        """An input that must be there."""
        value = self.inputs[i]
        assert value is not None
        return value

    def shape(self, i: int = 0) -> Dims:
        """Shape of an input."""
        return self.x(i).shape

    def ints(self, i: int) -> list[int]:
        """A constant input of whole numbers, flat: axes, a shape, pads."""
        return [int(n) for n in self.consts[self.x(i)].reshape(-1)]


Shapes = Callable[[Call], list[Dims]]
Type = Callable[[Call], str]


@dataclass(frozen=True)
class Operator:
    """The entry of an operator.

    `shapes` gives the shape of each output, `dtype` the type of all. `gradients` are rules by
    input, `each` is one rule for all inputs; `constant` says why there is no gradient at all. An
    operator without any of the three must be lowered before it is differentiated.
    """

    name: str
    shapes: Shapes
    dtype: Type
    traits: Trait
    gradients: tuple[Rule | None, ...]
    each: Rule | None
    constant: str

    def outputs(self, call: Call) -> list[tuple[Dims, str]]:
        """Shape and type of each output; ValueError where the inputs do not fit together."""
        dtype = self.dtype(call)
        return [(shape, dtype) for shape in self.shapes(call)]

    def gradient(self, i: int) -> Rule | None:
        """The rule for an input."""
        return self.gradients[i] if i < len(self.gradients) else self.each


registry: dict[str, Operator] = {}


def first_type(call: Call) -> str:
    """The type of the first input."""
    return call.x().dtype


def define(
    name: str,
    shapes: Shapes,
    traits: Trait = Trait.NONE,
    *gradients: Rule | None,
    dtype: Type = first_type,
    each: Rule | None = None,
    constant: str = "",
) -> None:
    """Register an operator: see `Operator` for the parts.

    A gradient is a formula on values, such as `lambda g: g.dy * g.y`; `g` is a `Grad`. Use what
    onnxruntime runs fast (docs/training.md has the table).
    """
    registry[name] = Operator(name, shapes, dtype, traits, gradients, each, constant)


def same(call: Call) -> list[Dims]:
    """One output, shaped as the first input."""
    return [call.shape()]


def broadcasting(call: Call) -> list[Dims]:
    """One output, shaped as all inputs together."""
    return [broadcast(*(value.shape for value in call.inputs if value is not None))]


def broadcast(*shapes: Dims) -> Dims:
    """NumPy's broadcasting; ValueError where the shapes do not agree."""
    rank = max(map(len, shapes))
    columns = zip(*((1,) * (rank - len(s)) + s for s in shapes), strict=True)
    return tuple(_common(column) for column in columns)


def _common(dims: Dims) -> int | str:
    wide = {d for d in dims if d != 1}
    if len(wide) > 1:
        raise ValueError(f"dimensions {sorted(map(str, wide))} do not broadcast")
    return wide.pop() if wide else 1
