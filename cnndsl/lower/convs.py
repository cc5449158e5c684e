"""What a convolution is to an algorithm, and the table of algorithms."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnndsl.graph.tape import Value
from cnndsl.lower.laid import Laid

if TYPE_CHECKING:
    from cnndsl.lower.driver import Lowering

Pair = tuple[int, int]


@dataclass(frozen=True)
class ConvShape:
    """Sizes of one convolution. `start` is minus the padding above and on the left."""

    batch: int
    channels: int
    size: Pair
    filters: int
    out: Pair
    kernel: Pair
    stride: Pair
    dilation: Pair
    start: Pair
    groups: int
    first: bool = False
    """Whether the input is the picture itself, whose gradient nobody wants."""
    pooled: bool = False
    """Whether a max-pool reads the output, and nothing else."""

    @property
    def taps(self) -> int:
        """Kernel area."""
        return self.kernel[0] * self.kernel[1]

    @property
    def is_depthwise(self) -> bool:
        """Whether each channel is a convolution of its own."""
        return self.groups == self.channels == self.filters > 1

    @property
    def positions(self) -> int:
        """Output positions."""
        return self.out[0] * self.out[1]

    @property
    def flops(self) -> float:
        """Multiply-accumulates of the forward pass."""
        return self.batch * self.positions * self.taps * self.channels / self.groups * self.filters


Emit = Callable[["Lowering", ConvShape, Laid, Value], Laid]


@dataclass(frozen=True)
class Algorithm:
    """One way to compute a convolution: where it applies, what it costs, how it is written.

    `cost` is an estimate of milliseconds of forward and backward, good enough to rank by.
    """

    name: str
    applies: Callable[[ConvShape], bool]
    cost: Callable[[ConvShape], float]
    emit: Emit


ALGORITHMS: dict[str, Algorithm] = {}


def algorithm(
    name: str, applies: Callable[[ConvShape], bool], cost: Callable[[ConvShape], float]
) -> Callable[[Emit], Emit]:
    """Register an algorithm by its forward emission; autodiff gives the rest."""

    def register(emit: Emit) -> Emit:
        ALGORITHMS[name] = Algorithm(name, applies, cost, emit)
        return emit

    return register


# What the ranking assumes of the machine; only ratios matter. `benchmarks/conv.py` measures it.
GEMM = 150e6  # multiply-accumulates a millisecond, large products
MOVE = 3.3e6  # float32 values a millisecond, gathers and elementwise passes
