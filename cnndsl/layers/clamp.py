"""Values cut at two bounds: `clamp`."""

from dataclasses import dataclass

from cnndsl.fields import key
from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Value
from cnndsl.layers.activation import Activation
from cnndsl.layers.base import Reject
from cnndsl.shapes import Shape


@dataclass(frozen=True)
class Clamp(Activation, word="clamp"):
    """Cuts values at two bounds; without numbers it is the hard tanh.

    x: (N, C, …) → y: (N, C, …);  y = min(max(low, x), high)

        input 3x32x32
        conv 32 3x3 same clamp
        conv 32 3x3 same clamp low=0 high=20
    """

    low: float = key("float", default=-1.0, doc="smallest value")
    high: float = key("float", default=1.0, doc="largest value")

    def shape(self, x: Shape) -> Shape:
        """Unchanged; the bounds must be in order."""
        if self.low < self.high:
            return x
        raise Reject(
            "E107", f"`clamp` from {self.low:g} to {self.high:g} leaves one value or none",
            help="`low` is below `high`: without numbers they are -1 and 1", assume=x,
        )  # fmt: skip

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Clip."""
        return e.op("Clip", x, e.scalar(self.low), e.scalar(self.high))
