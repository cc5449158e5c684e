"""`precision fp16`: steps for CUDA, run on the CPU: near float32's, and safe to overflow."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from stepping import Array, Arrays, Run, random_weights, step_of
from test_steppers import NET, RUNS, feed, on_each

import cnndsl
from cnndsl.api import parse
from cnndsl.backend import loss_scale
from cnndsl.backend.step import OPSET, StepOptions
from cnndsl.cli import main
from cnndsl.graph.export import export
from cnndsl.graph.tape import Tape
from cnndsl.optim import Adam, Muon, Sgd
from cnndsl.precision import Precision, Quantize
from cnndsl.recipe import Lookahead, Recipe
from cnndsl.runtime.ranks import Alone
from cnndsl.source import UserError
from cnndsl.training import run as training
from cnndsl.training.checkpoint import newest
from cnndsl.training.compiled import Compiled, compile_step
from cnndsl.training.settings import Settings
from cnndsl.weights.initial import initial_weights

torch = pytest.importorskip("torch")

BATCH, STEPS = 8, 20
BODIES = {
    "norms": "conv 6 3x3 same bn relu; pool 2; conv 8 3x3 bn relu; gap",
    "branches": "conv 6 3x3; add { dwconv 3x3 same bn silu | }; concat { | conv 4 1x1 gelu }; gap",
    "scales": "conv 6 3x3 /2 pad; gn 2; prelu; upsample 2 bilinear; avgpool 2; scale 0.5; in; gmp",
    "dense": "flatten; dense 24 tanh; dropout 0.3; dense 16 mish",
    "up": "conv 6 3x3 /2 pad leaky; upconv 6 2x2 /2 bn; ln; edgepad 1; pool 3 /2; softsign; gap",
}
SMALL = f"input 3x8x8\n{BODIES['norms']}; dense 3"
HALF = Recipe(optimizer=Sgd(lr=0.1, momentum=0.9), precision=Precision("fp16"))


def batch(step: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(step % 4)
    return rng.integers(0, 256, (BATCH, 3, 8, 8)).astype(np.uint8), rng.integers(0, 3, BATCH)


def trained(run: Run, steps: int = STEPS, lr: float = 0.02) -> list[float]:
    """The losses of some steps on four batches."""
    rng, losses = np.random.default_rng(7), list[float]()
    for step in range(steps):
        shapes = {r.name: [int(d) for d in r.shape] for r in run.step.randoms}
        randoms = {name: rng.random(shape).astype(np.float32) for name, shape in shapes.items()}
        losses.append(float(run(*batch(step), lr, **randoms)["loss"]))
    return losses


def of_scale(state: Arrays) -> list[float]:
    return [float(state[n]) for n in (loss_scale.SCALE, loss_scale.GOOD, loss_scale.SKIPPED)]


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
def test_steps_are_near_those_in_float32(body: str) -> None:
    """Losses, and what the weights have moved by, of the CPU's own steps."""
    text = f"input 3x8x8\n{body}; dense 3"
    weights = random_weights(parse(text).ir)
    exact = step_of(text, replace(HALF, precision=None), BATCH, weights=weights)
    half = step_of(text, HALF, BATCH, weights=weights)
    np.testing.assert_allclose(trained(half), trained(exact), rtol=0.02, atol=0.005)
    assert of_scale(half.state) == [65536.0, STEPS, 0.0]
    for name, wanted in exact.weights().items():
        moved = np.linalg.norm(wanted - weights[name])
        assert np.linalg.norm(half.weights()[name] - wanted) < 0.1 * moved + 1e-3, name


def test_products_are_in_float16_and_sums_and_state_in_float32() -> None:
    tape = step_of(SMALL, replace(HALF, clip=1.0, ema=0.9), BATCH).step.tape
    sums = {"ReduceSum", "ReduceMean", "ReduceSumSquare", "Exp", "LogSoftmax"}
    types = {op: {v.dtype for n in tape.nodes if n.op == op for v in n.outputs}
             for op in {"Conv", "Gemm", "Relu", "ReduceMax", *sums}}  # fmt: skip
    assert all(types[op] == {"float16"} for op in ("Conv", "Gemm", "Relu", "ReduceMax"))
    assert {dtype for op in sums for dtype in types[op]} == {"float32"}
    assert all(v.dtype == "float32" for n, v in tape.outputs.items())
    assert {v.dtype for v in tape.inputs} == {"uint8", "int64", "float32"}


def test_a_bias_s_gradient_is_never_rounded() -> None:
    """It is a sum over the places of a batch: its cast to the weight's type reads no float16."""
    tape = step_of("input 3x8x8; conv 4 3x3 relu; gap; dense 2", HALF, 2).step.tape
    sums = {node.outputs[0] for node in tape.nodes if node.op == "ReduceSum"}
    rounded = [n for n in tape.nodes if n.op == "Cast" and n.attrs["to"] == "float16"]
    assert not sums.intersection(v for n in rounded for v in n.inputs)


@pytest.mark.parametrize("optimizer", [Sgd(momentum=0.9), Adam(), Muon()])
def test_an_overflow_skips_the_step_and_halves_the_scale(optimizer: Any) -> None:
    """With all that a step may keep: momentum, moving means, slow weights, statistics, count."""
    rule = Precision("fp16", scale=2.0**40)
    recipe = Recipe(optimizer=optimizer, clip=1.0, ema=0.9, lookahead=Lookahead(2), precision=rule)
    run = step_of(SMALL, recipe, BATCH)
    start = {name: array.copy() for name, array in run.state.items()}
    first = run(*batch(0))
    assert np.isfinite(first["loss"])
    assert of_scale(run.state) == [2.0**39, 0.0, 1.0]
    for name in start.keys() - loss_scale.of(start).keys():
        np.testing.assert_array_equal(run.state[name], start[name], err_msg=name)
    losses = trained(run, 60, lr=0.01)
    scale, _, skipped = of_scale(run.state)
    assert scale == 2.0 ** (40 - skipped) < 2.0**33
    assert run.state["step"] == 61 - skipped
    assert sum(losses[-4:]) < sum(losses[:4])


def test_the_scale_moves_as_that_of_torch() -> None:
    """GradScaler over good and bad steps, with three good ones until it doubles."""
    rule, tape = Precision("fp16", scale=2.0**125, interval=3), Tape()
    scale, finite = tape.input(loss_scale.SCALE, ()), tape.input("finite", (), "bool")
    loss_scale.move_scale(tape, rule, scale, finite)
    session = onnxruntime.InferenceSession(
        export(tape, "scale", OPSET).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    weight = torch.nn.Parameter(torch.ones(1))
    scaler = torch.amp.GradScaler("cpu", init_scale=rule.scale, growth_interval=rule.interval)
    optimizer = torch.optim.SGD([weight], lr=0.0)
    first = loss_scale.first_scale(Recipe(precision=rule))
    state = {name: np.array(value, np.float32) for name, value in first.items()}
    names = [output.name for output in session.get_outputs()]
    good = "1111111110110111101111111111110000"
    for is_good in map(int, good):
        new = session.run(names, {**state, "finite": np.array(bool(is_good))})
        state = {n.removesuffix(".new"): a for n, a in zip(names, new, strict=True)}
        scaler.scale(torch.ones(1))
        weight.grad = torch.tensor([1.0 if is_good else float("nan")])
        scaler.step(optimizer)
        scaler.update()
        assert state[loss_scale.SCALE] == scaler.get_scale()
        assert state[loss_scale.GOOD] == scaler._get_growth_tracker()
    assert state[loss_scale.SKIPPED] == good.count("0")


def compiled(parts: int, precision: Precision, ranks: Any = None, **how: Any) -> Compiled:
    model = parse(NET.replace("BN", "bn")).ir
    recipe = replace(HALF, batch=12, accumulate=parts, precision=precision, ema=0.9)
    size = 12 // parts // (ranks.size if ranks else 1)
    options, settings = StepOptions(size), Settings(threads=1, **how)
    return compile_step(model, recipe, options, initial_weights(model, 3), settings, ranks)


def state_of(parts: int, precision: Precision, ranks: Any = None, **how: Any) -> Arrays:
    """Behind eight steps on this rank's rows."""
    each, size = compiled(parts, precision, ranks, **how), 12 // (ranks.size if ranks else 1)
    rows = slice(ranks.rank * size, (ranks.rank + 1) * size) if ranks else slice(0, 12)
    for seed in range(8):
        inputs = feed(seed)
        each.stepper.step({n: a if n == "lr" else a[rows] for n, a in inputs.items()})
    return each.step.from_packed(each.stepper.state())


@pytest.mark.parametrize(("size", "parts", "sync"), [(1, 2, False), (2, 1, False), (2, 1, True)])
def test_parts_and_ranks_skip_together(size: int, parts: int, sync: bool) -> None:
    """Some of eight steps overflow. With `sync_bn` the ranks exchange within a step, too."""
    rule = Precision("fp16", scale=2.0**20)
    states = on_each(size, lambda rank: state_of(parts, rule, rank, sync_bn=sync))
    assert 0 < states[0][loss_scale.SKIPPED] < 8
    for name, array in states[0].items():
        assert np.isfinite(array).all(), name
        for other in states[1:]:
            np.testing.assert_array_equal(other[name], array, err_msg=name)


def test_parts_that_overflow_change_nothing() -> None:
    """Statistics included, which come of another graph than the update."""
    stepper = compiled(2, Precision("fp16", scale=2.0**60)).stepper
    before = stepper.state()
    stepper.step(feed(0))
    changed = {n for n, a in stepper.state().items() if not np.array_equal(a, before[n])}
    assert changed == {loss_scale.SCALE, loss_scale.SKIPPED}


def test_frozen_layers_are_constants_in_float16() -> None:
    text, weights = SMALL, random_weights(parse(SMALL).ir)
    frozen = {n: a for n, a in weights.items() if n.startswith(("conv_1.", "bn_1."))}
    half = step_of(text, HALF, BATCH, weights=weights, frozen=frozen)
    exact = step_of(text, replace(HALF, precision=None), BATCH, weights=weights, frozen=frozen)
    np.testing.assert_allclose(trained(half, 5), trained(exact, 5), rtol=0.02)
    consts = half.step.tape.consts
    assert {a.dtype.name for v, a in consts.items() if v.name.startswith("conv_1.weight")} == {
        "float16"
    }


def test_eight_bits_and_float16_are_refused_together(tmp_path: Path) -> None:
    recipe = replace(HALF, quantize=Quantize("int8"))
    with pytest.raises(UserError, match="leave `precision` out, or `quantize`"):
        step_of(SMALL, recipe, BATCH)
    with pytest.raises(UserError, match="do not go together"):
        cnndsl.train(cnndsl.parse(SMALL), tmp_path / "none", precision="fp16", quantize="int8",
                     out=tmp_path / "run")  # fmt: skip
    assert not (tmp_path / "run").exists()


def test_steps_are_written_for_cuda(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where nobody says the device: then with a word about CPUs."""
    net, model = tmp_path / "net.cnn", tmp_path / "net.onnx"
    net.write_text(f"{SMALL}\ntrain {{ precision fp16 scale=1024 }}")
    for options, told in (((), True), (("--device", "cuda"), False), (("--train=split",), True)):
        with pytest.raises(SystemExit) as left:
            main(["compile", str(net), "-o", str(model), "--train", *options])
        assert not left.value.code
        assert ("a CPU is slower with it" in capsys.readouterr().err) == told
    graph = onnx.load(model).graph
    first = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    assert first[loss_scale.SCALE] == 1024
    assert {"Conv", "Where"} <= {node.op_type for node in graph.node}
    assert {"net.grad.onnx", "net.apply.onnx"} <= {path.name for path in tmp_path.iterdir()}


def test_a_run_tells_what_it_skips_and_goes_on_bit_for_bit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Over a change of what learns, which leaves the scale as it is, and a resumption."""
    model = parse(
        "input 3x8x8; conv 4 3x3 bn relu; gap; dense 3\ntrain { batch 6; precision fp16 scale=1e9 "
        "interval=3; freeze conv_1 until=1 }"
    ).ir
    assert model.recipe is not None

    def run(out: str, epochs: int, begin: Any = training.start) -> dict[str, Array]:
        assert model.recipe is not None
        recipe = replace(model.recipe, epochs=epochs, data=str(RUNS / "some.npz"))
        how = {"threads": 1, "progress": "lines", "draws": False}
        begin(model, recipe, Settings(tmp_path / out, **how)).fit()
        return newest(tmp_path / out / "checkpoints").tensors

    whole = run("whole", 3)
    told = capsys.readouterr().err
    assert "precision fp16 is for CUDA" in told
    assert "steps skipped, whose gradients left float16's range; the loss scale is" in told
    run("cut", 2)
    cut = run("cut", 3, training.resume)
    assert whole.keys() == cut.keys() >= loss_scale.first_scale(model.recipe).keys()
    for name, array in whole.items():
        np.testing.assert_array_equal(cut[name], array, err_msg=name)


def test_what_is_too_large_for_float16_is_found(tmp_path: Path) -> None:
    """By its layer, though it is a number in float32."""
    model = parse("input 3x8x8; conv 4 3x3; scale 1e6; gap; dense 3").ir
    recipe = replace(HALF, batch=6, epochs=1, data=str(RUNS / "some.npz"))
    settings = Settings(tmp_path / "run", threads=1, progress="none", draws=False)
    with pytest.raises(UserError, match=r"in the output of `scale_1`[^$]*leave `precision` out"):
        training.start(model, recipe, settings).fit()


def test_alone_is_one_rank() -> None:
    rule = Precision("fp16")
    whole, alone = state_of(1, rule), state_of(1, rule, Alone())
    for name, array in whole.items():
        np.testing.assert_array_equal(alone[name], array, err_msg=name)
