"""Batches in an order and with random numbers that depend on seed, epoch and step only.

A counter-based generator makes any batch reproducible by itself: a resumed run goes on with exactly
the batches that the interrupted one would have had.
"""

import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.data.dataset import Images, Split, Targets
from cnndsl.recipe import Recipe
from cnndsl.recipe_checks import check_divides
from cnndsl.training.augment import drawn_pairs, mixed, moved, moved_together, recoloured
from cnndsl.training.own_rows import OwnRows

Feed = dict[str, NDArray[Any]]
_AHEAD = 4


def part_size(recipe: Recipe, ranks: int = 1) -> int:
    """Images that are computed at once: a batch over `accumulate` and over all ranks.

    UserError, with the batches that can be divided so, where this one cannot.
    """
    check_divides(recipe, ranks)
    return recipe.batch // (recipe.accumulate * ranks)


@dataclass(frozen=True)
class Batches:
    """The batches of a run. `randoms` are the step's random inputs, by name and shape.

    `rows` are the part of each batch that is taken, and alone read and augmented: what is drawn
    for an image does not depend on it. Of data that hold several `views` of each image, one behind
    the other, an epoch takes one, in turn.
    """

    data: Split
    recipe: Recipe
    shape: tuple[int, ...]  # of the model's main output
    randoms: tuple[tuple[str, tuple[int, ...]], ...] = ()
    rows: slice = field(default_factory=lambda: slice(None))
    views: int = 1

    @property
    def _images(self) -> int:
        return len(self.data) // self.views

    @property
    def steps(self) -> int:
        """Steps an epoch; pictures that fill no batch wait for the next epoch's order."""
        return self._images // self.recipe.batch

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The pictures of an epoch."""
        order = _generator(self.recipe.seed, epoch, 0).permutation(self._images)
        return order + epoch % self.views * self._images

    @cached_property
    def _flip_parity(self) -> NDArray[np.bool_]:
        """Which pictures `flip` mirrors in the first epoch; in the next the others, and so on.

        So each picture shows its two faces equally often, in turn. Source: Jordan 2024,
        arXiv:2404.00498 (alternating flip).
        """
        return _generator(self.recipe.seed, 0, 0, stream=1).random(len(self.data)) < 0.5

    def make(self, epoch: int, step: int, order: NDArray[np.int64]) -> Feed:
        """One batch: `x`, `y` and the random inputs."""
        batch, seed, alpha = self.recipe.batch, self.recipe.seed, self.recipe.augment.mixup
        rng, rows = _generator(seed, epoch, step + 1), np.arange(batch)[self.rows]
        which = order[step * batch : (step + 1) * batch]
        if alpha:
            share, other = drawn_pairs(alpha, batch, _generator(seed, epoch, step + 1, stream=2))
            both = np.concatenate([rows, other[rows]])
            once, places = np.unique(both, return_inverse=True)
            x, y = (a[places] for a in self._augmented(which, epoch, OwnRows(rng, batch, once)))
            x, y = mixed(x, self.recipe.known_task().soft(y, self.shape), share)
        else:
            x, y = self._augmented(which, epoch, OwnRows(rng, batch, rows))
        drawn = {name: rng.random(shape, np.float32)[self.rows] for name, shape in self.randoms}
        return {n: np.ascontiguousarray(a) for n, a in {"x": x, "y": y, **drawn}.items()}

    def _augmented(
        self, which: NDArray[np.int64], epoch: int, rng: OwnRows
    ) -> tuple[Images, Targets]:
        """The rows of `rng` of the pictures of a batch."""
        how, which = self.recipe.augment, which[rng.rows]
        mirrored = self._flip_parity[which] ^ bool(epoch % 2)
        x, y = self.data.x[which], self.data.y[which]
        if self.recipe.known_task().moves:
            x, y = moved_together(x, y, how, mirrored, rng)
        else:
            x = moved(x, how, mirrored, rng)
        return recoloured(x, how, rng), y

    def epoch(self, epoch: int, first: int = 0) -> Generator[Feed]:
        """The batches of an epoch from a step on, made ahead by a thread so that no step waits."""
        order = self.order(epoch)
        return _prefetch(self.make(epoch, step, order) for step in range(first, self.steps))


def _generator(seed: int, epoch: int, step: int, stream: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, stream], counter=[0, 0, epoch, step]))


def _prefetch(made: Iterator[Feed]) -> Generator[Feed]:
    """A few items ahead, by one thread, which ends with its reader."""
    waiting: queue.Queue[Feed | BaseException | None] = queue.Queue(_AHEAD)
    left = threading.Event()

    def put(item: Feed | BaseException | None) -> None:
        while not left.is_set():
            try:
                return waiting.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in made:
                put(item)
                if left.is_set():
                    return
            put(None)
        except BaseException as error:  # handed to the reader
            put(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        left.set()
