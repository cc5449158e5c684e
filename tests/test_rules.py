"""Every gradient is the slope of its operator: float64, along a random direction, ≤ 1e-7."""

from dataclasses import replace

import numpy as np
import pytest
from reference import Array, evaluate
from rule_cases import CASES, Case, above, ints, some

from cnndsl.api import parse
from cnndsl.backend.pipelines import training_step
from cnndsl.backend.step import StepOptions
from cnndsl.graph.ops import operator, operators, with_trait
from cnndsl.graph.ops.base import Trait
from cnndsl.graph.ops.grad import Expr, Grad
from cnndsl.graph.passes.pool_first import pool_first
from cnndsl.graph.tape import Tape, Value
from cnndsl.graph.vjp import MissingRule, gradients
from cnndsl.lower import driver
from cnndsl.recipe import Recipe

driver.load()

# Inputs that no gradient flows into: they are constants on every tape.
CONSTANT = {("Clip", 1), ("Clip", 2), ("Pow", 1), ("Where", 0)}

# Rounding is flat; training takes its gradient straight through, which is not a slope.
STRAIGHT = {("FakeQuantize", 0), ("FakeQuantizeWeight", 0)}


def written(case: Case, index: int) -> tuple[Tape, dict[str, Array]]:
    """A tape with `loss`, a weighted sum of the outputs, and `grad`, that of one input."""
    tape, feed, inputs = Tape(path="case"), dict[str, Array](), list[Value | None]()
    for i, array in enumerate(case.inputs):
        if array is None or not case.takes(array) or i in case.const:
            inputs.append(None if array is None else tape.const(array))
        else:
            inputs.append(tape.input(f"in{i}", array.shape, "float64"))
            feed[f"in{i}"] = array
    attrs = {"kernel_shape": (3, 2), **case.attrs} if "Conv" in case.op else case.attrs
    tape.outputs["loss"] = loss = weighted(
        tape, tape.ops(case.op, *inputs, results=case.results, **attrs)
    )
    (tape.outputs["grad"],) = gradients(tape, loss, [v for v in [inputs[index]] if v])
    return tape, feed


def weighted(tape: Tape, values: list[Value]) -> Value:
    terms = list[Value]()
    for i, value in enumerate(values):
        weight = tape.const(some(*(int(d) for d in value.shape), seed=9 + i))
        axes = tape.ints(range(len(value.shape)))
        product = tape.op("Mul", value, weight)
        terms.append(tape.op("ReduceSum", product, axes, keepdims=0) if value.shape else product)
    return tape.op("Sum", *terms)


def error(case: Case, index: int) -> float:
    """|g·d − slope| over |g·d|, for a random direction d of one input."""
    tape, feed = written(case, index)
    name = f"in{index}"
    along = some(*feed[name].shape, seed=5)
    grad = evaluate(tape, feed)["grad"]
    assert grad.shape == along.shape
    assert grad.dtype == np.float64
    only = Tape(tape.nodes, tape.inputs, {"loss": tape.outputs["loss"]}, tape.consts)

    def loss(e: float) -> float:
        return float(evaluate(only, {**feed, name: feed[name] + e * along})["loss"])

    e = 1e-4
    slope = (8 * (loss(e) - loss(-e)) - (loss(2 * e) - loss(-2 * e))) / (12 * e)
    exact = float((grad * along).sum())
    return abs(exact - slope) / (abs(exact) or 1.0)


PAIRS = [(name, i) for name, case in CASES.items() for i in case.live()]


@pytest.mark.parametrize(("name", "index"), PAIRS, ids=[f"{n}-{i}" for n, i in PAIRS])
def test_gradient_is_the_slope(name: str, index: int) -> None:
    assert error(CASES[name], index) < 1e-7


def test_every_operator_has_gradients_or_a_reason_for_none() -> None:
    """Without either it must be lowered to others before anything is differentiated."""
    for name, entry in operators().items():
        ways = [bool(entry.gradients), entry.each is not None, bool(entry.constant)]
        assert sum(ways) == 1 or (
            not any(ways) and all(name in table for table in driver.TABLES.values())
        ), name


def test_every_rule_has_a_case() -> None:
    tried = {(case.op, i) for case in CASES.values() for i in case.live()}
    rules = {(o.name, i) for o in operators().values() for i, r in enumerate(o.gradients) if r}
    assert rules - STRAIGHT <= tried
    assert {o.name for o in operators().values() if o.each} <= {op for op, _ in tried}
    assert not CONSTANT & tried


@pytest.mark.parametrize(("name", "index"), sorted(STRAIGHT))
def test_rounding_lets_the_gradient_straight_through(name: str, index: int) -> None:
    tape, seven = Tape(), np.array(7.0)
    x = tape.input("x", (3,), "float64")
    scale, zero = tape.scalar(0.5, "float64"), tape.const(np.array(2, np.uint8))
    grid = (scale, zero) if name == "FakeQuantize" else ()
    y = tape.op(name, x, *grid)
    loss = tape.op("ReduceSum", tape.op("Mul", y, tape.const(seven)), tape.ints([0]), keepdims=0)
    (grad,) = gradients(tape, loss, [x])
    assert (
        evaluate(Tape(tape.nodes[3:], outputs={"g": grad}, consts=tape.consts), {})["g"] == 7
    ).all()


def test_a_wrong_rule_fails_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def half(g: Grad) -> Expr:
        return g.dy / g.b * 0.5

    entry = operator("Div")
    monkeypatch.setitem(operators(), "Div", replace(entry, gradients=(half, entry.gradients[1])))
    assert error(CASES["Div"], 0) > 0.1
    assert error(CASES["Div"], 1) < 1e-7


def test_a_missing_rule_names_operator_path_and_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(operators(), "Tanh", replace(operator("Tanh"), gradients=()))
    model = parse("input 6\ndense 4\n\ntanh\ndense 2").ir
    place = r"no gradient for input 0 of Tanh \(tanh_1 at line 4\)"
    with pytest.raises(MissingRule, match=place):
        training_step(model, Recipe(), StepOptions(2))


def test_equal_maxima_share_the_gradient() -> None:
    x = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    tape, feed = written(Case("ReduceMax", (x, ints(1)), {"keepdims": 0}), 0)
    grad = evaluate(tape, feed)["grad"]
    whole = grad.sum(1, keepdims=True)
    assert np.allclose(grad / whole, [[0, 0.5, 0.5], [1 / 3] * 3])


def test_what_the_loss_ignores_has_zeros() -> None:
    tape = Tape(path="case")
    x, other = tape.input("x", (2, 3), "float64"), tape.input("other", (4,), "float64")
    loss = tape.op("ReduceSum", x, tape.ints([0, 1]), keepdims=0)
    first, second = gradients(tape, loss, [x, other])
    tape.outputs = {"first": first, "second": second}
    found = evaluate(tape, {"x": some(2, 3), "other": some(4)})
    assert np.array_equal(found["first"], np.ones((2, 3)))
    assert np.array_equal(found["second"], np.zeros(4))


@pytest.mark.parametrize("name", with_trait(Trait.MONOTONE))
def test_what_is_said_to_be_monotone_never_falls(name: str) -> None:
    x = np.sort(above(200) if name in ("Log", "Sqrt") else 2 * some(200))
    tape = Tape(path="case")
    bounds = [tape.scalar(n, "float64") for n in (-1.0, 1.0)] if name == "Clip" else []
    tape.outputs["y"] = tape.op(name, tape.input("x", x.shape, "float64"), *bounds)
    assert (np.diff(evaluate(tape, {"x": x})["y"]) >= 0).all()


@pytest.mark.parametrize("name", ["Relu", "Elu", "Selu", "Sigmoid", "Tanh", "Softplus"])
def test_pooling_goes_before_what_is_monotone(name: str) -> None:
    tape = Tape(path="case")
    y = tape.op(name, tape.input("x", (1, 3, 4, 4)))
    tape.outputs["y"] = tape.op("MaxPool", y, kernel_shape=(2, 2), strides=(2, 2), pads=(0,) * 4)
    assert [node.op for node in pool_first(tape).nodes] == ["MaxPool", name]
