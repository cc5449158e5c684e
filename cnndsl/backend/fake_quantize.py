"""Training in int8: the step rounds what the int8 graph rounds, to the same values.

Ranges of activations are state: the least and the largest value, as moving means over the batches.
Where they are constants, they stay as they are. Batch norm needs nothing: folded into a channel it
scales the weights and their step alike.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from cnndsl.backend.places import IMAGES, RANGES, Places
from cnndsl.backend.step import StepState
from cnndsl.graph.tape import Node, Tape, Value
from cnndsl.source import UserError

_SHARE = 0.05  # of the new extremes in a moving range
_LEVELS = 255.0
_TINY = 1.2e-38  # the smallest normal float32: a range below is that of zeros


def fake_quantize(state: StepState) -> StepState:
    """Round weights and activations where the options say; see `cnndsl.backend.places`."""
    places, options = state.options.places, state.options
    if places is None:
        return state
    if options.dtype != "float32":
        raise UserError(f"quantize: training in int8 is in float32, not in {options.dtype}")
    tape, held = state.tape.replaced([]), options.frozen.get(RANGES)
    shape = (len(places.activations), 2)
    ranges = tape.input(RANGES, shape) if held is None else tape.const(held, RANGES)
    tape.path, tape.line = "quantize", 0
    grids = dict(zip(places.activations, _grids(tape, ranges), strict=True))
    grids |= {name: grids[owner] for name, owner in places.sharing.items()}
    values = _values(state, places)
    found = {value: name for name, parts in values.items() for value in parts}
    swap = dict(_weights(tape, state, places))
    swap |= {v: _rounded(tape, v, grids[n]) for v, n in found.items() if v in tape.inputs}
    for node in state.tape.nodes:
        tape.path, tape.line = node.path, node.line
        tape.keep(replace(node, inputs=tuple(swap.get(v, v) if v else None for v in node.inputs)))
        swap |= {v: _rounded(tape, v, grids[found[v]]) for v in node.outputs if v in found}
    tape.outputs = {name: swap.get(v, v) for name, v in state.tape.outputs.items()}
    if held is None:
        tape.path, tape.line = "quantize", 0
        extremes = [_extremes(tape, values[name]) for name in places.activations]
        tape.outputs[RANGES] = _moved(tape, ranges, extremes)
    return replace(state, tape=tape, ranges=ranges)


def _grids(tape: Tape, ranges: Value) -> Iterator[tuple[Value, Value]]:
    """Scale and zero point of each range, computed as onnxruntime's quantiser computes them."""
    count = int(ranges.shape[0])
    wide = tape.op("Cast", ranges, to="float64")
    ends = tape.ops("Split", wide, tape.ints([1, 1]), axis=1)
    low, high = (tape.reshape(end, -1) for end in ends)
    none, one = tape.scalar(0.0, "float64"), tape.scalar(1.0, "float64")
    low, high = tape.op("Min", low, none), tape.op("Max", high, none)
    exact = tape.op("Div", tape.op("Sub", high, low), tape.scalar(_LEVELS, "float64"))
    exact = tape.op("Where", tape.op("Less", exact, tape.scalar(_TINY, "float64")), one, exact)
    zero = tape.op("Cast", tape.op("Round", tape.op("Neg", tape.op("Div", low, exact))), to="uint8")
    scale, each = tape.op("Cast", exact, to=ranges.dtype), tape.ints([1] * count)
    if count == 1:
        return iter([(scale, zero)])
    return zip(*(tape.ops("Split", v, each, axis=0) for v in (scale, zero)), strict=True)


def _values(state: StepState, places: Places) -> dict[str, list[Value]]:
    """Each activation that is rounded, by micro-batch.

    The k-th `path/Op` of the inference graph is the k-th of each micro-batch.
    """
    made, count = defaultdict[str, list[Node]](list), state.options.micro_batches
    for node in state.tape.nodes:
        made[f"{node.path}/{node.op}"].append(node)

    def of(name: str) -> list[Value]:
        if name == IMAGES:
            return list(state.images)
        node, _, output = name.partition(":")
        base, index = (node, 0) if node in made else _numbered(node)
        each = len(made[base]) // count
        return [made[base][i * each + index].outputs[int(output or 0)] for i in range(count)]

    return {name: of(name) for name in (*places.activations, *places.sharing)}


def _numbered(name: str) -> tuple[str, int]:
    """`mix/Mul_1` as `mix/Mul`, 1."""
    base, _, index = name.rpartition("_")
    return base, int(index)


def _weights(tape: Tape, state: StepState, places: Places) -> Iterator[tuple[Value, Value]]:
    for value, name in state.params.items():
        if name in places.weights:
            tape.path = name.rpartition(".")[0]
            yield value, tape.op("FakeQuantizeWeight", value, axis=places.weights[name])


def _rounded(tape: Tape, value: Value, grid: tuple[Value, Value]) -> Value:
    return tape.op("FakeQuantize", value, *grid)


def _extremes(tape: Tape, parts: list[Value]) -> Value:
    """−least and largest of an activation, over all micro-batches."""
    pairs = [tape.op("Extremes", part) for part in parts]
    return tape.op("Max", *pairs) if len(pairs) > 1 else pairs[0]


def _moved(tape: Tape, old: Value, extremes: list[Value]) -> Value:
    """old + share · (new − old)."""
    joined = tape.op("Concat", *extremes, axis=0) if len(extremes) > 1 else extremes[0]
    new = tape.op("Mul", tape.reshape(joined, -1, 2), tape.scalars([-1.0, 1.0]))
    change = tape.op("Mul", tape.op("Sub", new, old), tape.scalar(_SHARE))
    return tape.op("Add", old, change)
