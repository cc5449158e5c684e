"""Runs a step as replicas side by side: each computes its rows of the batch on cores of its own.

One session of several threads hands every tensor from core to core. Replicas exchange gradients
alone, so that they lose nothing where cores are far apart, as those without a common cache are.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import BrokenBarrierError
from typing import Any

from numpy.typing import NDArray

from cnndsl.runtime.ranks import share_of
from cnndsl.runtime.steppers.base import Arrays
from cnndsl.runtime.steppers.split import SplitStepper
from cnndsl.runtime.team import TeamRank


class ReplicaStepper:
    """Steppers that are the ranks of one team, each in a thread."""

    def __init__(self, replicas: Sequence[SplitStepper], team: Sequence[TeamRank]) -> None:
        self._replicas, self._team = replicas, team
        self._pool = ThreadPoolExecutor(len(replicas), "replica")

    def step(self, inputs: Arrays) -> None:
        """One step on a batch: `x`, `y`, `lr` and random inputs. The arrays are read, not kept."""
        running = [
            self._pool.submit(self._part, stepper, rank, inputs)
            for stepper, rank in zip(self._replicas, self._team, strict=True)
        ]
        errors = [error for future in running if (error := future.exception())]
        if errors:
            raise min(errors, key=lambda error: isinstance(error, BrokenBarrierError))

    def _part(self, stepper: SplitStepper, rank: TeamRank, inputs: Arrays) -> None:
        rows = share_of(rank, len(inputs["x"]))
        with rank.joined():
            stepper.step({name: a if name == "lr" else a[rows] for name, a in inputs.items()})

    @property
    def loss(self) -> float:
        """Mean loss of the last batch, before its update."""
        return self._replicas[0].loss

    @property
    def tally(self) -> float:
        """The step's output beside the loss: a sum over the last batch, such as right answers."""
        return self._replicas[0].tally

    def state(self) -> dict[str, NDArray[Any]]:
        """A copy of the state now."""
        return self._replicas[0].state()

    def state_before(self) -> dict[str, NDArray[Any]]:
        """A copy of the state before the last step."""
        return self._replicas[0].state_before()

    def load(self, state: Arrays) -> None:
        """Replace the state."""
        for replica in self._replicas:
            replica.load(state)
