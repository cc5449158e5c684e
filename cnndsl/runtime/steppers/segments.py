"""Runs a graph that is cut at means over all ranks: a session a segment, an exchange between two.

All that stands between segments lives in arrays that are bound once, as long as the run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.runtime.ranks import Ranks
from cnndsl.runtime.session import Port, Session, open_session, runtime, zeros
from cnndsl.runtime.steppers.base import Arrays


@dataclass(frozen=True)
class SegmentGraph:
    """A serialised segment; `means` name the averages of some outputs, as later ones read them."""

    graph: bytes
    means: Mapping[str, str]


class Segments:
    """The sessions of a graph on the CPU; one of them where nothing is averaged within it."""

    def __init__(self, graphs: Sequence[SegmentGraph], ranks: Ranks, threads: int | None) -> None:
        self._ranks = ranks
        self._sessions = [open_session(g.graph, "cpu", threads, lean=True) for g in graphs]
        self._reads = [{port.name for port in s.get_inputs()} for s in self._sessions]
        ports = [port for session in self._sessions for port in session.get_inputs()]
        made = {port.name: port for session in self._sessions for port in session.get_outputs()}
        wanted = {port.name for port in ports}
        self._between = {n: zeros(port) for n, port in made.items() if n in wanted}
        self._exchanged = [self._room(g.means, made) for g in graphs]
        inside = {*self._between, *(part for g in graphs for part in g.means)}
        self.inputs = {port.name: port for port in ports if port.name not in inside}
        self.outputs = {n: port for n, port in made.items() if n not in inside}

    def _room(self, means: Mapping[str, str], made: Mapping[str, Port]) -> NDArray[Any]:
        """One flat buffer for what is averaged behind a segment: each part, then its mean."""
        parts = {part: zeros(made[part]) for part in means}
        room = np.concatenate([np.zeros(0), *(a.reshape(-1) for a in parts.values())])
        room, at = room.astype(next((a.dtype for a in parts.values()), room.dtype)), 0
        for part, array in parts.items():
            view = room[at : at + array.size].reshape(array.shape)
            self._between |= {part: view, means[part]: view}
            at += array.size
        return room

    @property
    def exchanges(self) -> list[int]:
        """Bytes of each exchange."""
        return [room.nbytes for room in self._exchanged if room.size]

    @property
    def held(self) -> int:
        """Bytes that stand between segments."""
        return sum(array.nbytes for array in self._between.values())

    def bound(self, inputs: Arrays, outputs: Arrays) -> list[Any]:
        """A binding of each session whose inputs and outputs are these arrays, without copies."""
        between = self._between
        return [bound(s, {**inputs, **between}, {**outputs, **between}) for s in self._sessions]

    def run(self, bindings: Sequence[Any], feed: Arrays) -> None:
        """Compute all segments; what they average is averaged over the ranks."""
        each = zip(self._sessions, self._reads, bindings, self._exchanged, strict=True)
        for session, reads, binding, room in each:
            run(session, binding, {name: a for name, a in feed.items() if name in reads})
            if room.size:
                self._ranks.add(room)
                room /= self._ranks.size


def bound(session: Session, inputs: Arrays, outputs: Arrays) -> Any:
    """A binding whose inputs and outputs are these arrays, without copies."""
    binding, value = session.io_binding(), runtime().OrtValue.ortvalue_from_numpy
    for name in {i.name for i in session.get_inputs()} & inputs.keys():
        binding.bind_ortvalue_input(name, value(inputs[name], "cpu", 0))
    for output in session.get_outputs():
        binding.bind_ortvalue_output(output.name, value(outputs[output.name], "cpu", 0))
    return binding


def run(session: Session, binding: Any, feed: Arrays) -> None:
    """Run with a binding; what is fed beside it is read, not kept."""
    held = {name: np.ascontiguousarray(array) for name, array in feed.items()}
    for name, array in held.items():
        binding.bind_cpu_input(name, array)
    session.run_with_iobinding(binding)
