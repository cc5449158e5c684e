"""Training steps as files: ordinary operators only, and nothing of ours needed to train."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from running import session
from stepping import Array, Arrays

from cnndsl.api import Model, load
from cnndsl.cli import main

ROOT = Path(__file__).parents[1]
SPECS = {
    "plain": "input 3x12x12\nconv 6 3x3 same relu; pool 2\nconv 8 3x3 relu\nflatten; dense 10\n",
    "normed": "input 3x12x12\nconv 6 3x3 same bn relu\nresidual { dwconv 3x3 same bn; prelu }\n"
    "pool 3 /2 pad; upsample 2; gap; flatten; dense 10\n",
}
RECIPE = "train { batch 8; optimizer NAME; clip 1.0; ema 0.9 }\n"
LR = np.array(0.01, np.float32)


def compiled(folder: Path, name: str, *options: str, optimizer: str = "adamw") -> Path:
    spec, out = folder / f"{name}.cnn", folder / "step.onnx"
    spec.write_text(SPECS[name] + RECIPE.replace("NAME", optimizer))
    with pytest.raises(SystemExit) as left:
        main(["compile", str(spec), "-o", str(out), *options])
    assert left.value.code == 0
    return out


def batch(seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    return {
        "x": rng.integers(0, 256, (8, 3, 12, 12)).astype(np.uint8),
        "y": rng.integers(0, 10, 8),
    }


def run(path: Path, feed: Arrays) -> Arrays:
    """All outputs, fed with what the model takes."""
    ready = session(onnx.load(path))
    wanted = {i.name for i in (*ready.get_inputs(), *ready.get_overridable_initializers())}
    names = [o.name for o in ready.get_outputs()]
    found = ready.run(names, {n: a for n, a in feed.items() if n in wanted})
    return dict(zip(names, map(np.asarray, found), strict=True))


def state(outputs: Arrays) -> dict[str, Array]:
    return {n.removesuffix(".new"): a for n, a in outputs.items() if n.endswith(".new")}


def assert_is_ordinary(path: Path) -> None:
    """Default-domain operators, no functions, no external data, a pinned opset."""
    model = onnx.load(path, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version <= 21) for o in model.opset_import] == [("", True)]
    assert {node.domain for node in model.graph.node} == {""}
    assert not model.functions
    assert not any(t.external_data or t.data_location for t in model.graph.initializer)
    assert not any(a.g.node for n in model.graph.node for a in n.attribute)


@pytest.mark.parametrize("optimizer", ["sgd momentum=0.9", "adamw", "lion", "muon"])
@pytest.mark.parametrize("name", SPECS)
def test_a_step_is_ordinary_and_its_state_goes_round(
    tmp_path: Path, name: str, optimizer: str
) -> None:
    path = compiled(tmp_path, name, "--train", optimizer=optimizer)
    assert_is_ordinary(path)
    first = run(path, {**batch(), "lr": LR})
    assert first["loss"].shape == first["correct"].shape == ()
    model = onnx.load(path)
    defaults = {t.name for t in model.graph.initializer}
    inputs = {i.name for i in model.graph.input}
    assert state(first).keys() == inputs - {"x", "y", "lr"}
    assert state(first).keys() <= defaults
    losses, feed = [float(first["loss"])], state(first)
    for _ in range(20):
        found = run(path, {**batch(), "lr": LR, **feed})
        losses.append(float(found["loss"]))
        feed = state(found)
    assert losses[-1] < losses[0]
    assert float(feed["step"]) == 21


@pytest.mark.parametrize("name", SPECS)
def test_gradient_and_update_apart_equal_the_whole_step(tmp_path: Path, name: str) -> None:
    whole = compiled(tmp_path, name, "--train")
    compiled(tmp_path, name, "--train", "split")
    grad, apply = tmp_path / "step.grad.onnx", tmp_path / "step.apply.onnx"
    feed, apart = dict[str, Array](), dict[str, Array]()
    for seed in range(3):
        one = run(whole, {**batch(seed), "lr": LR, **feed})
        gradients = run(grad, {**batch(seed), **apart})
        grads = {n: a for n, a in gradients.items() if n.endswith(".grad")}
        updated = run(apply, {"lr": LR, **apart, **state(gradients), **grads})
        feed, apart = state(one), state(gradients) | state(updated)
        assert float(gradients["loss"]) == pytest.approx(float(one["loss"]), rel=1e-5)
    assert apart.keys() == feed.keys()
    for tensor, array in feed.items():
        np.testing.assert_allclose(apart[tensor], array, rtol=1e-3, atol=1e-5, err_msg=tensor)
    for path in (grad, apply):
        assert_is_ordinary(path)


def test_gradients_of_two_halves_make_the_gradient_of_the_whole(tmp_path: Path) -> None:
    """What `split` is for; without batch norm, which sees its own half only."""
    compiled(tmp_path, "plain", "--train", "split")
    whole = run(tmp_path / "step.grad.onnx", batch())
    compiled(tmp_path, "plain", "--train", "split", "--batch", "4")
    cut = [{n: a[i : i + 4] for n, a in batch().items()} for i in (0, 4)]
    halves = [run(tmp_path / "step.grad.onnx", half) for half in cut]
    for name in [n for n in whole if n.endswith(".grad")]:
        mean = (halves[0][name] + halves[1][name]) / 2
        top = float(np.abs(whole[name]).max())
        assert np.abs(mean - whole[name]).max() <= 1e-4 * top, name


def test_the_layouts_in_the_metadata_give_onnx_weights(tmp_path: Path) -> None:
    """Read as the permuted `split`, undo `perm`, read as `shape`: a fresh step's are the seed's."""
    path = compiled(tmp_path, "plain", "--train", "--seed", "3")
    model = onnx.load(path)
    layouts = json.loads({p.key: p.value for p in model.metadata_props}["cnndsl_layouts"])
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    compiled(tmp_path, "plain", "--seed", "3")
    plain = {
        t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer
    }  # fmt: skip
    for name, layout in layouts.items():
        permuted = [layout["split"][i] for i in layout["perm"]]
        back = stored[name].reshape(permuted).transpose(np.argsort(layout["perm"]))
        assert np.array_equal(back.reshape(layout["shape"]), plain[name]), name


def test_the_same_step_has_the_same_bytes(tmp_path: Path) -> None:
    first = compiled(tmp_path, "normed", "--train").read_bytes()
    assert compiled(tmp_path, "normed", "--train").read_bytes() == first


def test_the_example_trains_without_us(tmp_path: Path) -> None:
    """In a process that cannot import cnndsl, with the tutorial's net."""
    step = tmp_path / "step.onnx"
    with pytest.raises(SystemExit):
        main(["compile", str(ROOT / "specs/cifar10.cnn"), "--train", "-o", str(step)])
    example = (ROOT / "docs/examples/train_alone.py").read_text(encoding="utf-8")
    assert "cnndsl" not in example.split('"""')[2]
    found = subprocess.run(
        [sys.executable, "-W", "error", "-", str(step)], input=example, cwd=tmp_path,
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    losses = [float(x) for x in re.findall(r"loss ([\d.]+)", found.stdout)]
    assert len(losses) == 4
    assert losses[-1] < least_loss(load(ROOT / "specs/cifar10.cnn")) + 0.1
    assert found.stderr == ""


def least_loss(model: Model) -> float:
    """What smoothed targets leave of the loss of a perfect model: their entropy."""
    assert model.ir.recipe is not None
    smooth, classes = model.ir.recipe.loss.smooth, model.outputs["output"][0]
    q = np.full(classes, smooth / classes)
    q[0] += 1 - smooth
    return float(-(q[q > 0] * np.log(q[q > 0])).sum())
