"""What onnxruntime's CPU arena will hold for a tape: its buffers and its allocator, replayed.

The sum of live tensors is not an estimate: chunks are up to twice as large as what is in them, and
regions double.
"""

from bisect import bisect_left, insort
from collections import defaultdict

import numpy as np

from cnndsl.graph.ops import has
from cnndsl.graph.ops.base import Trait
from cnndsl.graph.passes.node_order import runtime_order
from cnndsl.graph.tape import Node, Tape, Value

_ROUND = 256
_FIRST, _LAST = 1 << 20, 1 << 30  # regions double from here to here
_DEAD = 128 << 20  # a chunk with more than this unused is split
Chunk = tuple[int, int]  # region and offset


def arena_bytes(tape: Tape) -> int:
    """Bytes of the arena that a run touches; the tape's outputs are bound, thus not in it."""
    spans = _spans(tape)
    begin, end = defaultdict[int, list[int]](list), defaultdict[int, list[int]](list)
    for at, (first, last, _) in enumerate(spans):
        begin[first].append(at)
        end[last].append(at)
    arena, held = _Arena(), dict[int, Chunk]()
    for _ in range(2):  # the second run finds the regions in another state
        for step in range(len(tape.nodes)):
            for at in begin[step]:
                held[at] = arena.take(spans[at][2])
            for at in end[step]:
                arena.give(held.pop(at))
    return sum(arena.touched)


def bytes_of(value: Value) -> int:
    """Size of a tensor."""
    return value.size * np.dtype(value.dtype).itemsize


def _spans(tape: Tape) -> list[tuple[int, int, int]]:
    """First node, last node and bytes of each buffer, as onnxruntime plans them."""
    plan, outputs = _Plan(tape), set(tape.outputs.values())
    for at, node in enumerate(runtime_order(tape)):
        plan.node(at, node)
    return [(*span, bytes_of(b)) for b, span in plan.spans.items() if b not in outputs]


class _Plan:
    """Which buffer each value is in: its own, or that of an input which it overwrites or views."""

    def __init__(self, tape: Tape) -> None:
        self.spans: dict[Value, tuple[int, int]] = {}  # by the first value of the buffer
        self._outputs = set(tape.outputs.values())
        self._readers: dict[Value, int] = defaultdict(int)
        self._read_by: dict[Value, set[str]] = defaultdict(set)
        for node in tape.nodes:
            for value in _given(node):
                self._readers[value] += 1
                self._read_by[value].add(node.op)
        self._buffer: dict[Value, Value] = {}
        self._left: dict[Value, int] = {}

    def node(self, at: int, node: Node) -> None:
        """Plan the next node."""
        for place, value in enumerate(node.outputs):
            buffer = self._reused(node, value) if place == 0 else None
            if buffer is None:
                buffer, self.spans[value], self._left[value] = value, (at, at), 0
            self._buffer[value] = buffer
            self._left[buffer] += self._readers[value]
        given = [self._buffer[v] for v in _given(node) if v in self._buffer]
        for buffer in (*given, *(self._buffer[v] for v in node.outputs)):
            self.spans[buffer] = (self.spans[buffer][0], at)
        for buffer in given:
            self._left[buffer] -= 1

    def _reused(self, node: Node, value: Value) -> Value | None:
        """The buffer of an input that the node may write its output to."""
        given = [v for v in _given(node)[:2] if v in self._buffer]
        if has(node.op, Trait.VIEW) or self._is_joined(node):
            return self._buffer[given[0]] if given and given[0] is node.inputs[0] else None
        if not has(node.op, Trait.IN_PLACE) or value in self._outputs:
            return None
        last = (self._buffer[v] for v in given if _kind(v) == _kind(value))
        return next((b for b in last if self._left[b] == 1), None)

    def _is_joined(self, node: Node) -> bool:
        """Whether onnxruntime makes a transposition part of the products that read it."""
        if node.op != "Transpose" or self._read_by[node.outputs[0]] != {"MatMul"}:
            return False
        *outer, row, column = node.attrs["perm"]
        return outer == list(range(len(outer))) and (row, column) == (len(outer) + 1, len(outer))


def _given(node: Node) -> list[Value]:
    return [value for value in node.inputs if value is not None]


def _kind(value: Value) -> object:
    return value.shape, value.dtype


class _Arena:
    """Best fit with coalescing, as onnxruntime's BFCArena with its default settings."""

    def __init__(self) -> None:
        self.touched: list[int] = []  # of each region
        self._next = _FIRST
        self._sizes: dict[Chunk, int] = {}
        self._before: dict[Chunk, int] = {}  # by region and end: offset of the chunk ending there
        self._free: list[tuple[int, int, int]] = []  # size, region, offset
        self._freed: set[Chunk] = set()

    def take(self, size: int) -> Chunk:
        """A chunk of at least so many bytes."""
        wanted = max(_ROUND, -(-size // _ROUND) * _ROUND)
        at = bisect_left(self._free, (wanted, -1, -1))
        if at == len(self._free):
            self._grow(wanted)
            at = bisect_left(self._free, (wanted, -1, -1))
        have, region, offset = self._free.pop(at)
        self._freed.discard((region, offset))
        if have >= 2 * wanted or have - wanted >= _DEAD:
            self._put(region, offset, wanted)
            self._release(region, offset + wanted, have - wanted)
        self.touched[region] = max(self.touched[region], offset + size)
        return region, offset

    def give(self, chunk: Chunk) -> None:
        """Free a chunk and join it with free neighbours."""
        (region, offset), size = chunk, self._sizes[chunk]
        if (region, offset + size) in self._freed:
            size += self._withdraw((region, offset + size))
        before = self._before.get((region, offset))
        if before is not None and (region, before) in self._freed:
            size += self._withdraw((region, before))
            offset = before
        self._release(region, offset, size)

    def _grow(self, wanted: int) -> None:
        fits = wanted <= self._next
        while wanted > self._next:
            self._next *= 2
        self.touched.append(0)
        self._release(len(self.touched) - 1, 0, self._next)
        if fits and self._next < _LAST:
            self._next *= 2

    def _put(self, region: int, offset: int, size: int) -> None:
        self._sizes[region, offset] = size
        self._before[region, offset + size] = offset

    def _release(self, region: int, offset: int, size: int) -> None:
        self._put(region, offset, size)
        self._freed.add((region, offset))
        insort(self._free, (size, region, offset))

    def _withdraw(self, chunk: Chunk) -> int:
        size = self._sizes.pop(chunk)
        self._freed.discard(chunk)
        self._free.pop(bisect_left(self._free, (size, *chunk)))
        return size
