"""Meters: metrics as they are gathered, batch by batch."""

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Protocol, cast

from cnndsl.results import Scores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Floats = NDArray[np.floating[Any]]


class Meter(Protocol):
    """Gathers what metrics need, batch by batch, in bounded memory.

    A dataclass: its arrays are sums over images, its lists are in the order of images. So those of
    parts of the images can be `merged`.
    """

    def add(self, outputs: "Floats", targets: "Array") -> None:
        """Count a batch: the model's outputs and the targets of its images."""
        ...

    def scores(self, loss: float) -> Scores:
        """The metrics of all that was counted, beside the mean loss."""
        ...


def merged(meters: "Sequence[Meter]") -> Meter:
    """One meter for the images of all, which are in the order of the meters."""
    first, *others = meters
    for other in others:
        for field in fields(cast(Any, first)):
            value, more = getattr(first, field.name), getattr(other, field.name)
            if isinstance(value, list) or hasattr(value, "dtype"):
                value += more
    return first
