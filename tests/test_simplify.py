"""Each pass over a tape: what it removes or rewrites, and that every output keeps its value."""

from collections import Counter
from collections.abc import Callable
from functools import reduce

import numpy as np
import pytest
from reference import Array, evaluate

from cnndsl.backend.pipelines import SIMPLIFY
from cnndsl.graph.passes.drop_dead import drop_dead
from cnndsl.graph.passes.drop_stops import drop_stops
from cnndsl.graph.passes.fast_idioms import fast_idioms
from cnndsl.graph.passes.fold_constants import fold_constants
from cnndsl.graph.passes.merge_reshapes import merge_reshapes
from cnndsl.graph.passes.share_common import share_common
from cnndsl.graph.passes.unstretch import unstretch
from cnndsl.graph.rewrite import rewrite
from cnndsl.graph.rows import cut_rows, with_zero_row
from cnndsl.graph.tape import Node, Tape, Value
from cnndsl.graph.vjp import gradients

Change = Callable[[Tape], Tape]
X = np.random.default_rng(0).uniform(0.5, 2, (4, 3)).astype(np.float32)


def start(array: Array = X) -> tuple[Tape, Value]:
    tape = Tape(path="test", line=7)
    return tape, tape.input("x", array.shape, array.dtype.name)


def operators(tape: Tape) -> list[str]:
    return [node.op for node in tape.nodes]


def in_turn(*changes: Change) -> Change:
    """Passes as one."""
    return lambda tape: reduce(lambda made, change: change(made), changes, tape)


def done(tape: Tape, change: Change, array: Array = X, tolerance: float = 0.0) -> list[str]:
    """The operators after a pass, whose outputs have the names, shapes and values of before."""
    before, shapes = evaluate(tape, {"x": array}), {n: v.shape for n, v in tape.outputs.items()}
    tape = change(tape)
    after = evaluate(tape, {"x": array})
    assert {n: v.shape for n, v in tape.outputs.items()} == shapes
    assert list(after) == list(before)
    for name, value in before.items():
        assert after[name].dtype == value.dtype
        np.testing.assert_allclose(after[name], value, rtol=tolerance)
    return operators(tape)


def test_dead_nodes_go_and_their_chains_with_them() -> None:
    tape, x = start()
    tape.op("Exp", tape.op("Neg", x))
    tape.outputs["y"] = tape.op("Abs", x)
    assert done(tape, drop_dead) == ["Abs"]


def test_a_node_lives_while_one_of_its_outputs_does() -> None:
    tape, x = start()
    _, second = tape.ops("Split", x, tape.ints([1, 3]), axis=0, results=2)
    tape.outputs["y"] = second
    assert done(tape, drop_dead) == ["Split"]


def test_what_stopped_gradients_goes_when_they_are_written() -> None:
    tape, x = start()
    tape.outputs["y"] = tape.op("Mul", x, tape.op("StopGradient", tape.op("Exp", x)))
    (dx,) = gradients(tape, tape.outputs["y"], [x])
    tape.outputs["dx"] = dx
    assert np.array_equal(evaluate(drop_stops(tape), {"x": X})["dx"], np.exp(X))


def test_equal_expressions_are_computed_once() -> None:
    tape, x = start()
    tape.outputs["a"] = tape.op("Exp", tape.op("Neg", x))
    tape.outputs["b"] = tape.op("Exp", tape.op("Neg", x))
    assert done(tape, share_common) == ["Neg", "Exp"]


def test_other_attributes_inputs_or_order_are_not_equal() -> None:
    tape, x = start()
    half, two = tape.scalar(0.5), tape.scalar(2.0)
    tape.outputs = {
        "a": tape.op("LeakyRelu", x, alpha=0.1),
        "b": tape.op("LeakyRelu", x, alpha=0.2),
        "c": tape.op("Sub", x, half),
        "d": tape.op("Sub", half, x),
        "e": tape.op("Sub", x, two),
    }
    assert len(done(tape, share_common)) == 5


def test_all_outputs_of_a_shared_node_are_shared() -> None:
    tape, x = start()
    parts = [tape.ops("Split", x, tape.ints([2, 2]), axis=0, results=2) for _ in range(2)]
    tape.outputs["y"] = tape.op("Sum", *parts[0], *parts[1])
    assert done(tape, share_common) == ["Split", "Sum"]


def test_constants_are_folded_through_chains() -> None:
    tape, x = start()
    known = tape.op("Exp", tape.op("Neg", tape.const(np.float32([1, 2, 3]))))
    tape.outputs["y"] = tape.op("Mul", x, known)
    assert done(tape, fold_constants, tolerance=1e-7) == ["Mul"]


def test_large_constants_are_not_inflated() -> None:
    tape, x = start()
    wide = tape.op("Expand", tape.scalar(2.0), tape.ints([1 << 15, 4, 3]))
    tape.outputs["y"] = tape.op("Mul", x, wide)
    assert done(tape, fold_constants) == ["Expand", "Mul"]


def test_an_output_may_become_a_constant() -> None:
    tape, x = start()
    tape.outputs = {"y": tape.op("Neg", x), "c": tape.op("Sqrt", tape.scalar(9.0))}
    assert done(tape, fold_constants) == ["Neg"]


def test_a_stretch_goes_where_the_reader_broadcasts() -> None:
    tape, x = start()
    row = tape.op("ReduceSum", x, tape.ints([0]), keepdims=1)
    tape.outputs["y"] = tape.op("Mul", tape.op("Expand", row, tape.ints([4, 3])), x)
    assert done(tape, in_turn(unstretch, drop_dead)) == ["ReduceSum", "Mul"]


@pytest.mark.parametrize("op", ["Exp", "Add"])
def test_a_stretch_stays_where_the_shape_needs_it(op: str) -> None:
    tape, x = start()
    row = tape.op("ReduceSum", x, tape.ints([0]), keepdims=1)
    wide = tape.op("Expand", row, tape.ints([4, 3]))
    tape.outputs["y"] = tape.op(op, *([wide] if op == "Exp" else [wide, row]))
    assert done(tape, unstretch) == ["ReduceSum", "Expand", op]


def test_only_one_of_two_stretches_goes_if_one_is_needed() -> None:
    tape, x = start()
    row = tape.op("ReduceSum", x, tape.ints([0]), keepdims=1)
    wide = [tape.op("Expand", v, tape.ints([4, 3])) for v in (row, tape.op("Neg", row))]
    tape.outputs["y"] = tape.op("Add", *wide)
    assert Counter(done(tape, in_turn(unstretch, drop_dead)))["Expand"] == 1


def test_a_chain_of_reshapes_is_one() -> None:
    tape, x = start()
    flat = tape.reshape(tape.reshape(x, 2, 6), 12)
    tape.outputs = {"y": flat, "z": tape.op("Neg", tape.reshape(flat, 3, 4))}
    assert done(tape, in_turn(merge_reshapes, drop_dead)) == ["Reshape", "Reshape", "Neg"]
    assert all(node.inputs[0] is x for node in merge_reshapes(tape).nodes[:2])


def test_a_reshape_to_the_same_shape_goes() -> None:
    tape, x = start()
    back = tape.reshape(tape.reshape(x, 12), 4, 3)
    tape.outputs["y"] = tape.op("Neg", tape.reshape(back, 0, -1))
    assert done(tape, in_turn(merge_reshapes, drop_dead)) == ["Neg"]


def test_a_single_reshape_stays() -> None:
    tape, x = start()
    tape.outputs["y"] = tape.reshape(tape.op("Neg", x), 12)
    assert done(tape, merge_reshapes) == ["Neg", "Reshape"]


def test_a_rewrite_keeps_place_and_rewires_outputs() -> None:
    tape, x = start()
    tape.outputs["y"] = tape.op("Neg", tape.op("Abs", x))

    def transform(tape: Tape, node: Node) -> list[Value] | None:
        return [tape.op("Sub", tape.scalar(0.0), *node.inputs)] if node.op == "Neg" else None

    assert done(tape, lambda t: rewrite(t, transform)) == ["Abs", "Sub"]
    assert [(node.path, node.line) for node in rewrite(tape, transform).nodes] == [("test", 7)] * 2


def test_all_of_them_leave_a_simple_tape_alone() -> None:
    tape, x = start()
    tape.outputs = {"y": tape.op("Exp", x), "same": x}
    assert done(tape, in_turn(*SIMPLIFY)) == ["Exp"]
    assert in_turn(*SIMPLIFY)(tape).outputs == tape.outputs


def test_all_of_them_help_each_other() -> None:
    tape, x = start()
    half = tape.op("Reciprocal", tape.scalar(2.0))
    other = tape.op("Reciprocal", tape.op("Add", tape.scalar(1.0), tape.scalar(1.0)))
    tape.outputs["y"] = tape.op("Add", tape.op("Mul", x, half), tape.op("Mul", x, other))
    assert done(tape, in_turn(*SIMPLIFY)) == ["Mul", "Add"]


TALL = np.random.default_rng(1).uniform(0.5, 2, (6, 8, 16)).astype(np.float32)


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("op", ["ReduceSum", "ReduceMean", "ReduceSumSquare"])
def test_sums_over_leading_axes_become_products(op: str, keepdims: int) -> None:
    tape, x = start(TALL)
    tape.outputs["y"] = tape.op(op, x, tape.ints([0, 1]), keepdims=keepdims)
    square = ["Mul"] if op == "ReduceSumSquare" else []
    found = done(tape, fast_idioms, TALL, 1e-5)
    assert found == [*square, "Reshape", "MatMul", "Reshape"]


@pytest.mark.parametrize(
    ("axes", "shape", "dtype"),
    [
        ([1, 2], (6, 8, 16), "float32"),  # not the leading ones
        ([0, 2], (6, 8, 16), "float32"),
        ([0, 1, 2], (6, 8, 16), "float32"),  # one column
        ([0], (31, 16), "float32"),  # few rows
        ([0], (64, 7), "float32"),  # few columns
        ([0, 1], (6, 8, 16), "float64"),
    ],
)
def test_other_sums_stay(axes: list[int], shape: tuple[int, ...], dtype: str) -> None:
    array = np.ones(shape, dtype)
    tape, x = start(array)
    tape.outputs["y"] = tape.op("ReduceSum", x, tape.ints(axes), keepdims=1)
    assert done(tape, fast_idioms, array) == ["ReduceSum"]


faster = in_turn(fast_idioms, drop_dead)


SIGNS = np.array([[-3.0, 0.0, 1e-30], [2.0, -1e-30, 7.0], [7.0, 2.0, 7.0]], np.float32)


def test_gates_become_steep_slopes() -> None:
    """[x > 0], and [x = m] for the largest of each column, ties and all."""
    tape, x = start(SIGNS)
    above = tape.op("Greater", x, tape.scalar(0.0, "float32"))
    top = tape.op("ReduceMax", x, tape.ints([0]), keepdims=0)
    largest = tape.op("Equal", x, tape.reshape(top, 1, 3))
    tape.outputs["above"] = tape.op("Cast", above, to="float32")
    tape.outputs["largest"] = tape.op("Cast", largest, to="float32")
    with np.errstate(over="ignore"):  # steep, indeed
        found = done(tape, faster, SIGNS)
    assert Counter(found)["HardSigmoid"] == 2
    assert not {"Greater", "Equal", "Cast"} & set(found)


def test_other_truth_values_stay() -> None:
    tape, x = start(SIGNS)
    other = tape.op("ReduceMax", tape.op("Neg", x), tape.ints([0]), keepdims=1)
    tape.outputs["y"] = tape.op("Cast", tape.op("Equal", x, other), to="float32")
    above = tape.op("Greater", x, tape.scalar(1.0, "float32"))
    tape.outputs["z"] = tape.op("Cast", above, to="float32")
    turned = tape.reshape(tape.op("ReduceMax", x, tape.ints([1]), keepdims=0), 1, 3)
    tape.outputs["w"] = tape.op("Cast", tape.op("Equal", x, turned), to="float32")
    zeros = tape.const(np.zeros((2, 1, 1), np.float32))
    tape.outputs["v"] = tape.op("Cast", tape.op("Greater", x, zeros), to="float32")
    assert "HardSigmoid" not in done(tape, fast_idioms, SIGNS)


@pytest.mark.parametrize("keepdims", [0, 1])
def test_a_sum_goes_into_the_product_behind_it(keepdims: int) -> None:
    tape, x = start(TALL)
    total = tape.op("ReduceSum", x, tape.ints([0]), keepdims=keepdims)
    matrix = tape.const(np.arange(16, dtype=np.float32).reshape(2, 8))
    tape.outputs["y"] = tape.op("MatMul", matrix, tape.reshape(total, 8, 16))
    assert done(tape, faster, TALL, 1e-5) == ["Reshape", "MatMul"]


def test_a_sum_before_products_by_several_matrices_stays() -> None:
    tape, x = start(TALL)
    total = tape.op("ReduceSum", x, tape.ints([0]), keepdims=0)
    tape.outputs["y"] = tape.op("MatMul", tape.const(np.ones((2, 3, 8), np.float32)), total)
    assert done(tape, faster, TALL) == ["ReduceSum", "MatMul"]


def test_maxima_stay() -> None:
    tape, x = start()
    tape.outputs["y"] = tape.op("ReduceMax", x, tape.ints([0]), keepdims=0)
    assert done(tape, fast_idioms) == ["ReduceMax"]


def test_a_zero_row_is_joined_behind() -> None:
    for axis, shape in ((0, (5, 3)), (1, (4, 4))):
        tape, x = start()
        tape.outputs["y"], at = with_zero_row(tape, x, axis)
        found = evaluate(tape, {"x": X})["y"]
        assert found.shape == shape
        assert at == shape[axis] - 1
        assert not found.take(at, axis).any()
        assert np.array_equal(np.delete(found, at, axis), X)


def test_behind_a_product_the_zero_row_is_in_the_matrix() -> None:
    tape, x = start()
    matrix = np.arange(24, dtype=np.float32).reshape(6, 4)
    product = tape.op("MatMul", tape.const(matrix), x)
    tape.outputs["y"], at = with_zero_row(tape, tape.reshape(product, 18, 1))
    assert operators(drop_dead(tape)) == ["MatMul", "Reshape"]
    found = evaluate(tape, {"x": X})["y"]
    np.testing.assert_allclose(found[:at, 0], (matrix @ X).reshape(-1), rtol=1e-6)
    assert not found[at:].any()
    assert at < len(found)


def test_cutting_a_part_out_of_a_join_gives_the_part() -> None:
    tape, x = start()
    other = tape.op("Neg", x)
    joined = tape.op("Concat", x, other, axis=0)
    assert cut_rows(tape, joined, 0, 4, 8) is other
    assert cut_rows(tape, joined, 0, 0, 8) is joined
    tape.outputs["y"] = cut_rows(tape, joined, 0, 3, 5)
    assert np.array_equal(evaluate(tape, {"x": X})["y"], [X[3], -X[0]])
