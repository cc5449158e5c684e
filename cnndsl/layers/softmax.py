"""Probabilities over the channels, and their logarithms: each position by itself."""

from dataclasses import dataclass

from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Value
from cnndsl.layers.activation import Activation


@dataclass(frozen=True)
class Softmax(Activation, word="softmax"):
    """Probabilities over the channels, at each position by itself.

    x: (N, C, …) → y: (N, C, …);  y_c = e^x_c / Σ_c e^x_c

    The loss `cross_entropy` contains it: a model that is trained with it ends in logits.

        input 3x32x32
        flatten; dense 10; softmax
    """

    def emit(self, e: Emitter, x: Value) -> Value:
        """One Softmax over axis 1."""
        return e.op("Softmax", x, axis=1)


@dataclass(frozen=True)
class LogSoftmax(Activation, word="logsoftmax"):
    """Logarithms of the probabilities over the channels, at each position by itself.

    x: (N, C, …) → y: (N, C, …);  y_c = x_c − log Σ_c e^x_c

    The loss `cross_entropy` contains it: a model that is trained with it ends in logits.

        input 3x32x32
        flatten; dense 10; logsoftmax
    """

    def emit(self, e: Emitter, x: Value) -> Value:
        """One LogSoftmax over axis 1."""
        return e.op("LogSoftmax", x, axis=1)
