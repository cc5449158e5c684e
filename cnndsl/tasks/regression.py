"""Regression: numbers of an image, in their own units."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import isnan
from typing import TYPE_CHECKING, Any, Self

from cnndsl.graph.tape import Tape, Value
from cnndsl.results import Answer, Drawing, Scatter, Scores, Table, number
from cnndsl.source import printable
from cnndsl.tasks.base import Shape, Task, as_vector, mean_per_image, vector_problem
from cnndsl.tasks.meter import Meter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Floats = NDArray[np.float64]

_FEW = 0.1
_LARGE = 1e15


@dataclass(frozen=True)
class Regression(Task, word="regression"):
    """Numbers of an image, such as an age or a position: `task regression`.

    Its targets are N or N×K numbers, which the graph standardises: less their mean over the
    training images, over their standard deviation. The model gives K outputs without an activation;
    the compiled model answers in the numbers' own units. The loss is that of the standardised
    numbers. Metrics are the mean absolute error, the root of the mean square error, both in the
    numbers' own units, and R², the share of the variance that is explained: means over the numbers.
    """

    kind = "numbers"
    default_loss = "mse"
    tally = "absolute_error"
    running = "mae"
    rising = ("r2",)
    falling = ("mae", "rmse")
    best = "val_loss"
    nouns = "numbers"
    files = ("scatter.png",)

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    units: tuple[str, ...] = ()

    def problem(self, shape: Shape) -> str | None:
        """It needs one vector."""
        return vector_problem(shape)

    def output(self, tape: Tape, x: Value) -> Value:
        """N×K."""
        return as_vector(tape, x)

    def targets(self, tape: Tape, batch: int, shape: Shape, soft: bool, dtype: str) -> Value:
        """N×K, standardised."""
        y = tape.input("y", (batch, shape[0]), dtype)
        if not self.std:
            return y
        centred = tape.op("Sub", y, tape.scalars(self.mean, dtype))
        return tape.op("Mul", centred, tape.scalars([1 / s for s in self.std], dtype))

    def count(self, tape: Tape, x: Value, q: Value) -> Value:
        """Absolute errors in their own units, a mean over the numbers, summed over the images."""
        errors = tape.op("Abs", tape.op("Sub", x, q))
        if self.std:
            errors = tape.op("Mul", errors, tape.scalars(self.std, errors.dtype))
        return mean_per_image(tape, tape.op("Cast", errors, to="float32"))

    def deployed(self, tape: Tape, x: Value) -> Value:
        """An output in the numbers' own units."""
        if not self.std:
            return x
        x = as_vector(tape, x)
        scaled = tape.op("Mul", x, tape.scalars(self.std, x.dtype))
        return tape.op("Add", scaled, tape.scalars(self.mean, x.dtype))

    def refusal(self, y: "Array", names: Sequence[str]) -> str | None:
        """It needs numbers; class numbers are some where each class is called by a number."""
        if (y.dtype.kind == "f" and y.ndim <= 2) or (y.ndim == 1 and _values(names) is not None):
            return None
        return "a regression needs numbers"

    def is_sure(self, y: "Array") -> bool:
        """Whole numbers may be classes."""
        return y.dtype.kind == "f" and bool((y != y.round()).any())

    def converted(self, y: "Array", names: Sequence[str]) -> "Array":
        """N×K float32."""
        import numpy as np

        if y.dtype.kind != "f":
            y = np.asarray(_values(names))[y]
        return y.reshape(len(y), -1).astype(np.float32, copy=False)

    def names(self, y: "Array", names: tuple[str, ...], column: str = "number") -> tuple[str, ...]:
        """As data call them; of class numbers, the column that they stand in."""
        return names if y.dtype.kind == "f" else (column,)

    def soft(self, y: "Array", shape: Shape) -> "NDArray[np.float32]":
        """The same."""
        return y

    def overview(self, y: "Array", names: Sequence[str]) -> list[str]:
        """The least and the largest of each number."""
        ends = zip(names, y.min(0).tolist(), y.max(0).tolist(), strict=True)
        return [f"{printable(name)} {low:.4g} … {high:.4g}" for name, low, high in ends]

    def truths(self, y: "Array", names: tuple[str, ...]) -> list[str]:
        """The numbers, in their own units, of three digits."""
        rows = y.reshape(len(y), -1)
        named = [printable(n) for n in names] or [""] * rows.shape[1]
        pairs = (zip(named, row, strict=True) for row in rows)
        return ["  ".join(f"{n} {_short(v)}".lstrip() for n, v in row) for row in pairs]

    def reordered(self, y: "Array", places: Sequence[int]) -> "Array":
        """Columns moved."""
        out = y.copy()
        out[:, list(places)] = y
        return out

    def remarks(self, y: "Array", names: Sequence[str]) -> Iterator[str]:
        """Numbers that are all the same; a few beside 0 and 1, where labels may be meant."""
        import numpy as np

        for name, low, high in zip(names, y.min(0).tolist(), y.max(0).tolist(), strict=True):
            if low == high:
                yield f"{printable(name)} is {low:g} of every training image: nothing to learn"
        others = np.argwhere((y != 0) & (y != 1))
        if y.shape[1] > 1 and 0 < len(others) < _FEW * y.size:
            row, column = others[0].tolist()
            told = f"{names[column]} of training image {row} is {y[row, column]:g}"
            yield f"nearly all numbers are 0 or 1, but {told}: they are not taken for labels"

    def fitted(self, y: "Array", names: Sequence[str], units: Sequence[str]) -> Self:
        """With mean and standard deviation of the training targets; 1 for a constant."""
        import numpy as np

        mean, std = y.mean(0, dtype=np.float64), y.std(0, dtype=np.float64)
        std = np.where(std > 1e-12 * np.abs(mean), std, 1.0)
        return replace(self, mean=tuple(mean.tolist()), std=tuple(std.tolist()), units=tuple(units))

    def width(self) -> int | None:
        """As many as it has looked at."""
        return len(self.std) or None

    def of_answers(self) -> Self:
        """Answers are in the numbers' own units."""
        return replace(self, mean=(), std=())

    def meter(self, shape: Shape, names: tuple[str, ...]) -> Meter:
        """Keeps the numbers, for the scatter."""
        return _Meter(self, names)

    def answers(self, outputs: "Array", names: tuple[str, ...], k: int) -> list[Answer]:
        """The numbers with their units; four digits of them to read, all in the record."""
        rows = outputs.reshape(len(outputs), -1)
        count = rows.shape[1]
        named = [printable(n) for n in names] or [f"number {i}" for i in range(count)]
        units = [printable(u) for u in self.units] or [""] * count
        return [_answer(row.tolist(), named, units) for row in rows]

    def captions(self, outputs: "Array", names: tuple[str, ...]) -> list[str]:
        """As the truths: the two are read one below the other."""
        return self.truths(outputs, names)


@dataclass
class _Meter:
    """Numbers of the images so far, in their own units."""

    task: Regression
    names: tuple[str, ...]
    predicted: "list[Floats]" = field(default_factory=list["Floats"])
    truth: "list[Floats]" = field(default_factory=list["Floats"])

    def add(self, outputs: "Array", targets: "Array") -> None:
        """Keep a batch; outputs are standardised."""
        import numpy as np

        mean, std = self.task.mean or (0.0,), self.task.std or (1.0,)
        rows = outputs.reshape(len(targets), -1).astype(np.float64)
        self.predicted.append(rows * std + mean)
        self.truth.append(targets.astype(np.float64))

    def scores(self, loss: float) -> "RegressionScores":
        """All metrics."""
        import numpy as np

        from cnndsl.metrics import r_squared

        truth, predicted = np.concatenate(self.truth), np.concatenate(self.predicted)
        errors = predicted - truth
        return RegressionScores(
            loss, self.names, self.task.units, np.abs(errors).mean(0),
            np.sqrt(np.square(errors).mean(0)), r_squared(truth, predicted), truth, predicted,
        )  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class RegressionScores(Scores):
    """What is told of each number: arrays are by number, `truth` and `predicted` N×K."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    maes: "NDArray[np.float64]"
    rmses: "NDArray[np.float64]"
    r2s: "NDArray[np.float64]"
    truth: "NDArray[np.float64]"
    predicted: "NDArray[np.float64]"

    def columns(self) -> dict[str, float]:
        """Loss, mean absolute error, root mean square error, R²: means over the numbers."""
        from cnndsl.metrics import mean_of_known

        return {
            "loss": self.loss,
            "mae": float(self.maes.mean()),
            "rmse": float(self.rmses.mean()),
            "r2": mean_of_known(self.r2s),
        }

    def _rows(self) -> "list[tuple[str, str, float, float, float]]":
        units = self.units or ("",) * len(self.names)
        metrics = (each.tolist() for each in (self.maes, self.rmses, self.r2s))
        return list(zip(self.names, units, *metrics, strict=True))

    def as_dict(self) -> dict[str, Any]:
        """Also the metrics of each number."""
        heads = ("unit", "mae", "rmse", "r2")
        rows = {row[0]: dict(zip(heads, row[1:], strict=True)) for row in self._rows()}
        return {**super().as_dict(), "per_number": rows}

    def table(self) -> Table:
        """A row a number."""
        r2 = self.columns()["r2"]
        why = " (the true numbers are all the same)" if isnan(r2) else ""
        title = f"loss {self.loss:.4f}, R² {number(r2, 4)}{why}{self.over()}"
        rows = tuple(
            (printable(name), printable(unit), f"{mae:.4g}", f"{rmse:.4g}", number(r2, 4))
            for name, unit, mae, rmse, r2 in self._rows()
        )
        return Table(title, ("number", "unit", "MAE", "RMSE", "R²"), rows)

    def drawings(self) -> tuple[Drawing, ...]:
        """Truth against prediction."""
        units = self.units or ("",) * len(self.names)
        named = tuple(
            f"{name} [{unit}]" if unit else name
            for name, unit in zip(self.names, units, strict=True)
        )
        return (Scatter("scatter.png", self.truth, self.predicted, named),)


def _values(names: Sequence[str]) -> list[float] | None:
    """Names of classes as numbers, where all are."""
    try:
        return [float(name) for name in names]
    except ValueError:
        return None


def _answer(row: list[float], names: Sequence[str], units: Sequence[str]) -> Answer:
    """Of one image."""
    named = list(zip(names, row, units, strict=True))
    text = "  ".join(f"{name} {_short(v, 4)} {unit}".rstrip() for name, v, unit in named)
    record = [{"name": name, "value": v, "unit": unit} for name, v, unit in named]
    return Answer(dict(zip(names, row, strict=True)), text, {"numbers": record})


def _short(number: float, digits: int = 3) -> str:
    """So many significant digits; of larger numbers up to 10¹⁵ all before the point."""
    text = f"{number:.{digits}g}"
    return f"{number:.0f}" if "e+" in text and abs(number) < _LARGE else text
