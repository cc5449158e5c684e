"""What an evaluation gives, as values: scores, tables, and what of them can be drawn."""

from dataclasses import asdict, dataclass, field
from html import escape
from math import isnan
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy import float64, int64, uint8
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Table:
    """A title, column heads and rows of text; the first column is a name."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        lines = (self.heads, *self.rows)
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        title = [self.title] if self.title else []
        return "\n".join([*title, *(_aligned(line, widths) for line in lines)]).rstrip()

    def html(self) -> str:
        """The same for a notebook."""
        head = "".join(f"<th>{escape(text)}</th>" for text in self.heads)
        rows = ("".join(f"<td>{escape(text)}</td>" for text in row) for row in self.rows)
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<div>{escape(self.title)}</div><table><tr>{head}</tr>{body}</table>"


def _aligned(line: tuple[str, ...], widths: list[int]) -> str:
    name, *rest = (
        text.ljust(width) if i == 0 else text.rjust(width)
        for i, (text, width) in enumerate(zip(line, widths, strict=True))
    )
    return "  ".join([name, *rest]).rstrip()


@dataclass(frozen=True, eq=False)
class Matrix:
    """Counts to draw as a square of shares: rows are true classes, columns predicted ones."""

    file: str
    counts: "NDArray[int64]"
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Scatter:
    """Numbers to draw against the true ones, N×K each, a panel for each of `names`."""

    file: str
    truth: "NDArray[float64]"
    predicted: "NDArray[float64]"
    names: tuple[str, ...]


def number(value: float, digits: int = 3) -> str:
    """A cell of a table; `-` for NaN, where there is nothing to measure."""
    return "-" if isnan(value) else f"{value:.{digits}f}"


Drawing = Matrix | Scatter


EMPTY = "the heat map is empty: by its measure no place raises the score of the answer"


@dataclass(frozen=True)
class Mistake:
    """An image whose answer is wrong: `number` is its place among those that are measured, `file`
    where it is drawn under a heat map of what the answer rests on, which may be `empty`.
    """

    file: str
    number: int
    said: str
    true: str
    loss: float
    empty: bool = False

    def as_dict(self) -> dict[str, Any]:
        """All that can be written as JSON."""
        return asdict(self)

    def __str__(self) -> str:
        told = f"{self.file}: image {self.number}: {self.said}, true: {self.true}"
        return f"{told} (the heat map is empty)" if self.empty else told


@dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """What a model does on a split; each task has its own kind."""

    loss: float
    measured: int = field(default=0, kw_only=True)
    """How many images."""
    mistakes: tuple[Mistake, ...] = field(default=(), kw_only=True)
    """The worst ones, where they were asked for."""

    def columns(self) -> dict[str, float]:
        """The numbers of an epoch's row, `loss` first; in the row `val_` stands before them."""
        return {"loss": self.loss}

    def summary(self, before: str = "") -> str:
        """The metrics and then the loss: `accuracy 0.9312, loss 0.2011`."""
        loss, *metrics = [f"{before}{name} {number(v, 4)}" for name, v in self.columns().items()]
        return ", ".join([*metrics, loss])

    def as_dict(self) -> dict[str, Any]:
        """All that can be written as JSON."""
        return {"images": self.measured, **self.columns()}

    def table(self) -> Table:
        """What `cnndsl eval` prints."""
        columns = self.columns()
        return Table(
            ", ".join(f"{n} {number(v, 4)}" for n, v in columns.items()) + self.over(), (), ()
        )

    def over(self) -> str:
        """The end of a table's title: ` over 50 pictures`."""
        return f" over {self.measured:,} picture{'' if self.measured == 1 else 's'}"

    def drawings(self) -> tuple[Drawing, ...]:
        """What is drawn in the run folder at the end."""
        return ()

    def __repr__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table().html()


@dataclass(frozen=True)
class Answer:
    """A prediction for one image: as a value in Python, as text, and as fields of JSON.

    `mask` is one of class numbers, H×W, that can be drawn.
    """

    value: Any
    text: str
    record: dict[str, Any]
    mask: "NDArray[uint8] | None" = None
