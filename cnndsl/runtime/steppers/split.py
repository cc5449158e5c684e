"""Runs a step as two graphs: gradients of parts of the batch, then one update by their mean.

Parts of one process come one after the other (gradient accumulation), those of other processes at
the same time (data-parallel training). In between, all that parts have in common stands in one
flat buffer, which lives as long as the run: gradients, loss, tally and running statistics.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.backend.loss_scale import SKIPPED
from cnndsl.runtime.ranks import Alone, Ranks
from cnndsl.runtime.session import open_session, zeros
from cnndsl.runtime.steppers.base import Arrays
from cnndsl.runtime.steppers.segments import (
    SegmentGraph,
    Segments,
    bound,
    run,
)

_ALIGNED = 64  # bytes: where kernels like an array to begin
_SUFFIX = ".new"


@dataclass(frozen=True)
class _Flat:
    """Arrays side by side in one buffer: those that are summed, then running statistics."""

    buffer: NDArray[Any]
    views: Mapping[str, NDArray[Any]]
    summed: int  # elements of the first kind

    @staticmethod
    def of(shapes: Mapping[str, tuple[int, ...]], dtype: Any) -> "_Flat":
        """Zeros for arrays of these shapes; statistics are known by their suffix."""
        names = sorted(shapes, key=lambda name: name.endswith(_SUFFIX))
        step = _ALIGNED // np.dtype(dtype).itemsize
        sizes = [-(-prod(shapes[name]) // step) * step for name in names]
        room = np.zeros(sum(sizes) + step, dtype)
        first = -room.ctypes.data % _ALIGNED // room.itemsize
        buffer, views, at = room[first : first + sum(sizes)], dict[str, NDArray[Any]](), 0
        for name, size in zip(names, sizes, strict=True):
            views[name] = buffer[at : at + prod(shapes[name])].reshape(shapes[name])
            at += size
        is_summed = zip(names, sizes, strict=True)
        return _Flat(buffer, views, sum(s for name, s in is_summed if not name.endswith(_SUFFIX)))


class SplitStepper:
    """Sessions on the CPU for gradients and for the update, with their state.

    `gradient` is the graph of the former, whole or cut at means over the ranks; `state` is every
    state tensor at its start, in the step's layout. `parts` are those of a batch, one after the
    other: each as large as the graph's batch. Results are those of the whole, but for layers that
    mix its images and average nothing over the ranks: these see a part.
    """

    def __init__(
        self, gradient: Sequence[SegmentGraph], update: bytes, state: Arrays, parts: int = 1,
        threads: int | None = None, ranks: Ranks | None = None,
    ) -> None:  # fmt: skip
        self._ranks = ranks or Alone()
        self.gradient = Segments(gradient, self._ranks, threads)
        self._update = open_session(update, "cpu", threads, lean=True)
        ports = self.gradient.outputs
        shapes, dtype = {n: zeros(p).shape for n, p in ports.items()}, zeros(ports["loss"]).dtype
        self._total = _Flat.of(shapes, dtype)
        self._part = self._total if parts == 1 else _Flat.of(shapes, dtype)
        self._tally = next(name for name in shapes if "." not in name and name != "loss")
        self._statistics = [n.removesuffix(_SUFFIX) for n in shapes if n.endswith(_SUFFIX)]
        self._sets = tuple({n: a.copy() for n, a in state.items()} for _ in range(2))
        self._running = {name: state[name].copy() for name in self._statistics}
        self._size = zeros(self.gradient.inputs["x"]).shape[0]
        self._gradients = [self._gradient_of(before) for before in self._sets]
        self._updates = [self._update_of(*(self._sets[i] for i in way)) for way in ((0, 1), (1, 0))]
        self._turn = 0

    def _gradient_of(self, before: Arrays) -> Any:
        """Bindings of the gradient's sessions: into the buffer of a part."""
        return self.gradient.bound({**before, **self._running}, self._part.views)

    def _update_of(self, before: Arrays, after: Arrays) -> Any:
        """A binding of the update's session: out of the buffer of the total."""
        total = self._total.views
        new = {name: total[name + _SUFFIX] for name in self._statistics}
        inputs = {**before, **new, **{n: a for n, a in total.items() if n.endswith(".grad")}}
        return bound(self._update, inputs, {n + _SUFFIX: a for n, a in after.items()})

    def step(self, inputs: Arrays) -> None:
        """One step on a batch: `x`, `y`, `lr` and random inputs. The arrays are read, not kept."""
        with np.errstate(invalid="ignore"):  # gradients of float16 may be infinite
            self._step(inputs)

    def _step(self, inputs: Arrays) -> None:
        before, after = self._sets[self._turn], self._sets[1 - self._turn]
        _copy(self._running, {name: before[name] for name in self._running})
        if self._part is not self._total:
            self._total.buffer[:] = 0
        parts = len(inputs["x"]) // self._size
        for i in range(parts):
            rows = slice(i * self._size, (i + 1) * self._size)
            self._add_part({name: a[rows] for name, a in inputs.items() if name != "lr"})
        self._average(parts)
        run(self._update, self._updates[self._turn], {"lr": inputs["lr"]})
        new = {name: self._total.views[name + _SUFFIX] for name in self._running}
        _copy(after, {n: before[n] for n in new} if _is_skipped(before, after) else new)
        self._turn = 1 - self._turn

    def _add_part(self, feed: Arrays) -> None:
        self.gradient.run(self._gradients[self._turn], feed)
        part, total = self._part, self._total
        if part is not total:
            total.buffer[: part.summed] += part.buffer[: part.summed]
            total.buffer[part.summed :] = part.buffer[part.summed :]
        _copy(self._running, {name: part.views[name + _SUFFIX] for name in self._running})

    def _average(self, parts: int) -> None:
        """Means over all parts of all ranks, but the sum of the tally."""
        total, size = self._total, self._ranks.size
        self._ranks.add(total.buffer)
        total.views[self._tally][...] *= parts * size
        total.buffer[: total.summed] /= parts * size
        total.buffer[total.summed :] /= size

    @property
    def message(self) -> NDArray[Any]:
        """The buffer that all ranks sum in each step."""
        return self._total.buffer

    @property
    def loss(self) -> float:
        """Mean loss of the last batch, before its update."""
        return float(self._total.views["loss"])

    @property
    def tally(self) -> float:
        """The step's output beside the loss: a sum over the last batch, such as right answers."""
        return float(self._total.views[self._tally])

    def state(self) -> dict[str, NDArray[Any]]:
        """A copy of the state now."""
        return {name: array.copy() for name, array in self._sets[self._turn].items()}

    def state_before(self) -> dict[str, NDArray[Any]]:
        """A copy of the state before the last step."""
        return {name: array.copy() for name, array in self._sets[1 - self._turn].items()}

    def load(self, state: Arrays) -> None:
        """Replace the state."""
        for arrays in self._sets:
            _copy(arrays, {name: state[name] for name in arrays})


def _is_skipped(before: Arrays, after: Arrays) -> bool:
    """Whether a step in float16 has changed nothing; then statistics stay, too."""
    return SKIPPED in before and bool(after[SKIPPED] > before[SKIPPED])


def _copy(into: Arrays, arrays: Arrays) -> None:
    for name, array in arrays.items():
        np.copyto(into[name], array)
