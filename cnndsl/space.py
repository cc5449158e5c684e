"""The search space: what `search { … }` says, checked. `cnndsl.search` looks through it."""

import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from math import isclose

from cnndsl.source import Span
from cnndsl.syntax import ast

Value = int | float | bool | str

MEASURES: dict[str, tuple[str, Mapping[str, float]]] = {
    "params": ("learned parameters", {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}),
    "macs": ("multiply-accumulates a sample", {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}),
    "memory": (
        "bytes of activations that inference holds at once, one sample, float32",
        {"": 1, "k": 2**10, "KiB": 2**10, "M": 2**20, "MiB": 2**20},
    ),
    "step": ("time of a training step", {"us": 1e-6, "ms": 1e-3, "s": 1.0}),
}
"""What a candidate costs, before it is trained: what it counts, and its units."""

_HOLDS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
SIGNS = tuple(_HOLDS)


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both among them; whole ones where both ends are."""

    low: int | float
    high: int | float
    step: int | float | None = None
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def count(self) -> int | None:
        """How many values there are; None where they lie dense."""
        step = self.step or (1 if self.whole else None)
        return None if step is None else round((self.high - self.low) / step) + 1

    def holds(self, value: object) -> bool:
        """Whether it is one of the values."""
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        steps = (value - self.low) / (self.step or 1)
        at_step = self.count is None or isclose(steps, round(steps), abs_tol=1e-9)
        return self.low <= value <= self.high and at_step


@dataclass(frozen=True)
class Choices:
    """A few values of one kind; those of a setting are its words."""

    values: tuple[Value, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.values)

    def holds(self, value: object) -> bool:
        """Whether it is one of the values."""
        return value in self.values


@dataclass(frozen=True)
class Parameter:
    """What is varied: a file-level `let`, a setting (`batch`) or a key of one (`optimizer.lr`)."""

    name: str
    domain: Range | Choices
    is_let: bool
    span: Span
    condition: ast.Expr | None = None
    own: object = None
    """The value of a `let` in the file itself."""

    @property
    def setting(self) -> str:
        """The setting of a recipe that it changes."""
        return self.name.partition(".")[0]

    @property
    def key(self) -> str:
        """The key of that setting, or nothing for the whole of it."""
        return self.name.partition(".")[2]


@dataclass(frozen=True)
class Limit:
    """`keep params < 100k`: a candidate beyond it is never trained."""

    measure: str
    sign: str
    bound: float
    text: str
    span: Span

    @property
    def side(self) -> str:
        """What is bounded, and from which side: `params <`."""
        return f"{self.measure} {self.sign[0]}"

    def excess(self, measured: float) -> float:
        """How far a value is beyond the bound, as a share of it; 0 where it is kept."""
        if _HOLDS[self.sign](measured, self.bound):
            return 0.0
        return max(abs(measured - self.bound) / self.bound, 1e-9)


@dataclass(frozen=True)
class Space:
    """All that is varied, what is kept, and what is looked for; no goal: the task's own measure."""

    parameters: tuple[Parameter, ...] = ()
    limits: tuple[Limit, ...] = ()
    goals: tuple[str, ...] = ()

    def without(self, names: Collection[str]) -> "Space":
        """The space in which the parameters of these names stay as they are."""
        kept = tuple(p for p in self.parameters if p.name not in names)
        return Space(kept, self.limits, self.goals)
