"""Steps in parts are steps of the whole batch: gradient accumulation, and what it may not do."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnndsl
from cnndsl.backend.pipelines import split_step
from cnndsl.backend.step import StepOptions
from cnndsl.graph.cut import cut
from cnndsl.lower.driver import Plan
from cnndsl.optim import Sgd
from cnndsl.recipe import Recipe
from cnndsl.runtime.ranks import Alone
from cnndsl.runtime.steppers.replicas import ReplicaStepper
from cnndsl.runtime.team import TeamRank, team
from cnndsl.training.compiled import Compiled, compile_step
from cnndsl.training.settings import Settings
from cnndsl.weights.initial import initial_weights

NET = "input 2x6x6; conv 4 3x3 BN relu; dropout 0.3; conv 3 3x3 l2=0.01 prelu; flatten; dense 5"
RECIPE = Recipe(batch=12, optimizer=Sgd(lr=0.1, momentum=0.9), clip=0.5, ema=0.9).resolved((5,))
RUNS = Path(__file__).parent / "old_runs"


def compiled(
    parts: int = 1, text: str = NET.replace("BN ", ""), threads: int = 1, **more: Any
) -> Compiled:
    model, recipe = cnndsl.parse(text).ir, replace(RECIPE, accumulate=parts)
    options = StepOptions(12 // parts, **more)
    settings = Settings(threads=threads)
    return compile_step(model, recipe, options, initial_weights(model, 3), settings)


def state(each: Compiled) -> dict[str, Any]:
    """In ONNX's layout."""
    return each.step.from_packed(each.stepper.state())


def assert_same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-4, atol=2e-6, err_msg=name)


def feed(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "x": rng.integers(0, 256, (12, 2, 6, 6), np.uint8),
        "y": rng.integers(0, 5, 12),
        "random_0": rng.random((12, 4, 4, 4), np.float32),
        "lr": np.array(0.1, np.float32),
    }


def assert_steps_alike(cut: Compiled, whole: Compiled, rel: float) -> None:
    """Loss, tally and state of six steps."""
    for seed in range(6):
        whole.stepper.step(feed(seed))
        cut.stepper.step(feed(seed))
        assert cut.stepper.loss == pytest.approx(whole.stepper.loss, rel=rel)
        assert cut.stepper.tally == whole.stepper.tally
        assert_same(state(cut), state(whole))
    assert_same(*(c.step.from_packed(c.stepper.state_before()) for c in (cut, whole)))


@pytest.mark.parametrize("parts", [2, 3, 12])
@pytest.mark.parametrize("micro_batches", [1, 2])
def test_accumulation_is_one_big_batch(parts: int, micro_batches: int) -> None:
    """Loss, tally and all of the state, with clip, penalty, momentum and moving mean."""
    whole, cut = compiled(), compiled(parts, micro_batches=micro_batches if parts < 12 else 1)
    assert_steps_alike(cut, whole, rel=1e-5)


def on_each(size: int, work: Callable[[TeamRank], Any]) -> list[Any]:
    """What each rank of a team gives."""
    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(work, team(size)))


def losses(text: str, ranks: Any, dtype: str) -> tuple[list[float], dict[str, Any]]:
    """Of 50 steps on this rank's rows, with the state behind them."""
    model, size = cnndsl.parse(text).ir, 12 // ranks.size
    options, settings = StepOptions(size, soft=True, dtype=dtype), Settings(threads=1, sync_bn=True)
    weights = {name: a.astype(dtype) for name, a in initial_weights(model, 3).items()}
    each = compile_step(model, RECIPE, options, weights, settings, ranks)
    rows, found = slice(ranks.rank * size, (ranks.rank + 1) * size), list[float]()
    for seed in range(50):
        inputs = feed(seed) | {"y": np.eye(5, dtype=np.float32)[feed(seed)["y"]]}
        inputs = {n: a.astype(dtype) if a.dtype == np.float32 else a for n, a in inputs.items()}
        each.stepper.step({n: a if n == "lr" else a[rows] for n, a in inputs.items()})
        found.append(each.stepper.loss)
    return found, state(each)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("norm", ["", "bn "])
def test_ranks_are_one_big_batch(norm: str, dtype: str) -> None:
    """With `bn`, too: it normalises over all of them."""
    text, rel = NET.replace("BN ", norm), {"float32": 1e-4, "float64": 1e-9}[dtype]
    alone, whole = losses(text, Alone(), dtype)
    for size in (2, 4):
        for found, ends in on_each(size, lambda rank: losses(text, rank, dtype)):
            assert found == pytest.approx(alone, rel=rel)
            for name, array in whole.items():
                np.testing.assert_allclose(ends[name], array, rtol=10 * rel, atol=10 * rel)


@pytest.mark.parametrize("norm", ["", "bn "])
@pytest.mark.parametrize("more", [{}, {"micro_batches": 3}, {"replicas": 2}], ids=str)
def test_replicas_are_one_big_batch(norm: str, more: dict[str, int]) -> None:
    """Loss, tally and state: `bn` normalises over all of them."""
    text = NET.replace("BN ", norm)
    whole, cut = compiled(text=text), compiled(text=text, threads=4, **{"replicas": 4, **more})
    assert isinstance(cut.stepper, ReplicaStepper)
    assert_steps_alike(cut, whole, rel=1e-4)


def test_an_error_of_one_replica_is_told_and_none_waits() -> None:
    cut = compiled(threads=2, replicas=2).stepper
    wrong = feed(0) | {"random_0": np.zeros((11, 4, 4, 4), np.float32)}
    with pytest.raises(Exception, match="random_0"):
        cut.step(wrong)


def test_without_threads_there_are_no_replicas() -> None:
    """A checkpoint of another machine goes on as one graph."""
    assert not isinstance(compiled(threads=1, replicas=2).stepper, ReplicaStepper)


def test_running_statistics_see_every_part() -> None:
    """As of a stepper that takes the parts as batches of its own."""
    text = NET.replace("BN", "bn").replace("dropout 0.3; ", "")
    cut, halves = compiled(2, text).stepper, compiled(2, text).stepper
    start, inputs = cut.state(), {n: a for n, a in feed(0).items() if n != "random_0"}
    cut.step(inputs)
    names = ["bn_1.running_mean", "bn_1.running_var"]
    for rows in (slice(0, 6), slice(6, 12)):
        halves.load({**start, **{name: halves.state()[name] for name in names}})
        halves.step({n: a if n == "lr" else a[rows] for n, a in inputs.items()})
    for name in names:
        assert not np.array_equal(cut.state()[name], start[name])
        np.testing.assert_allclose(cut.state()[name], halves.state()[name], rtol=1e-6)


def test_a_state_is_loaded_and_given_back() -> None:
    one, other = compiled(3).stepper, compiled(3).stepper
    one.step(feed(0))
    other.load(one.state())
    for each in (one, other):
        each.step(feed(1))
    for name, array in one.state().items():
        np.testing.assert_array_equal(other.state()[name], array)


def test_accumulate_is_a_setting_of_the_recipe(tmp_path: Path) -> None:
    text = "input 3x8x8; conv 4 3x3 elu; dropout 0.2; gap; dense 3\ntrain { batch 6; ACC epochs 2 }"
    rows = list[Any]()
    for out, words in (("whole", ""), ("cut", "accumulate 3;")):
        model = cnndsl.parse(text.replace("ACC", words))
        history = cnndsl.train(model, RUNS / "some.npz", out=tmp_path / out, threads=1,
                               progress="none")  # fmt: skip
        rows.append(history[-1])
    assert rows[1]["val_loss"] == pytest.approx(rows[0]["val_loss"], rel=1e-4)
    assert rows[1]["loss"] == pytest.approx(rows[0]["loss"], rel=1e-4)
    assert len(cnndsl.resume(tmp_path / "cut", epochs=3, progress="none")) == 3


def test_a_batch_that_has_no_such_parts_is_told(tmp_path: Path) -> None:
    model = cnndsl.parse("input 3x8x8; gap; dense 3")
    told = "`accumulate 4` cannot divide a batch of 10\n  take batch=8 or batch=12"
    with pytest.raises(cnndsl.UserError, match=told):
        cnndsl.train(model, RUNS / "some.npz", batch=10, accumulate=4, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_step_is_cut_at_its_means_and_nothing_is_kept_that_nobody_reads() -> None:
    model, options = cnndsl.parse(NET.replace("BN", "bn")).ir, StepOptions(6, plan=Plan(ranks=2))
    segments = cut(split_step(model, RECIPE, options)[0].tape)
    assert [len(s.means) for s in segments] == [1, 1, 2, 0]  # mean, variance, their gradients
    made = {name for s in segments for name in (*s.tape.outputs, *s.means.values())}
    read = {value.name for s in segments for value in s.tape.inputs}
    parts = {part for s in segments for part in s.means}
    assert {name for name in made - read - parts if "/" in name} == set()
