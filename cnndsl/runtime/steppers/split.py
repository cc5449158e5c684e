"""Runs a step as two graphs: gradients of parts of the batch, then one update by their mean.

Parts of one process come one after the other (gradient accumulation), those of other processes at
the same time (data-parallel training). In between, all that parts have in common stands in one
flat buffer, which lives as long as the run: gradients, loss, tally and running statistics.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.runtime.ranks import Alone, Ranks
from cnndsl.runtime.session import Port, Session, open_session, runtime
from cnndsl.runtime.steppers.base import Arrays

_ALIGNED = 64  # bytes: where kernels like an array to begin
_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64}
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
    """Two sessions on the CPU, for gradients and for the update, with their state.

    `graphs` are the two, serialised; `state` is every state tensor at its start, in the step's
    layout. `parts` are those of a batch, one after the other: each as large as the first graph's
    batch. Results are those of the whole, but for layers that mix its images: these see a part.
    """

    def __init__(
        self, graphs: tuple[bytes, bytes], state: Arrays, parts: int = 1,
        threads: int | None = None, ranks: Ranks | None = None,
    ) -> None:  # fmt: skip
        self._ranks = ranks or Alone()
        self._gradient, self._update = (open_session(g, "cpu", threads, lean=True) for g in graphs)
        ports = self._gradient.get_outputs()
        shapes, dtype = {port.name: _shape(port) for port in ports}, _TYPES[ports[0].type]
        self._total = _Flat.of(shapes, dtype)
        self._part = self._total if parts == 1 else _Flat.of(shapes, dtype)
        self._tally = next(name for name in shapes if "." not in name and name != "loss")
        self._statistics = [n.removesuffix(_SUFFIX) for n in shapes if n.endswith(_SUFFIX)]
        self._sets = tuple({n: a.copy() for n, a in state.items()} for _ in range(2))
        self._running = {name: state[name].copy() for name in self._statistics}
        self._size = next(_shape(i)[0] for i in self._gradient.get_inputs() if i.name == "x")
        self._gradients = [self._gradient_of(before) for before in self._sets]
        self._updates = [self._update_of(*(self._sets[i] for i in way)) for way in ((0, 1), (1, 0))]
        self._turn = 0

    def _gradient_of(self, before: Arrays) -> Any:
        """A binding of the gradient's session: into the buffer of a part."""
        return _bound(self._gradient, {**before, **self._running}, self._part.views)

    def _update_of(self, before: Arrays, after: Arrays) -> Any:
        """A binding of the update's session: out of the buffer of the total."""
        total = self._total.views
        new = {name: total[name + _SUFFIX] for name in self._statistics}
        inputs = {**before, **new, **{n: a for n, a in total.items() if n.endswith(".grad")}}
        return _bound(self._update, inputs, {n + _SUFFIX: a for n, a in after.items()})

    def step(self, inputs: Arrays) -> None:
        """One step on a batch: `x`, `y`, `lr` and random inputs. The arrays are read, not kept."""
        before, after = self._sets[self._turn], self._sets[1 - self._turn]
        _copy(self._running, {name: before[name] for name in self._running})
        if self._part is not self._total:
            self._total.buffer[:] = 0
        parts = len(inputs["x"]) // self._size
        for i in range(parts):
            rows = slice(i * self._size, (i + 1) * self._size)
            self._add_part({name: a[rows] for name, a in inputs.items() if name != "lr"})
        self._average(parts)
        _run(self._update, self._updates[self._turn], {"lr": inputs["lr"]})
        _copy(after, {name: self._total.views[name + _SUFFIX] for name in self._running})
        self._turn = 1 - self._turn

    def _add_part(self, feed: Arrays) -> None:
        _run(self._gradient, self._gradients[self._turn], feed)
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


def _shape(port: Port) -> tuple[int, ...]:
    return tuple(int(d or 0) for d in port.shape)


def _bound(session: Session, inputs: Arrays, outputs: Arrays) -> Any:
    """A binding whose inputs and outputs are these arrays, without copies."""
    binding, value = session.io_binding(), runtime().OrtValue.ortvalue_from_numpy
    for name in {i.name for i in session.get_inputs()} & inputs.keys():
        binding.bind_ortvalue_input(name, value(inputs[name], "cpu", 0))
    for output in session.get_outputs():
        binding.bind_ortvalue_output(output.name, value(outputs[output.name], "cpu", 0))
    return binding


def _run(session: Session, binding: Any, feed: Arrays) -> None:
    held = {name: np.ascontiguousarray(array) for name, array in feed.items()}
    for name, array in held.items():
        binding.bind_cpu_input(name, array)
    session.run_with_iobinding(binding)


def _copy(into: Arrays, arrays: Arrays) -> None:
    for name, array in arrays.items():
        np.copyto(into[name], array)
