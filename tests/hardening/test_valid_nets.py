"""Random valid nets: shapes, counts, values and gradients are what ONNX and onnxruntime find."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from budget import Figure, count
from hypothesis import HealthCheck, Phase, given, settings
from reference import LRN, ConvTranspose, Erf
from running import Arrays, largest_error, random_input, random_tensors, run
from strategies import PIECES, nets
from test_generated import check_counts, check_shapes
from test_training_gradients import directional_error

import cnndsl
from cnndsl.lower.driver import Plan

HEAD = "\ngap; flatten; dense 5"


def every(text_of: partial[object], number: int, seen: Callable[[str], None]) -> None:
    """Hand so many generated nets to a check."""

    @settings(max_examples=number, derandomize=True, deadline=None, database=None,
              phases=[Phase.generate], suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(text_of())
    def each(text: str) -> None:
        seen(text)

    each()


def by_definition(text: str, tensors: Arrays, x: np.ndarray) -> Arrays:
    """The unoptimised graph, evaluated operator by operator by onnx itself."""
    from onnx.reference import ReferenceEvaluator

    graph = cnndsl.parse(text).to_onnx(tensors, fold=False)
    found = ReferenceEvaluator(graph, new_ops=[Erf, ConvTranspose, LRN])
    with np.errstate(all="ignore"):  # `exp` of what `where` does not take
        return dict(zip(found.output_names, found.run(None, {"input": x}), strict=True))


@pytest.mark.parametrize("family", PIECES)
def test_shapes_counts_and_values(family: str, figure: Figure) -> None:
    errors = list[float]()

    def check(text: str) -> None:
        check_shapes(text)
        check_counts(text)
        model = cnndsl.parse(text)
        tensors, x = random_tensors(model), random_input(model)
        folded, plain = (run(model.to_onnx(tensors, fold=f), x) for f in (True, False))
        exact = by_definition(text, tensors, x)
        errors.append(max(largest_error(folded, plain), largest_error(plain, exact)))
        assert errors[-1] <= 1e-4, text

    every(partial(nets, family), count(10, 840), check)
    figure(f"valid nets, {family}: {len(errors):,}, largest error {max(errors):.1e}")


def slope_error(text: str) -> float:
    """A step may cross the kink of a ReLU or a pool: then a shorter one does not."""
    best = np.inf
    for step in (1e-5, 1e-6, 1e-7, 1e-8):
        best = min(best, directional_error(text, Plan(), e=step))
        if best < 1e-7:
            break
    return best


def test_gradients(figure: Figure) -> None:
    errors = list[float]()

    def check(text: str) -> None:
        whole = text + HEAD
        if "output" in text or any(d.severity == "error" for d in cnndsl.check(whole)):
            return
        errors.append(slope_error(whole))
        assert errors[-1] < 1e-6, whole

    every(partial(nets, pieces=4), count(8, 1300), check)
    figure(f"gradients: {len(errors)} nets, largest error {max(errors):.1e}")
