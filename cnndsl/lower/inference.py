"""Inference by faster convolutions where they win; everything else stays as ONNX has it."""

from collections.abc import Iterable
from dataclasses import replace
from math import inf

from cnndsl.graph.passes.pool_first import pool_first
from cnndsl.graph.tape import Node, Tape, Value
from cnndsl.lower.conv.representation import best_choices
from cnndsl.lower.conv.table import check_plan
from cnndsl.lower.driver import Lowering, Plan

_GROWTH = 0.5  # of a step's constants: they are in memory several times while it is compiled


def lower_inference(tape: Tape, plan: Plan, growth: float = inf) -> tuple[Tape, dict[str, str]]:
    """The lowered tape, and the algorithm of each convolution that is not ONNX's own.

    `plan` names what is taken; "auto" is what costs least, with weights that grow by at most a
    share of all constants, `growth`. The very tape where nothing is won.
    UserError where the batch is symbolic.
    """
    check_plan(plan, "infer")
    pooled = pool_first(tape)
    choices = best_choices(pooled, plan, growth)
    if not choices:
        return tape, choices
    lowering = Lowering(pooled, Plan("direct", tuple(choices.items())), {}, "infer")
    lowering.run()
    lowering.tape.outputs = {name: lowering.nchw(v) for name, v in pooled.outputs.items()}
    return lowering.tape, choices


def lower_frozen(
    tape: Tape, learned: Iterable[Value], kept: Iterable[Value]
) -> tuple[Tape, dict[str, str]]:
    """As `lower_inference`, of the part of a training step that reads nothing that learns.

    `kept` are values that stay, whether or not a node reads them.
    """
    fixed, rest = tape.parted(learned)
    read = {v for node in rest for v in node.inputs}.union(kept)
    border = [v for node in fixed for v in node.outputs if v in read]
    part = tape.replaced(fixed)
    part.outputs = {value.name: value for value in border}
    lowered, choices = lower_inference(part, Plan(), _GROWTH)
    if not choices:
        return tape, choices
    names = {lowered.outputs[value.name]: value for value in border}
    whole = lowered.replaced([*(_renamed(node, names) for node in lowered.nodes), *rest])
    whole.inputs, whole.outputs = tape.inputs, tape.outputs
    return whole, choices


def _renamed(node: Node, names: dict[Value, Value]) -> Node:
    """The node with other values in the place of some."""
    inputs = tuple(v and names.get(v, v) for v in node.inputs)
    return replace(node, inputs=inputs, outputs=tuple(names.get(v, v) for v in node.outputs))
