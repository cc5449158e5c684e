"""Mixed precision: products in float16, sums of many numbers in float32, all else as its inputs.

What each operator is stands in its entry, as the traits NARROW and WIDE. Tensors that learn stay
inputs of float32: a cast is between them and a product, and its gradient casts back.
Source: Micikevicius et al. 2018, arXiv:1710.03740.
"""

from dataclasses import dataclass, field

import numpy as np

from cnndsl.graph.ops import has
from cnndsl.graph.ops.base import Trait
from cnndsl.graph.rewrite import rewrite
from cnndsl.graph.tape import Node, Tape, Value

HALF = "float16"


def half_precision(tape: Tape) -> Tape:
    """Write each operator in its type; the tape's outputs stay what they are."""
    casts = _Casts(frozenset(tape.outputs.values()))
    new = rewrite(tape, casts.typed)
    types = {name: value.dtype for name, value in tape.outputs.items()}
    new.outputs = {n: casts.cast(new, v, types[n]) for n, v in new.outputs.items()}
    return new


@dataclass
class _Casts:
    """Values in their other type, each cast once; those `kept` are not rounded."""

    kept: frozenset[Value]
    done: dict[Value, Value] = field(default_factory=dict[Value, Value])

    def typed(self, tape: Tape, node: Node) -> list[Value] | None:
        """The outputs of a node in its type; None where it stays as it is."""
        is_half = any(v is not None and v.dtype == HALF for v in node.inputs)
        if has(node.op, Trait.WIDE):
            return self._wide(tape, node) if is_half else None
        if not (is_half or has(node.op, Trait.NARROW)):
            return None
        inputs = [self.cast(tape, v, HALF) if v else None for v in node.inputs]
        return tape.ops(node.op, *inputs, results=len(node.outputs), **node.attrs)

    def _wide(self, tape: Tape, node: Node) -> list[Value]:
        """In the type that the node had; what other operators read is rounded behind it."""
        wide = node.outputs[0].dtype
        inputs = [self.cast(tape, v, wide) if v else None for v in node.inputs]
        made = tape.ops(node.op, *inputs, results=len(node.outputs), **node.attrs)
        pairs = zip(node.outputs, made, strict=True)
        return [new if old in self.kept else self.cast(tape, new, HALF) for old, new in pairs]

    def cast(self, tape: Tape, value: Value, dtype: str) -> Value:
        """A value in a type; whole numbers, truth values and what is in it already stay."""
        if value.dtype == dtype or not value.dtype.startswith("float"):
            return value
        if value not in self.done:
            self.done[value] = other = _cast(tape, value, dtype)
            self.done[other] = value  # never rounded twice
        return self.done[value]


def _cast(tape: Tape, value: Value, dtype: str) -> Value:
    if value not in tape.consts:
        return tape.op("Cast", value, to=dtype)
    with np.errstate(over="ignore"):  # a border of −1e30 becomes −∞
        array = tape.consts[value].astype(dtype)
    return tape.const(array, None if tape.is_anonymous(value) else value.name)
