"""Fully connected layers: `dense`, and the way to them: `flatten`."""

from dataclasses import dataclass
from math import prod
from typing import Self

from cnndsl import init
from cnndsl.fields import arg, flag, key
from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Value
from cnndsl.init import Fans, Init
from cnndsl.layers.base import Layer, Param, Reject
from cnndsl.layers.conv import bias_params, without_bias
from cnndsl.layers.mend import Before
from cnndsl.shapes import Shape, show
from cnndsl.source import counted


@dataclass(frozen=True)
class Dense(Layer, word="dense"):
    """Fully connected layer: every output sees every input.

    x: (N, F) or (N, F, 1, 1) → y: (N, units);  y = x · wᵀ + b

    On an image of C×H×W it is an error: write `flatten` (all values) or `gap` (one a channel)
    first.

    Initialisation: Glorot & Bengio 2010 (uniform); bias 0.
    Cost: F · units multiply-accumulates.

        input 3x32x32
        flatten
        dense 128 relu
        dense 10
    """

    units: int = arg("int", low=1, doc="number of outputs")
    bias: bool | None = flag("bias", "nobias", default=None, doc="whether a bias is added")
    init: str = key(
        "choice", default="glorot_uniform", choices=init.WITHOUT_IMAGES, doc="initialiser"
    )
    l2: float = key("float", default=0.0, low=0, doc="weight of the squared norm in the loss")

    def shape(self, x: Shape) -> Shape:
        """(units,)."""
        if prod(x[1:]) == 1:
            return (self.units,)
        raise Reject(
            "E202",
            f"`dense` needs a vector, but its input is the image {show(x)}",
            help=f"write `flatten` before it (gives {counted(prod(x), 'feature')}) or `gap` (gives "
            f"{x[0]})",
            assume=(self.units,),
            mend=Before("flatten", (prod(x),), safe=True),
        )

    def params(self, x: Shape) -> tuple[Param, ...]:
        """weight (units, F) and bias (units)."""
        shape, fans = (self.units, x[0]), Fans(x[0], self.units)
        weight = Param("weight", shape, Init(self.init), fans, decay=True, l2=self.l2)
        return (weight, *bias_params(self.units, self.bias))

    def macs(self, x: Shape, y: Shape) -> int:
        """F · units."""
        return x[0] * self.units

    def window(self, x: Shape) -> None:
        """Sees everything."""
        return

    def before(self, words: tuple[str, ...]) -> Self:
        """Without bias where `bn` follows."""
        return without_bias(self, words)

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Gemm."""
        vector = e.op("Flatten", x, axis=1) if len(x.shape) > 2 else x
        bias = () if self.bias is False else (e.param("bias"),)
        return e.op("Gemm", vector, e.param("weight"), *bias, transB=1)


@dataclass(frozen=True)
class Flatten(Layer, word="flatten"):
    """All values of an image as one vector, channel by channel (PyTorch's order).

    x: (N, C, H, W) → y: (N, C·H·W). A vector stays as it is.

        input 3x32x32
        flatten                    # 3072
    """

    def shape(self, x: Shape) -> Shape:
        """(C·H·W,)."""
        return (prod(x),)

    def window(self, x: Shape) -> None:
        """A vector has no positions: every feature may come from anywhere."""
        return

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Flatten."""
        return e.op("Flatten", x, axis=1)
