"""Small passes over a tape. Each keeps every output's value; each has its own test."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np

from cnndsl.graph.ops import has
from cnndsl.graph.ops.base import Trait, broadcast
from cnndsl.graph.tape import Node, Tape, Value

Transform = Callable[[Tape, Node], list[Value] | None]
_FOLD_LIMIT = 1 << 16  # elements: constants are folded, not inflated


def rewrite(tape: Tape, transform: Transform) -> None:
    """Offer each node to a transform, which may write others instead and return their values."""
    old, tape.nodes = tape.nodes, []
    swap: dict[Value, Value] = {}
    for node in old:
        current = replace(node, inputs=tuple(swap.get(v, v) if v else None for v in node.inputs))
        tape.path, tape.line = node.path, node.line
        made = transform(tape, current)
        if made is None:
            tape.keep(current)
        else:
            swap.update(zip(node.outputs, made, strict=True))
    tape.outputs = {name: swap.get(v, v) for name, v in tape.outputs.items()}


def drop_dead(tape: Tape) -> None:
    """Remove what no output needs."""
    needed = set(tape.outputs.values())
    kept = list[Node]()
    for node in reversed(tape.nodes):
        if not needed.isdisjoint(node.outputs):
            kept.append(node)
            needed.update(v for v in node.inputs if v is not None)
    tape.nodes = kept[::-1]


def share_common(tape: Tape) -> None:
    """Compute equal expressions once."""
    seen: dict[object, tuple[Value, ...]] = {}

    def transform(tape: Tape, node: Node) -> list[Value] | None:
        key = (node.op, node.inputs, tuple(sorted((k, repr(v)) for k, v in node.attrs.items())))
        if key in seen:
            return list(seen[key])
        seen[key] = node.outputs
        return None

    rewrite(tape, transform)


def fold_constants(tape: Tape) -> None:
    """Compute what depends on constants only, if it is small."""

    def transform(tape: Tape, node: Node) -> list[Value] | None:
        if len(node.outputs) != 1 or node.outputs[0].size > _FOLD_LIMIT:
            return None
        if not all(v is None or v in tape.consts for v in node.inputs):
            return None
        return [tape.const(_evaluate(tape, node))]

    rewrite(tape, transform)


def _evaluate(tape: Tape, node: Node) -> "np.ndarray[tuple[int, ...], np.dtype[np.generic]]":
    """The value of a node with constant inputs, by ONNX's reference implementation."""
    from onnx.reference import ReferenceEvaluator

    from cnndsl.graph.export import export

    alone = Tape(nodes=[node], consts=tape.consts, outputs={"y": node.outputs[0]})
    evaluator = cast(Any, ReferenceEvaluator(export(alone, "constant", 21)))
    (result,) = evaluator.run(None, {})
    return np.asarray(result, node.outputs[0].dtype)


def unstretch(tape: Tape) -> None:
    """Leave out an Expand where the reader broadcasts by itself."""

    def transform(tape: Tape, node: Node) -> list[Value] | None:
        if not has(node.op, Trait.BROADCASTS):
            return None
        inputs = list(node.inputs)
        for i, value in enumerate(inputs):
            made = tape.producer(value) if value is not None else None
            if made is not None and made.op == "Expand":
                trial = [*inputs[:i], made.inputs[0], *inputs[i + 1 :]]
                if broadcast(*(v.shape for v in trial if v)) == node.outputs[0].shape:
                    inputs = trial
        if tuple(inputs) == node.inputs:
            return None
        return [tape.op(node.op, *inputs, **node.attrs)]

    rewrite(tape, transform)


def drop_stops(tape: Tape) -> None:
    """Take away what kept gradients from passing: StopGradient is no operator of ONNX."""
    rewrite(tape, lambda _, n: [v for v in n.inputs if v] if n.op == "StopGradient" else None)


def merge_reshapes(tape: Tape) -> None:
    """One Reshape for a chain of them, none where the shape is there already."""

    def transform(tape: Tape, node: Node) -> list[Value] | None:
        source = node.inputs[0] if node.op == "Reshape" else None
        while source is not None and (made := tape.producer(source)) and made.op == "Reshape":
            source = made.inputs[0]
        if source is None or (source is node.inputs[0] and source.shape != node.outputs[0].shape):
            return None
        if source.shape == node.outputs[0].shape:
            return [source]
        return [tape.reshape(source, *(int(d) for d in node.outputs[0].shape))]

    rewrite(tape, transform)


def simplify(tape: Tape) -> None:
    """All of them, in an order in which each helps the next."""
    passes = (
        drop_dead, drop_stops, share_common, unstretch, fold_constants, share_common, drop_dead,
    )  # fmt: skip
    for each in passes:
        each(tape)
