"""The input of the network: `input`."""

from dataclasses import dataclass

from cnndsl.fields import arg
from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Value
from cnndsl.layers.base import Layer
from cnndsl.shapes import Shape


@dataclass(frozen=True)
class Input(Layer, word="input"):
    """The shape of one sample: channels x height x width, or a number of features.

    Comes first, once. The batch is symbolic.

        input 3x32x32
        conv 32 3x3 same
    """

    size: Shape = arg("shape", low=1, doc="channels x height x width, or features")

    def infer(self, xs: tuple[Shape, ...]) -> Shape:
        """The size."""
        return self.size

    def emit(self, e: Emitter, x: Value) -> Value:
        """Nothing: the graph's input itself."""
        return x
