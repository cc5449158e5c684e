"""What a task is: targets, output, metrics and predictions, all in one place.

Everything else — data, training step, loop, progress, plots, command line — asks the task. Targets
are arrays of any rank with the images on the first axis; metrics see them batch by batch.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from math import isfinite
from types import UnionType
from typing import TYPE_CHECKING, Any, ClassVar, Self, get_args, get_origin

from cnndsl.fields import Word
from cnndsl.graph.tape import Tape, Value
from cnndsl.losses import Loss
from cnndsl.losses import registry as losses
from cnndsl.results import Answer, Scores
from cnndsl.source import UserError, printable
from cnndsl.tasks.meter import Meter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Floats = NDArray[np.floating[Any]]

Shape = tuple[int, ...]
registry: dict[str, type["Task"]] = {}


class Task(Word):
    """What is learned. Subclasses are frozen dataclasses; what `fitted` adds travels with a model.

    The class variables say what other parts of the system need to know of every task.
    """

    kind: ClassVar[str]
    """Of the targets: a loss fits that has it in its `fits`."""
    default_loss: ClassVar[str]
    usual: ClassVar[bool] = False
    """Whether it is meant where several tasks fit and nothing says which."""
    tally: ClassVar[str]
    """Name of the step's second output, a sum over the images of a batch."""
    running: ClassVar[str]
    """Column of the mean of `tally` over an epoch."""
    rising: ClassVar[tuple[str, ...]] = ()
    """Metrics of which more is better; the columns of validation have `val_` before them."""
    falling: ClassVar[tuple[str, ...]] = ()
    """Metrics of which less is better, besides the loss."""
    best: ClassVar[str]
    """The column by which the best epoch is chosen."""
    nouns: ClassVar[str]
    """What the outputs stand for, in messages: `classes`."""
    least: ClassVar[int] = 1
    """How many of these there are at least, so that there is something to learn."""
    moves: ClassVar[bool] = False
    """Whether targets are masks of the images, so that they are flipped and shifted with them."""
    mixes: ClassVar[bool] = True
    """Whether the targets of two images can be blended, as mixup does."""
    partial: ClassVar[bool] = False
    """Whether data that lack some of a model's classes can be measured: the others are left out."""
    files: ClassVar[tuple[str, ...]] = ()
    """What it draws in the run folder."""

    def __init_subclass__(cls, word: str = "") -> None:
        super().__init_subclass__(word)
        registry[word] = cls

    # The model and its loss

    def problem(self, shape: Shape) -> str | None:
        """Why a main output of this shape, C or C×H×W, cannot learn the task; None where it can."""
        raise NotImplementedError(self.word)

    def loss_of(self, loss: Loss | None) -> Loss:
        """The loss, or where none is given the usual one; UserError for one that does not fit."""
        if loss is None:
            return losses[self.default_loss]().for_kind(self.kind)
        if self.kind not in type(loss).fits:
            fitting = ", ".join(word for word, cls in losses.items() if self.kind in cls.fits)
            raise UserError(f"`{loss.word}` is not a loss of `task {self.word}`; one of {fitting}")
        return loss.for_kind(self.kind)

    def outputs(self, names: Sequence[str]) -> int:
        """How many outputs a model has for these classes, labels or numbers."""
        return len(names)

    def ending(self, count: int) -> str:
        """How a spec ends that has so many outputs."""
        return f"dense {count}"

    def way_to_fit(self, count: int) -> str:
        """What to do about a model with a `problem`, for so many outputs."""
        return f"end the spec with `gap; {self.ending(count)}`"

    def size_problem(self, shape: Shape, size: Shape) -> str | None:
        """Why a main output of this shape is not of the targets' size H×W, and how to mend it."""
        return None

    def for_loss(self, loss: Loss | None) -> Self:
        """The task with what a loss says of the targets."""
        return self

    def rises(self, column: str) -> bool:
        """Whether more is better in a column of `results.csv`; UserError for another one."""
        metrics = ("loss", *self.rising, *self.falling)
        known = ["loss", self.running, *(f"val_{name}" for name in metrics)]
        if column in known:
            return column.removeprefix("val_") in self.rising
        listed = ", ".join(known)
        raise UserError(f"`task {self.word}` has no column `{column}` to watch; one of {listed}")

    # In the training step

    def output(self, tape: Tape, x: Value) -> Value:
        """An output of the model as loss and tally take it."""
        return x

    def targets(self, tape: Tape, batch: int, shape: Shape, soft: bool, dtype: str) -> Value:
        """The graph input `y` for outputs of this shape, as `loss` and `tally` take it.

        `soft` takes blended targets, of `dtype`, instead of those that data have.
        """
        raise NotImplementedError(self.word)

    def loss(self, tape: Tape, loss: Loss, x: Value, q: Value, whole: Value) -> Value:
        """The loss of outputs x against targets q, a scalar: the mean over the images.

        `whole` are the targets of the batch of which q is a micro-batch.
        """
        return loss.emit(tape, x, q)

    def count(self, tape: Tape, x: Value, q: Value) -> Value:
        """The `tally` of some images, a float32 scalar."""
        raise NotImplementedError(self.word)

    # Targets of data

    def refusal(self, y: "Array", names: Sequence[str]) -> str | None:
        """Why such targets cannot be learned by this task; None where they can."""
        raise NotImplementedError(self.word)

    def flaw(self, y: "Array", names: Sequence[str]) -> str | None:
        """What of targets that are not refused cannot be learned, and how to mend it."""
        return None

    def lack(self, y: "Array", names: Sequence[str]) -> str | None:
        """What `converted` training targets lack, so that there is nothing to learn."""
        return None

    def remarks(self, y: "Array", names: Sequence[str]) -> Iterable[str]:
        """What is worth a look in `converted` targets."""
        return ()

    def is_sure(self, y: "Array") -> bool:
        """Whether targets that are not refused can hardly be another task's."""
        return True

    def converted(self, y: "Array", names: Sequence[str]) -> "Array":
        """Targets as the step's input `y` takes them."""
        return y

    def names(self, y: "Array", names: tuple[str, ...], column: str = "number") -> tuple[str, ...]:
        """What the outputs are called, from what data call their targets and the column of them."""
        return names

    def soft(self, y: "Array", shape: Shape) -> "NDArray[np.float32]":
        """Targets that can be blended."""
        raise NotImplementedError(self.word)

    def counts(self, y: "Array", names: Sequence[str]) -> list[int]:
        """How many images show each class, for losses that weigh classes."""
        return []

    def overview(self, y: "Array", names: Sequence[str]) -> list[str]:
        """What of `converted` targets is told before training, a text each class or number."""
        counted = zip(names, self.counts(y, names), strict=True)
        return [f"{printable(name)} {count:,}" for name, count in counted]

    def weighed(self, counts: Sequence[int]) -> list[int]:
        """Those of the `counts` by which a loss weighs the outputs, one each."""
        return list(counts)

    def truths(self, y: "Array", names: tuple[str, ...]) -> list[str]:
        """What targets say of each image, to be read below it; nothing where it is not told."""
        return [""] * len(y)

    def reordered(self, y: "Array", places: Sequence[int]) -> "Array":
        """Targets with each class, label or number i moved to `places[i]`."""
        raise NotImplementedError(self.word)

    def fitted(self, y: "Array", names: Sequence[str], units: Sequence[str]) -> Self:
        """The task as it is after a look at the training targets."""
        return self

    # What a trained model does

    def width(self) -> int | None:
        """For how many outputs the task has been fitted; None where it was not."""
        return None

    def facts(self) -> dict[str, Any]:
        """All that it knows, as JSON values for the metadata of a model; see `task_from`."""
        return {"task": self.word} | {name: getattr(self, name) for name in _types(type(self))}

    def deployed(self, tape: Tape, x: Value) -> Value:
        """A main output as a compiled model gives it."""
        return x

    def of_answers(self) -> Self:
        """The task that meets `deployed` outputs, in which nothing is left to undo."""
        return self

    def meter(self, shape: Shape, names: tuple[str, ...]) -> Meter:
        """An empty meter for outputs of this shape; `names` are those of the targets."""
        raise NotImplementedError(self.word)

    def explained(self, tape: Tape, x: Value) -> Value:
        """Of outputs N×C, the number N×1 that a heat map explains: the largest."""
        at = tape.op("ArgMax", x, axis=1, keepdims=0)
        ends = tape.scalars([0, 1], x.dtype)
        chosen = tape.op("OneHot", at, tape.scalar(int(x.shape[1]), "int64"), ends, axis=1)
        return tape.op("ReduceSum", tape.op("Mul", x, chosen), tape.ints([1]), keepdims=1)

    def chances(self, tape: Tape, x: Value) -> Value:
        """Outputs N×C as a user reads them: probabilities where there are such."""
        return self.deployed(tape, x)

    @property
    def measure(self) -> str:
        """The metric by which two versions of one model are compared: that of `best`, no loss."""
        best = self.best.removeprefix("val_")
        return best if best != "loss" else self.falling[0]

    def tuned(self, scores: Scores) -> Self:
        """The task with what its scores on validation have chosen, such as thresholds."""
        return self

    def answers(self, outputs: "Floats", names: tuple[str, ...], k: int) -> list[Answer]:
        """What outputs of a deployed model, N×C×…, say of each image; at most k of many."""
        raise NotImplementedError(self.word)

    def is_right(self, answer: Answer, truth: str) -> bool:
        """Whether an answer is what `truths` says; never of numbers, which are only near."""
        return False

    def captions(self, outputs: "Floats", names: tuple[str, ...]) -> list[str]:
        """What outputs say of each image, to be read below it."""
        return [answer.text for answer in self.answers(outputs, names, 1)]


def task_from(facts: Mapping[str, Any]) -> Task:
    """The task that `Task.facts` told of; ValueError, KeyError or TypeError for anything else."""
    cls = registry[facts["task"]]
    known = {name: kind for name, kind in _types(cls).items() if facts.get(name) is not None}
    return cls(**{name: _read(facts[name], kind) for name, kind in known.items()})


def _types(cls: type[Task]) -> dict[str, Any]:
    """The fields of a task with their types, without None."""
    types = {f.name: f.type for f in fields(cls)}  # pyright: ignore[reportArgumentType]  (a dataclass)
    return {n: get_args(t)[0] if get_origin(t) is UnionType else t for n, t in types.items()}


def _read(value: Any, kind: Any) -> Any:
    """A value of a type, or a tuple of such."""
    if get_origin(kind) is tuple:
        return tuple(_read(each, get_args(kind)[0]) for each in value)
    read = kind(value)
    if isinstance(read, float) and not isfinite(read):
        raise ValueError(f"{value} is not finite")
    return read


def mean_per_image(tape: Tape, x: Value) -> Value:
    """The means over the outputs of N×C, summed over the images."""
    total = tape.op("ReduceSum", x, tape.ints([0, 1]), keepdims=0)
    return tape.op("Mul", total, tape.scalar(1 / int(x.shape[1]), x.dtype))


def vector_problem(shape: Shape) -> str | None:
    """Why an output is not a vector, C or C×1×1."""
    if all(size == 1 for size in shape[1:]):
        return None
    return f"training needs one vector a picture, but the model gives {shape}"


def as_vector(tape: Tape, x: Value) -> Value:
    """An output N×C×1×1 as N×C."""
    return x if len(x.shape) == 2 else tape.reshape(x, int(x.shape[0]), int(x.shape[1]))
