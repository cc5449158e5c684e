"""What layers write on in training: parameters and random numbers are inputs, what is frozen is
constant.
"""

from collections.abc import Container

from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Tape, Value
from cnndsl.weights.base import Weights


class TrainingEmitter(Emitter):
    """Gives layers their parameters as inputs, and takes new statistics and random inputs."""

    def __init__(
        self, tape: Tape, dtype: str, frozen: Weights | None = None, micro_batches: int = 1,
        resting: Container[str] = (),
    ) -> None:  # fmt: skip
        super().__init__(tape, training=True, dtype=dtype)
        self._resting = resting  # paths of layers that run as at inference
        self._frozen = frozen or {}
        self.micro_batches = micro_batches
        self.at = 0  # the micro-batch that is written
        self.params: dict[str, Value] = {}
        self.updates: dict[str, Value] = {}
        self.randoms: list[Value] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._cuts: dict[str, list[list[Value]]] = {}  # random inputs of each layer, by micro-batch
        self._counts: dict[tuple[str, int], int] = {}

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

    @property
    def drops(self) -> bool:
        """Whether `dropout` is at work: not between frozen layers."""
        return self.tape.path not in self._resting

    def update(self, name: str, value: Value) -> None:
        """A statistic's value after the step."""
        self.updates[f"{self.tape.path}.{name}"] = value

    def uniform(self, *shape: int | str) -> Value:
        """A random input, one for the whole batch: each micro-batch takes its rows."""
        cuts = self._cuts.setdefault(self.tape.path, [])
        if self.at == 0:
            cuts.append(self._cut(int(shape[0]), shape[1:]))
        return cuts[self._taken(self.tape.path)][self.at]

    def _taken(self, path: str) -> int:
        """How many random inputs a layer has taken for this micro-batch so far."""
        key = path, self.at
        self._counts[key] = self._counts.get(key, -1) + 1
        return self._counts[key]

    def _cut(self, rows: int, rest: tuple[int | str, ...]) -> list[Value]:
        whole = (rows * self.micro_batches, *rest)
        value = self.tape.input(f"random_{len(self.randoms)}", whole, self.dtype)
        self.randoms.append(value)
        if self.micro_batches == 1:
            return [value]
        sizes = self.tape.ints([rows] * self.micro_batches)
        return list(self.tape.ops("Split", value, sizes, axis=0))
