"""Every layer, lowered by every algorithm, has the gradient of its own loss: float64, ≤ 1e-7."""

import math

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from running import run
from stepping import random_weights, step_of

from cnndsl.api import parse
from cnndsl.backend.pipelines import training_step
from cnndsl.backend.step import OPSET, StepOptions
from cnndsl.graph.export import export
from cnndsl.lower.conv import winograd
from cnndsl.lower.driver import Plan
from cnndsl.optim import Sgd
from cnndsl.recipe import Recipe
from cnndsl.source import UserError


class Erf(OpRun):
    """ONNX's reference computes it in float32."""

    op_domain = ""

    def _run(self, x):
        return (np.vectorize(math.erf, otypes=[x.dtype])(x),)


BATCH = 3
HEAD = "; gap; flatten; dense 5"
BODIES = {
    "conv valid": "conv 6 3x3",
    "conv same odd": "conv 6 3x3 same relu; conv 5 3x3 same",
    "conv stride": "conv 6 3x3 pad /2; conv 5 5x5 same /2",
    "conv dilated": "conv 6 3x3 dilation=2; conv 4 3x3 pad dilation=2",
    "conv grouped": "conv 8 3x3 same; conv 6 3x3 same groups=2",
    "conv pointwise": "conv 6 1x1; conv 4 1x1 /2",
    "conv even": "conv 6 2x2 same; conv 4 4x4 /2",
    "conv oblong": "conv 6 1x5 pad; conv 4 3x1 pad",
    "dwconv": "conv 6 3x3; dwconv 3x3 same; dwconv 3x3 pad /2",
    "dwconv multiplier": "conv 4 3x3; dwconv 3x3 same multiplier=2",
    "upconv": "conv 4 3x3 /2; upconv 6 2x2 /2; upconv 3 3x3 same /2",
    "upconv grouped": "conv 4 3x3 /2; upconv 6 3x2 /2 groups=2; upconv 4 3x3 dilation=2 groups=2",
    "upconv dilated": "conv 4 3x3 /2; upconv 3 3x2 pad /2 dilation=2x1",
    "pool dilated": "conv 8 3x3 same; pool 3 /1 pad dilation=2; pool 2 /1 dilation=3 ceil",
    "pool 2": "conv 8 3x3 same relu; pool 2; conv 4 3x3 same; pool 2",
    "pool 3": "conv 8 3x3 same; pool 3 /2 pad; pool 2 ceil",
    "avgpool": "conv 8 3x3 same; avgpool 2; avgpool 3 /1 pad; avgpool 2 ceil nocount",
    "gmp": "conv 8 3x3 same; gmp",
    "bn": "conv 8 3x3 same bn relu; conv 8 3x3 same bn",
    "bn dense": "flatten; dense 6 bn relu; reshape 6x1x1",
    "bn bias": "conv 8 3x3 same bias bn relu; pool 2; conv 8 3x3 same bias bn",
    "bn alone": "conv 8 3x3 same bn noscale relu; conv 8 3x3 same bn noscale noshift",
    "ln": "conv 8 3x3 same ln; gelu",
    "norms alone": "conv 8 3x3 same ln noshift; gelu; gn 2 noscale; in noscale noshift",
    "gn": "conv 8 3x3 same gn 2; in",
    "lrn": "conv 8 3x3 same lrn 3 alpha=0.1",
    "relu6 leaky": "conv 6 3x3 relu6; conv 6 3x3 leaky alpha=0.1",
    "elu selu": "conv 6 3x3 elu; conv 6 3x3 selu; conv 6 1x1 prelu",
    "smooth": "conv 6 3x3 silu; conv 6 3x3 hswish; conv 4 1x1 mish softplus; logsoftmax",
    "squash": "conv 6 3x3 sigmoid; conv 6 3x3 hsigmoid; conv 4 1x1 tanh; softmax",
    "scale": "conv 6 3x3 scale 0.5; conv 4 1x1 scale 2 fixed",
    "celu softsign": "conv 6 3x3 celu alpha=0.7; conv 6 3x3 celu softsign; conv 4 1x1 logsigmoid",
    "clamp": "conv 6 3x3 clamp low=-0.4 high=0.6",
    "dropout": "conv 6 3x3 dropout 0.3; residual { conv 6 3x3 same; droppath 0.5 }",
    "residual": "conv 6 3x3 same; residual { conv 6 3x3 same bn relu; conv 6 3x3 same bn } relu",
    "projection": "conv 6 3x3 same; add { conv 8 3x3 pad /2 bn | conv 8 1x1 /2 bn } relu",
    "concat": "concat { conv 4 1x1 | conv 3 3x3 same | pool 3 /1 same }; conv 4 3x3 same",
    "squeeze": "conv 6 3x3 same; mul { id | gap; conv 3 1x1 relu; conv 6 1x1 sigmoid }",
    "labels": "a: conv 6 3x3 same; conv 6 3x3 same; add a; concat a",
    "upsample": "conv 4 3x3; upsample 2; conv 4 3x3; upsample 2 bilinear",
    "borders": "conv 4 3x3; zeropad top=1 left=2; crop 1; shuffle 2",
    "corners": "conv 4 3x3; upsample 2x3 bilinear align; conv 3 3x3",
    "repeated borders": "conv 4 3x3 same; reflectpad 2 top=3; conv 4 3x3; edgepad 2; conv 3 3x3",
    "channels": "conv 8 3x3 same; concat { slice 0 3 | slice 5; relu }; conv 8 3x3 same; slice 2",
    "depth to space": "conv 8 3x3; pixelshuffle 2; conv 9 3x3; pixelshuffle 3 dcr",
    "features": "flatten; dense 8; slice 2 6; reshape 4x1x1",
    "reshape": "conv 4 3x3 same /4; flatten; reshape 4x2x2; conv 4 2x2",
    "shared input": "conv 6 3x3 same; concat { conv 3 3x3 same | conv 3 3x3 same | id }",
}


def evaluator(text, plan, micro_batches=1, batch=None):
    model = parse(text).ir
    recipe = Recipe(optimizer=Sgd(lr=1.0))
    batch = batch or BATCH * micro_batches
    options = StepOptions(batch, micro_batches, plan, dtype="float64", fast=False)
    step = training_step(model, recipe, options)
    rng = np.random.default_rng(1)
    weights = {
        n: rng.uniform(0.5, 1.5, p.shape)
        if n.endswith("running_var")
        else rng.normal(0, 0.4, p.shape)
        for n, p in model.tensors().items()
    }
    state = {k: np.asarray(v, np.float64) for k, v in step.initial_state(weights).items()}
    feed = {
        "x": rng.integers(0, 256, (batch, *model.input)).astype(np.uint8),
        "y": rng.integers(0, 5, batch),
        "lr": np.array(1.0),
    }
    feed |= {r.name: rng.random([int(d) for d in r.shape]) for r in step.randoms}
    run = ReferenceEvaluator(export(step.tape, "step", OPSET), new_ops=[Erf])
    names = list(step.tape.outputs)
    return state, lambda s: dict(zip(names, run.run(None, {**feed, **s}), strict=True))


def directional_error(text, plan, micro_batches=1, e=1e-5):
    """|g·d − numeric| over |g·d|, for a random direction d of all learned tensors at once."""
    state, run = evaluator(text, plan, micro_batches)
    first = run(state)
    learned = [n for n in state if f"{n}.new" in first and n != "step" and "running" not in n]
    rng = np.random.default_rng(2)
    along = {n: rng.normal(size=state[n].shape) for n in learned}
    exact = sum(((state[n] - first[f"{n}.new"]) * along[n]).sum() for n in learned)

    def loss(e):
        return float(run({**state, **{n: state[n] + e * along[n] for n in learned}})["loss"])

    numeric = (8 * (loss(e) - loss(-e)) - (loss(2 * e) - loss(-2 * e))) / (12 * e)
    return abs(exact - numeric) / abs(exact)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_gradient_is_the_slope_of_the_loss(body):
    assert directional_error(f"input 3x8x8\n{body}{HEAD}", Plan()) < 1e-7


GATES = ("ln", "in", "gn 2", "softmax", "shuffle 2", "zeropad 1", "crop 1", "reshape 8x4x16")
ALONE = ("leaky", "prelu", "elu", "selu", "gelu", "hsigmoid", "hswish", "lrn 3")
DEPLOYED = {
    **{k: v for k, v in BODIES.items() if "bn" not in v and "drop" not in v},
    **{f"gated {w}": f"conv 8 3x3 same; mul {{ {w} | gap; conv 8 1x1 sigmoid }}" for w in GATES},
    **{f"one channel {word}": f"conv 1 3x3 same {word}" for word in ALONE},
    "rising": "conv 8 3x3 same elu; pool 2; conv 4 3x3 same selu; pool 2",
    "falling": "conv 8 3x3 same leaky alpha=-0.5; pool 2",
    "bilinear": "conv 8 3x2; upsample 3 bilinear; pool 2; conv 4 3x3 same; upsample 2x1 bilinear",
    "unread": "a: conv 4 3x3 same relu; conv 4 3x3 same prelu; from a",
    "apart": "upconv 4 1x1 /3 pad=1",
}


@pytest.mark.parametrize("body", DEPLOYED.values(), ids=DEPLOYED.keys())
@pytest.mark.parametrize("head", [HEAD, "; flatten; dense 5"], ids=["gap", "flat"])
def test_the_step_trains_the_network_that_is_deployed(body, head):
    """Its loss is that of the inference graph, as it is computed: float32, every fast idiom."""
    text = f"input 3x8x8\n{body}{head}"
    rng, weights = np.random.default_rng(3), random_weights(parse(text).ir)
    x, y = rng.integers(0, 256, (BATCH, 3, 8, 8)).astype(np.uint8), np.arange(BATCH)
    found = step_of(text, Recipe(), BATCH, weights=weights)(x, y)
    deployed = parse(text).to_onnx({n: w.astype(np.float32) for n, w in weights.items()})
    logits = run(deployed, x.astype(np.float32) / 255)["output"].astype(np.float64)
    exact = np.log(np.exp(logits).sum(1)) - logits[np.arange(BATCH), y]
    assert float(found["loss"]) == pytest.approx(exact.mean(), rel=1e-4)
    assert int(found["correct"]) == (logits.argmax(1) == y).sum()


def test_a_model_with_nothing_to_learn_is_told():
    with pytest.raises(UserError, match="nothing to learn"):
        step_of("input 5x8x8; gap", Recipe(), BATCH)


def test_bilinear_steps_are_small():
    """One product an axis: a matrix of all positions had 150 MB for this."""
    step = step_of("input 3x48x48; conv 2 1x1; upsample 2 bilinear; gap; dense 2", Recipe(), 2).step
    assert sum(array.nbytes for array in step.tape.consts.values()) < 1e5


@pytest.mark.parametrize("algorithm", ["winograd2", "winograd4", "im2col", "direct"])
@pytest.mark.parametrize("size", ["8x8", "7x9", "5x6"])
def test_every_algorithm_at_ragged_sizes(algorithm, size):
    text = f"input 3x{size}\nconv 4 3x3 same relu; conv 5 3x3; conv 4 3x3 same{HEAD}"
    assert directional_error(text, Plan(conv=algorithm)) < 1e-7


@pytest.mark.parametrize("algorithm", ["winograd2", "winograd4"])
def test_winograd_in_parts_that_fit_the_cache(algorithm, monkeypatch):
    monkeypatch.setattr(winograd, "_PART", 24)
    text = f"input 3x12x9\nconv 5 3x3 pad bn relu; conv 5 3x3 relu; conv 4 3x3 same; pool 2{HEAD}"
    step = step_of(text, Recipe(), BATCH, plan=Plan(algorithm)).step
    joined = [n for n in step.tape.nodes if n.path == "conv_3.grad" and n.op == "Concat"]
    assert max(len(n.inputs) for n in joined) > 2
    assert directional_error(text, Plan(algorithm)) < 1e-7


@pytest.mark.parametrize("algorithm", ["winograd2-axes", "winograd4-axes", "winograd4x2-axes"])
@pytest.mark.parametrize(
    "body",
    [
        "conv 4 3x3 same relu; conv 5 3x3; conv 4 3x3 same",
        "conv 4 3x3 pad /2; conv 5 3x3 same /2; conv 4 2x2 same",
        "conv 4 5x5 /3; conv 5 7x7 pad=3 /3; conv 4 3x1 pad; conv 4 1x5 pad",
        "conv 6 3x3; dwconv 3x3 same; dwconv 3x3 pad /2; pool 2; conv 4 3x3 same",
        "conv 4 3x3 same relu; pool 2; conv 5 3x3 same bn; pool 3 /2; conv 4 3x3 same; pool 2",
    ],
    ids=["plain", "stride", "large", "depthwise", "pooled"],
)
@pytest.mark.parametrize("size", ["16x16", "25x19"])
def test_winograd_by_axes(algorithm, body, size):
    text = f"input 3x{size}\n{body}{HEAD}"
    assert directional_error(text, Plan(conv=algorithm), e=1e-6) < 1e-7


PIECES = {
    "plain": "conv 4 3x3 same relu; conv 5 3x3 same; pool 2",
    "bn": "conv 4 3x3 same bn relu; residual { conv 4 3x3 same bn relu; conv 4 3x3 same bn } relu",
    "bn dense": "conv 4 3x3 relu; gap; flatten; dense 6 bn relu; reshape 6x1x1",
}


@pytest.mark.parametrize("body", PIECES.values(), ids=PIECES.keys())
def test_micro_batches_change_nothing(body):
    """Loss, gradients and statistics are those of the whole batch, batch norm or not."""
    text = f"input 3x8x8\n{body}{HEAD}"
    plan = Plan("winograd4-axes")  # each algorithm keeps the weights in a layout of its own
    outcomes = [run(state) for state, run in (evaluator(text, plan, p, 12) for p in (1, 2, 4))]
    for cut in outcomes[1:]:
        for name, value in outcomes[0].items():
            np.testing.assert_allclose(cut[name], value, rtol=1e-9, atol=1e-12, err_msg=name)
    assert directional_error(text, Plan(), micro_batches=2) < 1e-7


BRIGHT = "input 3x12x12; conv 8 3x3 same bn silu; gap; dense 2"


def bright_step(contrast, dtype):
    """The loss of a step on bright pictures, and the changes of the weights behind batch norm."""
    rng = np.random.default_rng(0)
    x = (230 + rng.integers(-contrast, contrast + 1, (8, 3, 12, 12))).astype(np.uint8)
    weights = random_weights(parse(BRIGHT).ir)
    weights["conv_1.weight"] = abs(weights["conv_1.weight"])  # so that no channel's mean is near 0
    run = step_of(BRIGHT, Recipe(optimizer=Sgd()), 8, dtype, weights, mean=(0.1,), std=(0.2,))
    loss = run(x, np.arange(8) % 2, lr=1.0)["loss"]
    names = ("bn_1.weight", "bn_1.bias", "dense_1.weight", "dense_1.bias")
    return float(loss), {name: run.weights()[name] - weights[name] for name in names}


@pytest.mark.parametrize("contrast", [1, 5, 20])
def test_batch_norm_keeps_its_digits_far_from_zero(contrast):
    """A variance as E[x²] − E[x]² would have lost them: gradients were wrong by a third."""
    (loss, found), (exact_loss, exact) = (bright_step(contrast, d) for d in ("float32", "float64"))
    assert loss == pytest.approx(exact_loss, rel=1e-4)
    for name, gradient in exact.items():
        assert np.linalg.norm(found[name] - gradient) < 2e-3 * np.linalg.norm(gradient), name


def test_batch_norm_of_pictures_without_contrast_is_a_number():
    loss, found = bright_step(0, "float32")
    assert np.isfinite(loss)
    assert all(np.isfinite(change).all() for change in found.values())
