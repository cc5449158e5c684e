"""The recipe: what `train { … }` says, checked. The loop in `cnndsl.training` carries it out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, cast

from cnndsl import losses, lr_schedules, optim, tasks
from cnndsl.fields import Word, arg, flag, key, word, written
from cnndsl.finetune import Cache, Freeze, Rate, Weights
from cnndsl.losses import Loss
from cnndsl.lr_schedules import Constant, Schedule
from cnndsl.optim import Adam, Optimizer
from cnndsl.precision import Precision, Quantize
from cnndsl.source import Span
from cnndsl.tasks import Task

LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Augment(Word, word="augment"):
    """Random changes of the training pictures: `augment flip crop=4 cutout=8`."""

    flip: bool = flag("flip", doc="mirrors each picture every other epoch")
    crop: int = key("int", default=0, low=0, doc="shifts by up to so many pixels; borders reflect")
    cutout: int = key("int", default=0, low=0, doc="blanks a square of this side")
    mixup: float = key("float", default=0.0, low=0, doc="blends pairs; alpha of the Beta law")
    jitter: float = key("float", default=0.0, low=0, high=1, doc="brightness and contrast")
    rotate: float = key("float", default=0.0, low=0, high=180, doc="turns by up to so many degrees")
    zoom: float = key("float", default=0.0, low=0, high=0.9, doc="size off by up to this share")
    translate: float = key("float", default=0.0, low=0, high=1, doc="shifts by a share of the side")
    hue: float = key(
        "float", default=0.0, low=0, high=0.5, doc="turns colours of RGB images; 0.5 is half round"
    )
    saturation: float = key(
        "float", default=0.0, low=0, high=1, doc="makes colours of RGB images paler or stronger"
    )
    erase: float = key("float", default=0.0, low=0, high=1, doc="share that loses a rectangle")

    @property
    def warps(self) -> bool:
        """Whether images are turned, scaled or shifted by less than a pixel."""
        return bool(self.rotate or self.zoom or self.translate)


@dataclass(frozen=True)
class Data(Word, word="data"):
    """The data set by its name or place: `data cifar10`, `data "folder"`, `data "table.csv"`."""

    name: str = arg("text", doc="a data set by its name, a folder or a file")


@dataclass(frozen=True)
class Holdout(Word, word="holdout"):
    """Share held out where the data have no test part, a fifth unless said: `holdout 0.1 seed=3`.

    They are the same share of each class: evenly spaced in the order of the files, or, with a
    `seed`, drawn by chance.
    """

    share: float = arg("float", default=0.2, low=0.001, high=0.9, doc="share of the images")
    seed: int | None = key("int", low=0, high=LARGEST_SEED, doc="start of the random numbers")


@dataclass(frozen=True)
class Ground(Word, word="ground"):
    """What is behind transparent pixels: `ground black`; white, unless said."""

    color: str = word("white", "black", "gray", doc="its colour", default="white")


@dataclass(frozen=True)
class Batch(Word, word="batch"):
    """Pictures a step: `batch 32`."""

    size: int = arg("int", low=1, doc="pictures a step")


@dataclass(frozen=True)
class Accumulate(Word, word="accumulate"):
    """Gradient accumulation: `accumulate 4` computes each batch in 4 parts, one after the other.

    The update goes by the mean of their gradients: as that of the whole batch, with the memory of
    a part. `bn` sees a part at a time.
    """

    parts: int = arg("int", low=1, doc="parts of a batch")


@dataclass(frozen=True)
class Epochs(Word, word="epochs"):
    """Passes over the data: `epochs 10`."""

    count: int = arg("int", low=1, doc="passes over the data")


@dataclass(frozen=True)
class Seed(Word, word="seed"):
    """Start of all random numbers: `seed 0`."""

    number: int = arg("int", low=0, high=LARGEST_SEED, doc="start of all random numbers")


@dataclass(frozen=True)
class Clip(Word, word="clip"):
    """Longest gradient: `clip 1.0` scales the whole gradient down to this norm."""

    norm: float = arg("float", low=1e-9, doc="largest norm of the gradient")


@dataclass(frozen=True)
class Ema(Word, word="ema"):
    """Moving mean of the weights, used for validation and `best`: `ema 0.999`.

    Running statistics are averaged with them. The memory is shorter at the start: step t counts at
    least 9 / (9 + t).
    """

    decay: float = arg("float", low=0, high=1, doc="memory of past weights")


@dataclass(frozen=True)
class Lookahead(Word, word="lookahead"):
    """Slow weights that follow the optimizer's: `lookahead 5` pulls these back every 5 steps.

    slow ← slow + share · (w − slow);  w ← slow. Source: Zhang et al. 2019, arXiv:1907.08610.
    """

    steps: int = arg("int", default=5, low=1, doc="steps between them")
    share: float = key("float", default=0.5, low=0, high=1, doc="how far the slow weights follow")


@dataclass(frozen=True)
class Stop(Word, word="stop"):
    """Early stopping: `stop 5` ends after 5 epochs without a better `val_loss` (see `watch`)."""

    patience: int = arg("int", low=1, doc="epochs without improvement")


@dataclass(frozen=True)
class Watch(Word, word="watch"):
    """The column of `results.csv` by which epochs are compared: `watch val_loss`.

    The best weights are those of its best epoch; `stop` and `schedule plateau` wait for it to
    become better by more than `min_delta`. Unsaid, the best weights go by the task's own measure
    (`val_accuracy` of a classification), `stop` and `plateau` by `val_loss`. Of equal epochs the
    one with the lower `val_loss` is the best.
    """

    column: str = arg("text", doc="a column of results.csv, such as val_loss")
    min_delta: float = key("float", default=0.0, low=0, doc="less than this is not an improvement")


@dataclass(frozen=True)
class Export(Word, word="export"):
    """Another file of the best weights: `export int8` writes `best.int8.onnx` beside `best.onnx`.

    It is not written where it loses more than `max_drop` points of the task's metric.
    """

    format: str = arg("choice", choices=("int8",), doc="int8: eight bits a number")
    max_drop: float = key("float", default=1.0, low=0, doc="points that may be lost")


@dataclass(frozen=True)
class Views(Word, word="views"):
    """Views of an image whose outputs `best.onnx` averages: `views mirror shift=1`.

    `shift` moves it along one diagonal, both ways; the image counts as much as these two together.
    Each view costs as much as the image. Epochs are validated without.
    """

    mirror: bool = flag("mirror", doc="each view and its mirror image")
    shift: int = key("int", default=0, low=0, doc="also moved by so many pixels; borders reflect")

    @property
    def count(self) -> int:
        """How many views there are of an image, itself among them."""
        return (3 if self.shift else 1) * (2 if self.mirror else 1)


@dataclass(frozen=True)
class Recipe:
    """How to train; the defaults are the tutorial's recipe.

    Where `task` or `loss` is None, the spec and the data say it: see `resolved`.
    """

    data: str | None = None
    batch: int = 32
    accumulate: int = 1
    epochs: int = 10
    loss: Loss | None = None
    optimizer: Optimizer = field(default_factory=Adam)
    schedule: Schedule = field(default_factory=Constant)
    augment: Augment = field(default_factory=Augment)
    seed: int = 0
    clip: float | None = None
    ema: float | None = None
    lookahead: Lookahead | None = None
    stop: int | None = None
    watch: Watch | None = None
    task: Task | None = None
    weights: Weights | None = None
    freeze: tuple[Freeze, ...] = ()
    rate: tuple[Rate, ...] = ()
    cache: Cache | None = None
    holdout: Holdout | None = None
    ground: str | None = None
    export: Export | None = None
    views: Views = field(default_factory=Views)
    quantize: Quantize | None = None
    precision: Precision | None = None
    said: frozenset[str] = field(default=frozenset(), compare=False, repr=False)
    """The settings that the spec itself gives."""
    places: Mapping[str, Span] = field(default_factory=dict[str, Span], compare=False, repr=False)
    """Where they stand: `optimizer`, and its keys as `optimizer.lr`."""

    def resolved(self, shape: tuple[int, ...]) -> "Recipe":
        """The recipe with task and loss, for a main output of this shape.

        UserError where no task fits, or several do and none of them is the usual one.
        """
        task = self.task or tasks.task_for(shape, self.loss)
        return replace(self, task=task, loss=task.loss_of(self.loss))

    def quantizes(self, epoch: int) -> bool:
        """Whether weights and activations are rounded in an epoch, the first of which is 0."""
        return self.quantize is not None and epoch >= self.quantize.start

    def holds_ranges(self, epoch: int) -> bool:
        """Whether ranges and the statistics of batch norm stay as they are in an epoch."""
        quantize = self.quantize if self.quantizes(epoch) else None
        return quantize is not None and epoch >= quantize.held_from(self.epochs)

    def known_task(self) -> Task:
        """The task; where nothing has told it yet, the usual one."""
        return self.task or tasks.usual()

    def setting(self, name: str) -> str:
        """A setting but `data` as a spec has it: `batch 32`, `optimizer sgd lr=0.1`."""
        value = getattr(self, name)
        if name in CHOSEN:
            return f"{name} {written(value)}"
        if isinstance(value, tuple):
            return "; ".join(map(written, cast("tuple[Word, ...]", value)))
        return written(value) if isinstance(value, Word) else f"{name} {value}"


PLAIN: dict[str, type[Word]] = {
    cls.word: cls for cls in (
        Data, Holdout, Ground, Batch, Accumulate, Epochs, Seed, Clip, Ema, Lookahead, Stop, Watch,
        Augment, Weights, Freeze, Rate, Cache, Export, Views, Quantize, Precision,
    )
}  # fmt: skip
REPEATED = ("freeze", "rate")
"""Settings that may stand several times: the recipe has a tuple of them."""
CHOSEN: dict[str, dict[str, type[Any]]] = {
    "task": tasks.registry,
    "loss": losses.registry,
    "optimizer": optim.registry,
    "schedule": lr_schedules.registry,
}


_WHOLE = (
    Augment, Cache, Export, Freeze, Holdout, Lookahead, Loss, Optimizer, Precision, Quantize, Rate,
    Schedule, Task, Views, Watch, Weights,
)  # fmt: skip


def value_of(setting: Word) -> Any:
    """What a bound setting puts into the recipe: its one value, or the setting itself."""
    if isinstance(setting, _WHOLE):
        return setting
    (only,) = fields(setting)  # pyright: ignore[reportArgumentType]  (a dataclass)
    return getattr(setting, only.name)
