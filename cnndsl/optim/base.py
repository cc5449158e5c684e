"""What optimizers are: rules that write an update."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from cnndsl.fields import Word
from cnndsl.graph.tape import Tape, Value

registry: dict[str, type["Optimizer"]] = {}
_FAINT = 1e-18
"""Far below what changes a float32 weight; its square is still a normal number."""


@dataclass(frozen=True)
class Role:
    """What a weight is. `shape` is in ONNX's layout; of weights side by side, that of one vector.

    `decays` is false for biases and norms, `head` true for the last kernel before an output.
    """

    shape: tuple[int, ...]
    decays: bool
    head: bool = False


@dataclass(frozen=True)
class Update:
    """What a rule writes with: one weight w, its gradient g, the learning rate, and state.

    `slot` gives a state tensor of w's shape (zeros at first), `keep` its new value; `step` counts
    from 1. `unpacked` turns a value from the step's layout of w into ONNX's, `packed` back.
    """

    tape: Tape
    w: Value
    g: Value
    lr: Value
    step: Value
    slot: Callable[[str], Value]
    keep: Callable[[str, Value], None]
    role: Role
    unpacked: Callable[[Value], Value]
    packed: Callable[[Value], Value]

    def op(self, op: str, *inputs: Value) -> Value:
        """Write an operator."""
        return self.tape.op(op, *inputs)

    def avoid_denormals(self, g: Value, eps: float = 1.0) -> Value:
        """g + 1e-18, so that a moving average of it never decays to denormal numbers.

        Where a gradient stays 0, as behind a dead ReLU, its averages decay by a factor a step and
        are denormal after some 800. CPUs are slow with these: a whole step took 16 % longer.
        Left out where `eps` is as small as that: 1e-18 / eps would be a step of its own.
        """
        return g if eps < 1e6 * _FAINT else self.op("Add", g, self.number(_FAINT))

    def times(self, x: Value, number: float) -> Value:
        """x · number."""
        return x if number == 1 else self.op("Mul", x, self.number(number))

    def number(self, number: float) -> Value:
        """A scalar of the weight's type."""
        return self.tape.scalar(number, self.w.dtype)

    def blend(self, old: Value, new: Value, share: float) -> Value:
        """old + (new − old) · share: a moving mean."""
        return self.op("Add", old, self.times(self.op("Sub", new, old), share))

    def penalised(self, decay: float) -> Value:
        """g + decay · w."""
        if not (decay and self.role.decays):
            return self.g
        return self.op("Add", self.g, self.times(self.w, decay))

    def decayed(self, decay: float) -> Value:
        """w · (1 − lr · decay)."""
        if not (decay and self.role.decays):
            return self.w
        factor = self.op("Sub", self.number(1.0), self.times(self.lr, decay))
        return self.op("Mul", self.w, factor)

    @property
    def in_float64(self) -> "Update":
        """For scalars of the step count: as this one, its numbers and `step` in float64."""
        step = self.tape.op("Cast", self.step, to="float64")
        return replace(self, w=step, step=step)

    def rounded(self, x: Value) -> Value:
        """A scalar in the weight's type."""
        return self.tape.op("Cast", x, to=self.w.dtype)

    def corrected(self, beta: float) -> Value:
        """1 − beta^step: how much of a moving mean has been filled."""
        return self.op("Sub", self.number(1.0), self.op("Pow", self.number(beta), self.step))


class Optimizer(Word):
    """A rule from weight, gradient, state and learning rate to new weight and state."""

    typical_lr: ClassVar[tuple[float, float]] = (1e-6, 1.0)
    """Range of the learning rates that the optimizer is mostly used with."""
    sign_like: ClassVar[bool] = False
    """Whether the length of a step does not depend on the size of the gradient."""
    lr: float
    decay: float

    def updates_alone(self, role: Role) -> bool:
        """Whether the rule needs this weight by itself; other small ones are concatenated."""
        return False

    def update(self, u: Update) -> Value:
        """Write the new weight."""
        raise NotImplementedError(self.word)

    def __init_subclass__(cls, word: str = "") -> None:
        super().__init_subclass__(word)
        registry[word] = cls
