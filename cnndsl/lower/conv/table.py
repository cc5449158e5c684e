"""What a convolution is to an algorithm, and the table of algorithms: which is taken where."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from cnndsl.graph.tape import Value
from cnndsl.lower.driver import Lowering, Phase, Plan
from cnndsl.lower.packed_image import PackedImage
from cnndsl.source import UserError

Pair = tuple[int, int]

# What the ranking assumes of the machine; only ratios matter. `benchmarks/conv.py` measures it.
GEMM = 150e6  # multiply-accumulates a millisecond, large products
MOVE = 3.3e6  # float32 values a millisecond, gathers and elementwise passes


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
    """Whether no weights stand before it: in training nobody wants its input's gradient."""
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

    @property
    def ends(self) -> int:
        """Values of input and output."""
        pixels = self.size[0] * self.size[1]
        return self.batch * (pixels * self.channels + self.positions * self.filters)


Applies = Callable[[ConvShape], bool]
Cost = Callable[[ConvShape], float]
Emit = Callable[[Lowering, ConvShape, PackedImage, Value], PackedImage]


@dataclass(frozen=True)
class Algorithm:
    """One way to compute a convolution: where it applies, what it costs, how it is written.

    `costs` estimates milliseconds, good enough to rank by, for each phase that the algorithm
    serves: forward and backward in training, forward with constant weights at inference.
    """

    name: str
    applies: Applies
    costs: Mapping[Phase, Cost]
    emit: Emit

    @property
    def phases(self) -> tuple[Phase, ...]:
        """What it serves: training, inference or both."""
        return tuple(self.costs)


_registry: dict[str, Algorithm] = {}


def algorithm(
    name: str, applies: Applies, *, train: Cost | None = None, infer: Cost | None = None
) -> Callable[[Emit], Emit]:
    """Register an algorithm by its forward emission; autodiff gives the rest.

    A phase without a cost is one that it does not serve.
    """
    costs: dict[Phase, Cost] = {}
    if train is not None:
        costs["train"] = train
    if infer is not None:
        costs["infer"] = infer

    def register(emit: Emit) -> Emit:
        _registry[name] = Algorithm(name, applies, costs, emit)
        return emit

    return register


@cache
def algorithms() -> Mapping[str, Algorithm]:
    """Every algorithm by its name; a file added to this folder is found, no list is edited."""
    package = __name__.rpartition(".")[0]
    for module in iter_modules(import_module(package).__path__):
        import_module(f"{package}.{module.name}")
    return _registry


def check_plan(plan: Plan, phase: Phase) -> None:
    """UserError for algorithms that there are not, or not for this phase."""
    known = [a.name for a in algorithms().values() if phase in a.phases]
    for wanted in (plan.conv, *(name for _, name in plan.choices)):
        if wanted not in ("auto", "winograd", *known):
            elsewhere = " in this phase" if wanted in algorithms() else ""
            names = ", ".join(known)
            raise UserError(f"no convolution algorithm `{wanted}`{elsewhere}: auto, {names}")


def choose(lowering: Lowering, path: str, shape: ConvShape) -> Algorithm:
    """The algorithm that the plan names, if it applies here, else the cheapest of the phase."""
    plan, phase = lowering.plan, lowering.phase
    wanted = dict(plan.choices).get(path, plan.conv)
    fitting = [a for a in algorithms().values() if phase in a.phases and a.applies(shape)]
    named = [a for a in fitting if a.name == wanted] or [
        a for a in fitting if a.name.startswith(wanted)
    ]
    return min(named or fitting, key=lambda a: a.costs[phase](shape))
