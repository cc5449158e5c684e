"""Losses of numbers."""

from dataclasses import dataclass

from cnndsl.graph.tape import Tape, Value
from cnndsl.losses.base import Loss, mean


@dataclass(frozen=True)
class MeanSquaredError(Loss, word="mse"):
    """Mean of the squared differences; class numbers are taken as one-hot."""

    fits = frozenset({"numbers", "labels", "classes"})

    def emit(self, tape: Tape, x: Value, q: Value) -> Value:
        """Σ (x − q)² / (N·C)."""
        difference = tape.op("Sub", x, q)
        return mean(tape, tape.op("Mul", difference, difference), x.size)
