"""What layers write on in training: parameters and random numbers are inputs, what is frozen is
constant.
"""

from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Tape, Value
from cnndsl.weights.base import Weights


class TrainingEmitter(Emitter):
    """Gives layers their parameters as inputs, and takes new statistics and random inputs."""

    def __init__(self, tape: Tape, dtype: str, frozen: Weights | None = None) -> None:
        super().__init__(tape, training=True, dtype=dtype)
        self._frozen = frozen or {}
        self.params: dict[str, Value] = {}
        self.updates: dict[str, Value] = {}
        self.randoms: list[Value] = []
        self.shapes: dict[str, tuple[int, ...]] = {}

    def param(self, name: str) -> Value:
        """The parameter as a graph input, one for all micro-batches."""
        full = f"{self.tape.path}.{name}"
        if full not in self.params:
            self.params[full] = self._declared(full)
        return self.params[full]

    def _declared(self, full: str) -> Value:
        if full in self._frozen:
            return self.tape.const(self._frozen[full].astype(self.dtype), full)
        return self.tape.input(full, self.shapes[full], self.dtype)

    def is_frozen(self, name: str) -> bool:
        """Whether the parameter is a constant of the step."""
        return f"{self.tape.path}.{name}" in self._frozen

    def update(self, name: str, value: Value) -> None:
        """A statistic's value after the step."""
        self.updates[f"{self.tape.path}.{name}"] = value

    def uniform(self, *shape: int | str) -> Value:
        """A random input."""
        value = self.tape.input(f"random_{len(self.randoms)}", shape, self.dtype)
        self.randoms.append(value)
        return value
