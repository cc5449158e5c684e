"""A tape in segments, each of which a rank computes alone: cut at the means over all ranks."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cnndsl.graph.tape import Node, Tape, Value

MEAN = "MeanOverRanks"


@dataclass(frozen=True)
class Segment:
    """What can be computed once the means behind the segments before it are known.

    `means` are by the output that is averaged: under which name later segments read the average.
    All else that they read of this one has the same name here as output and there as input.
    """

    tape: Tape
    means: Mapping[str, str]


def cut(tape: Tape) -> list[Segment]:
    """The segments of a tape in their order; one where nothing is averaged.

    Means that wait for the same ones stand behind the same segment: they are exchanged at once.
    """
    levels = _levels(tape)
    return [_segment(tape, levels, i) for i in range(max(levels.values(), default=0) + 1)]


def _levels(tape: Tape) -> dict[Value, int]:
    """How many exchanges stand before each value; none before inputs and constants."""
    levels = dict.fromkeys((*tape.inputs, *tape.consts), 0)
    for node in tape.nodes:
        level = max((levels[v] for v in _inputs(node)), default=0)
        levels.update(dict.fromkeys(node.outputs, level + (node.op == MEAN)))
    return levels


def _inputs(node: Node) -> Iterator[Value]:
    return (value for value in node.inputs if value is not None)


def _segment(tape: Tape, levels: Mapping[Value, int], at: int) -> Segment:
    nodes = [n for n in tape.nodes if n.op != MEAN and levels[n.outputs[0]] == at]
    means = [n for n in tape.nodes if n.op == MEAN and levels[n.outputs[0]] == at + 1]
    behind = (n for n in tape.nodes if n.op != MEAN and levels[n.outputs[0]] > at)
    later = {value for node in behind for value in _inputs(node)}
    made = [value for node in nodes for value in node.outputs]
    outputs = {name: value for name, value in tape.outputs.items() if levels[value] == at}
    outputs |= {value.name: value for value in made if value in later}
    outputs |= {_part(node): value for node in means for value in _inputs(node)}
    read = [*(v for node in nodes for v in _inputs(node)), *outputs.values()]
    own = {*made, *tape.consts}
    part = Tape(nodes, _each_once(v for v in read if v not in own), outputs, tape.consts)
    return Segment(part, {_part(node): node.outputs[0].name for node in means})


def _part(node: Node) -> str:
    """What a rank brings to a mean."""
    return f"{node.outputs[0].name}.part"


def _each_once(values: Iterable[Value]) -> list[Value]:
    return list(dict.fromkeys(values))
