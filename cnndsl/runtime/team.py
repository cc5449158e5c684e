"""Ranks that are threads of one process."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Barrier
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.runtime.ranks import Alone, share_of


@dataclass(frozen=True)
class TeamRank(Alone):
    """One thread of a team, which sums arrays with the others. All else is the process's own."""

    barrier: Barrier = field(default_factory=lambda: Barrier(1))
    parts: list[NDArray[Any]] = field(default_factory=list[Any])  # what each rank adds now

    @contextmanager
    def joined(self) -> Generator[None]:
        """Ends the waiting of the others where this one leaves by an error."""
        try:
            yield
        except BaseException:
            self.barrier.abort()
            raise

    def add(self, array: NDArray[Any]) -> None:
        """Replace an array by its sum over all ranks, in place; each rank sums a share of it."""
        self.parts[self.rank] = array
        self.barrier.wait()
        own = share_of(self, array.size)
        total = sum(part.reshape(-1)[own] for part in self.parts)
        for part in self.parts:
            part.reshape(-1)[own] = total
        self.barrier.wait()


def team(size: int) -> list[TeamRank]:
    """The ranks of a team."""
    barrier, parts = Barrier(size), [np.zeros(0)] * size
    return [TeamRank(rank, size, barrier, parts) for rank in range(size)]
