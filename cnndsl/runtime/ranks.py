"""The processes that share a run, each with a rank from 0."""

from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray


class Ranks(Protocol):
    """What processes that train together exchange. Every rank makes the same calls in turn."""

    @property
    def rank(self) -> int:
        """This process; 0 leads: it alone writes and shows."""
        ...

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def add(self, array: NDArray[Any]) -> None:
        """Replace an array by its sum over all ranks, in place."""
        ...

    def largest(self, number: int) -> int:
        """The largest of all ranks' numbers."""
        ...

    def gather(self, value: Any) -> list[Any]:
        """The values of all ranks, by rank, on each of them."""
        ...

    def share(self, value: Any) -> Any:
        """The value of rank 0, on all."""
        ...

    def stack(self, rows: NDArray[Any]) -> NDArray[Any] | None:
        """The rows of all ranks below each other, on rank 0; None on others."""
        ...

    def common(self, array: NDArray[Any] | None) -> NDArray[Any]:
        """An array of rank 0, on all, to be read: one copy a machine."""
        ...


@dataclass(frozen=True)
class Alone:
    """A process that shares its run with none."""

    rank: int = 0
    size: int = 1

    def add(self, array: NDArray[Any]) -> None:
        """The sum of one."""

    def largest(self, number: int) -> int:
        """The number."""
        return number

    def gather(self, value: Any) -> list[Any]:
        """The value."""
        return [value]

    def share(self, value: Any) -> Any:
        """The value."""
        return value

    def stack(self, rows: NDArray[Any]) -> NDArray[Any]:
        """The rows."""
        return rows

    def common(self, array: NDArray[Any] | None) -> NDArray[Any]:
        """The array."""
        assert array is not None
        return array


def share_of(ranks: Ranks, count: int) -> slice:
    """Which of so many things in a row are this rank's own: as many as any other's, or one less."""
    first, end = (count * (ranks.rank + i) // ranks.size for i in (0, 1))
    return slice(first, end)
