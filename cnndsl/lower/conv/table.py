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

# The same at inference, on one core, where weights are constants: fitted to CPU times of single
# layers, 32 to 512 channels, batches of 1 and 8 (`benchmarks/inference.py` holds whole nets to it).
CONV = 57e6  # ONNX's Conv, in blocks of channels
PRODUCT = 44e6  # products by constant weights
WEIGHTS = 6.3e6  # values of weights that a product reads anew
PASS = 1.3e6  # an image: a change of layout, an elementwise operator


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
    def weights(self) -> int:
        """Values of the kernel."""
        return self.taps * self.channels // self.groups * self.filters

    @property
    def columns(self) -> int:
        """Values of all windows side by side."""
        return self.batch * self.positions * self.taps * self.channels

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
    serves: forward and backward in training, forward with constant weights at inference. `weights`
    are the values that a graph holds for it.
    """

    name: str
    applies: Applies
    costs: Mapping[Phase, Cost]
    emit: Emit
    weights: Cost

    @property
    def phases(self) -> tuple[Phase, ...]:
        """What it serves: training, inference or both."""
        return tuple(self.costs)


_registry: dict[str, Algorithm] = {}


def algorithm(
    name: str, applies: Applies, *, train: Cost | None = None, infer: Cost | None = None,
    weights: Cost = lambda shape: shape.weights,
) -> Callable[[Emit], Emit]:  # fmt: skip
    """Register an algorithm by its forward emission; autodiff gives the rest.

    A phase without a cost is one that it does not serve.
    """
    costs: dict[Phase, Cost] = {}
    if train is not None:
        costs["train"] = train
    if infer is not None:
        costs["infer"] = infer

    def register(emit: Emit) -> Emit:
        _registry[name] = Algorithm(name, applies, costs, emit, weights)
        return emit

    return register


@cache
def algorithms() -> Mapping[str, Algorithm]:
    """Every algorithm by its name; a file added to this folder is found, no list is edited."""
    package = __name__.rpartition(".")[0]
    for module in iter_modules(import_module(package).__path__):
        import_module(f"{package}.{module.name}")
    return _registry


def names_for(phase: Phase | None = None) -> tuple[str, ...]:
    """What a plan may name: `auto` and the algorithms, of all phases or of one."""
    known = algorithms().values()
    return ("auto", *sorted(a.name for a in known if phase is None or phase in a.phases))


def check_plan(plan: Plan, phase: Phase) -> None:
    """UserError for algorithms that there are not, or not for this phase or device."""
    if plan.device == "cuda" and (plan.conv, plan.choices) != ("auto", ()):
        wanted = plan.conv if plan.conv != "auto" else plan.choices[0][1]
        raise UserError(f"convolution `{wanted}` is for the CPU; CUDA has its own: leave it out")
    known = names_for(phase)
    for wanted in (plan.conv, *(name for _, name in plan.choices)):
        family = wanted == "winograd" or any(name.startswith(f"{wanted}-") for name in known)
        if not family and wanted not in known:
            here = " in training" if phase == "train" else " at inference"
            elsewhere, names = here if wanted in algorithms() else "", ", ".join(known)
            raise UserError(f"no convolution algorithm `{wanted}`{elsewhere}: {names}")


def choose(lowering: Lowering, path: str, shape: ConvShape) -> Algorithm:
    """The algorithm that the plan names, if it applies here, else the cheapest of the phase."""
    phase = lowering.phase
    fit = fitting(shape, phase)
    return min(_named(fit, lowering.plan, path) or fit, key=lambda a: a.costs[phase](shape))


def fitting(shape: ConvShape, phase: Phase) -> list[Algorithm]:
    """The algorithms of a phase that apply to a convolution."""
    return [a for a in algorithms().values() if phase in a.phases and a.applies(shape)]


def _named(fit: list[Algorithm], plan: Plan, path: str) -> list[Algorithm]:
    """Those that a plan names, in full or by how their names begin."""
    wanted = dict(plan.choices).get(path, plan.conv)
    return [a for a in fit if a.name == wanted] or [a for a in fit if a.name.startswith(wanted)]
