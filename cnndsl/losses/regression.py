"""Losses of numbers."""

from dataclasses import dataclass

from cnndsl.fields import key
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


@dataclass(frozen=True)
class MeanAbsoluteError(Loss, word="mae"):
    """Mean of the absolute differences: far-off targets pull no more than near ones."""

    fits = frozenset({"numbers"})

    def emit(self, tape: Tape, x: Value, q: Value) -> Value:
        """Σ |x − q| / (N·C)."""
        return mean(tape, tape.op("Abs", tape.op("Sub", x, q)), x.size)


@dataclass(frozen=True)
class Huber(Loss, word="huber"):
    """Half the squared difference up to `delta`, and from there on a line of slope `delta`.

    Targets of a regression are standardised: `delta` is in their standard deviations.

    Source: Huber 1964, doi:10.1214/aoms/1177703732.
    """

    fits = frozenset({"numbers"})

    delta: float = key("float", default=1.0, low=1e-6, doc="where the line begins")

    def emit(self, tape: Tape, x: Value, q: Value) -> Value:
        """Σ m · (|d| − m/2) / (N·C) with d = x − q and m = min(|d|, delta)."""
        far = tape.op("Abs", tape.op("Sub", x, q))
        near = tape.op("Min", far, tape.scalar(self.delta, x.dtype))
        half = tape.op("Mul", near, tape.scalar(0.5, x.dtype))
        return mean(tape, tape.op("Mul", near, tape.op("Sub", far, half)), x.size)
