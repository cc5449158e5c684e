"""The schedules of the field: constant, steps, curves, restarts, one cycle, plateau."""

from dataclasses import dataclass
from math import cos, pi

from cnndsl.fields import arg, key
from cnndsl.lr_schedules.base import Schedule


@dataclass(frozen=True)
class Constant(Schedule, word="constant"):
    """Always 1."""

    warmup: float = key("float", default=0.0, low=0, doc="epochs of linear rise")

    def factor(self, t: float, epoch: float) -> float:
        """1."""
        return 1.0

    def idle(self, epochs: int) -> None:
        """It is meant to do nothing."""


@dataclass(frozen=True)
class Step(Schedule, word="step"):
    """gamma to the power of how often `every` epochs have passed."""

    every: float = key("float", default=10.0, low=0.001, doc="epochs between drops")
    gamma: float = key("float", default=0.1, low=0, high=1, doc="factor of each drop")
    warmup: float = key("float", default=0.0, low=0, doc="epochs of linear rise")

    def factor(self, t: float, epoch: float) -> float:
        """gamma ^ ⌊epoch / every⌋."""
        return self.gamma ** int(epoch / self.every + 1e-9)  # 0.3 / 0.1 is 2.9999…


@dataclass(frozen=True)
class MultiStep(Schedule, word="multistep"):
    """Multiplied by gamma at each of some epochs: `multistep "30 60 80"`."""

    at: tuple[float, ...] = arg("floats", key="at", low=0, doc="epochs of the drops, in quotes")
    gamma: float = key("float", default=0.1, low=0, high=1, doc="factor of each drop")
    warmup: float = key("float", default=0.0, low=0, doc="epochs of linear rise")

    def factor(self, t: float, epoch: float) -> float:
        """gamma to the power of how many of the epochs have come."""
        return self.gamma ** sum(epoch >= drop - 1e-9 for drop in self.at)

    def idle(self, epochs: int) -> str | None:
        """Drops at epochs that never come."""
        late = [f"{drop:g}" for drop in self.at if drop >= epochs]
        missed = f"the drops at {' and '.join(late)} never come" if late else None
        return super().idle(epochs) or missed


@dataclass(frozen=True)
class Exponential(Schedule, word="exponential"):
    """Multiplied by gamma an epoch, a little at each step."""

    gamma: float = arg("float", key="gamma", default=0.9, low=1e-6, high=1, doc="factor an epoch")
    warmup: float = key("float", default=0.0, low=0, doc="epochs of linear rise")

    def factor(self, t: float, epoch: float) -> float:
        """gamma ^ epoch."""
        return self.gamma**epoch


@dataclass(frozen=True)
class Cosine(Schedule, word="cosine"):
    """Half a cosine from 1 down to `floor`. Source: Loshchilov & Hutter 2017, arXiv:1608.03983."""

    floor: float = key("float", default=0.0, low=0, high=1, doc="factor at the end")
    warmup: float = key("float", default=0.0, low=0, doc="epochs of linear rise")

    def factor(self, t: float, epoch: float) -> float:
        """floor + (1 − floor) · (1 + cos πt) / 2."""
        return self.floor + (1 - self.floor) * (1 + cos(pi * t)) / 2


@dataclass(frozen=True)
class Restarts(Schedule, word="restarts"):
    """A cosine that starts anew, SGDR. Source: Loshchilov & Hutter 2017, arXiv:1608.03983."""

    period: float = arg("float", key="period", default=10.0, low=0.01, doc="epochs of the first")
    growth: float = key("float", default=1.0, low=1, doc="how much longer each next one is")
    floor: float = key("float", default=0.0, low=0, high=1, doc="factor at the end of each")
    warmup: float = key("float", default=0.0, low=0, doc="epochs of linear rise")

    def factor(self, t: float, epoch: float) -> float:
        """The cosine of the share of the period at hand."""
        period, start = self.period, 0.0
        while epoch >= start + period - 1e-9:
            start, period = start + period, period * self.growth
        return Cosine(self.floor).factor((epoch - start) / period, epoch)

    def idle(self, epochs: int) -> str | None:
        """A period that does not end."""
        never = f"`restarts` of {self.period:g} epochs never starts anew"
        return super().idle(epochs) or (never if self.period >= epochs else None)


@dataclass(frozen=True)
class OneCycle(Schedule, word="onecycle"):
    """Up to the full rate and down to almost nothing, both along cosines (PyTorch's OneCycleLR).

    Source: Smith & Topin 2017, arXiv:1708.07120.
    """

    rise: float = key("float", default=0.3, low=0.001, high=0.999, doc="share of the way up")
    start: float = key("float", default=25.0, low=1, doc="1 / factor at the start")
    final: float = key("float", default=1e4, low=1, doc="1 / factor at the end, below the start")
    warmup: float = key("float", default=0.0, low=0, doc="epochs of linear rise")

    def factor(self, t: float, epoch: float) -> float:
        """Cosine from 1/start to 1 while t < rise, then to 1/(start·final)."""
        low, end = 1 / self.start, 1 / (self.start * self.final)
        if t < self.rise:
            return low + (1 - low) * (1 - cos(pi * t / self.rise)) / 2
        return end + (1 - end) * (1 + cos(pi * (t - self.rise) / (1 - self.rise))) / 2


@dataclass(frozen=True)
class Polynomial(Schedule, word="polynomial"):
    """(1 − t) to a power; power 1 is a straight line."""

    power: float = arg("float", default=1.0, low=0, doc="exponent")
    warmup: float = key("float", default=0.0, low=0, doc="epochs of linear rise")

    def factor(self, t: float, epoch: float) -> float:
        """(1 − t) ^ power."""
        return (1 - t) ** self.power


@dataclass(frozen=True)
class Plateau(Schedule, word="plateau"):
    """Multiplied by gamma whenever `val_loss` has not improved for `patience` epochs."""

    gamma: float = key("float", default=0.1, low=0, high=1, doc="factor of each drop")
    patience: int = key("int", default=3, low=1, doc="epochs without improvement")
    warmup: float = key("float", default=0.0, low=0, doc="epochs of linear rise")

    def factor(self, t: float, epoch: float) -> float:
        """1; the loop multiplies by gamma when the plateau is met."""
        return 1.0

    def idle(self, epochs: int) -> str | None:
        """Its first drop follows `patience` epochs behind the first, and acts on the next."""
        if self.gamma == 1:
            return "`plateau` with `gamma=1` never changes the learning rate"
        never = f"`plateau` never acts: it waits for {self.patience} epochs"
        return never if self.patience >= epochs - 1 else None
