"""What a trainer needs of whatever runs its steps."""

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


class Stepper(Protocol):
    """Holds the state of a run, in the step's layout, and advances it batch by batch."""

    def step(self, inputs: Arrays) -> None:
        """One step on a batch: `x`, `y`, `lr` and random inputs. The arrays are read, not kept."""
        ...

    @property
    def loss(self) -> float:
        """Mean loss of the last batch, before its update."""
        ...

    @property
    def tally(self) -> float:
        """The step's output beside the loss: a sum over the last batch, such as right answers."""
        ...

    def state(self) -> dict[str, NDArray[Any]]:
        """A copy of the state now."""
        ...

    def state_before(self) -> dict[str, NDArray[Any]]:
        """A copy of the state before the last step."""
        ...

    def load(self, state: Arrays) -> None:
        """Replace the state."""
        ...
