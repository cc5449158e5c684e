"""Fine-tuning: frozen layers are constants, others begin anew or go at rates of their own."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from stepping import random_weights, step_of

import cnndsl
from cnndsl.finetune import Cache, Freeze, Rate
from cnndsl.ir import Model
from cnndsl.learned import frozen, named, phase
from cnndsl.lower.driver import Plan
from cnndsl.optim import Adam, Sgd
from cnndsl.recipe import Augment, Recipe
from cnndsl.source import UserError
from cnndsl.training import lesson, run, trainer
from cnndsl.training.callbacks import Callback
from cnndsl.training.memory import TooLarge
from cnndsl.training.settings import Settings

pytestmark = pytest.mark.usefixtures("no_pictures")

SPEC = """input 3x8x8
stem: conv 4 3x3 same bn relu
block unit { residual { conv 4 3x3 same bn relu; conv 4 3x3 same bn } relu }
unit; unit
gap; flatten; dense 3
"""
NET = cnndsl.parse(SPEC).ir
X = np.random.default_rng(0).integers(0, 256, (8, 3, 8, 8), np.uint8)
Y = np.arange(8) % 3


def freezing(*patterns: str, **window: Any) -> Recipe:
    return Recipe(optimizer=Sgd(momentum=0.9), freeze=(Freeze(patterns, **window),))


@pytest.mark.parametrize(
    ("pattern", "first", "count"),
    [
        ("stem", "stem.weight", 5), ("stem*", "stem.weight", 5),
        ("unit_1", "unit_1.conv_1.weight", 10),
        ("unit_*.bn_2", "unit_1.bn_2.weight", 8), ("*.bias", "stem.bn_1.bias", 6),
        ("stem.weight", "stem.weight", 1), ("head", "dense_1.weight", 2),
        ("body", "stem.weight", 25), ("sten", None, 0), ("unit_1.bn", None, 0),
    ],
)  # fmt: skip
def test_a_pattern_names_layers_blocks_and_tensors(
    pattern: str, first: str | None, count: int
) -> None:
    found = named(NET, pattern)
    assert (found[0] if found else None, len(found)) == (first, count)


def test_statistics_are_frozen_with_all_that_a_norm_learns() -> None:
    assert "stem.bn_1.running_mean" in frozen(NET, freezing("stem.bn_1"))
    assert "stem.bn_1.running_mean" not in frozen(NET, freezing("stem.bn_1.weight"))


@pytest.mark.parametrize("epoch", [0, 9])
def test_nothing_is_frozen_where_nothing_says_so(epoch: int) -> None:
    """The statistics of a norm least of all."""
    model = cnndsl.parse("input 3x8x8; conv 4 3x3 bn relu; gap; dense 3").ir
    assert frozen(model, Recipe(), epoch) == frozenset()


def test_a_window_is_counted_in_epochs() -> None:
    recipe = freezing("stem", start=1, until=3)
    assert [bool(frozen(NET, recipe, epoch)) for epoch in range(4)] == [False, True, True, False]
    assert [phase(recipe, epoch) for epoch in range(4)] == [0, 1, 1, 3]


@pytest.mark.parametrize("pattern", ["body", "unit_1", "stem", "dense_1", "unit_2.bn_1"])
@pytest.mark.parametrize("pieces", [1, 2])
def test_frozen_steps_are_those_of_pytorch(pattern: str, pieces: int) -> None:
    torch = pytest.importorskip("torch")
    weights, recipe = random_weights(NET), freezing(pattern)
    held = frozen(NET, recipe)
    constants = {n: weights[n].astype(np.float32) for n in held}
    step = step_of(SPEC, recipe, 8, weights=weights, micro_batches=pieces, frozen=constants)
    net = twin(torch, weights, held)
    learned = [p for p in net.values() if p.requires_grad]
    optimizer = torch.optim.SGD(learned, lr=0.1, momentum=0.9)
    for _ in range(3):
        step(X, Y)
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(forward(torch, net, held), torch.tensor(Y))
        loss.backward()
        optimizer.step()
    found = step.weights()
    for name in NET.tensors():
        if name in held:
            assert np.array_equal(found[name], constants[name])
        else:
            assert np.allclose(found[name], net[name].detach().numpy(), atol=2e-4), name
    assert not [n for n in step.state if n.removesuffix(".velocity") in held]


def twin(torch: Any, weights: Any, held: Any) -> dict[str, Any]:
    """The tensors of the net, those that learn with gradients."""
    tensors = {n: torch.tensor(np.asarray(w, np.float32)) for n, w in weights.items()}
    for name, tensor in tensors.items():
        tensor.requires_grad_("running" not in name and name not in held)
    return tensors


def forward(torch: Any, net: dict[str, Any], held: Any) -> Any:
    f = torch.nn.functional

    def conv(x: Any, path: str) -> Any:
        return f.conv2d(x, net[f"{path}.weight"], net.get(f"{path}.bias"), padding=1)

    def norm(x: Any, path: str) -> Any:
        parts = [net[f"{path}.{n}"] for n in ("running_mean", "running_var", "weight", "bias")]
        return f.batch_norm(x, *parts, training=f"{path}.running_mean" not in held)

    x = torch.tensor(X / 255, dtype=torch.float32)
    x = norm(conv(x, "stem"), "stem.bn_1").relu()
    for unit in ("unit_1", "unit_2"):
        inner = norm(conv(x, f"{unit}.conv_1"), f"{unit}.bn_1").relu()
        x = (x + norm(conv(inner, f"{unit}.conv_2"), f"{unit}.bn_2")).relu()
    return f.linear(x.mean((2, 3)), net["dense_1.weight"], net["dense_1.bias"])


def test_a_frozen_body_costs_no_gradient() -> None:
    whole = step_of(SPEC, Recipe(), 8)
    held = {n: np.float32(w) for n, w in random_weights(NET).items() if not n.startswith("dense")}
    head = step_of(SPEC, freezing("body"), 8, frozen=held)
    operators = [node.op for node in head.step.tape.nodes]
    assert len(operators) < len(whole.step.tape.nodes) / 3
    assert operators.count("Conv") == 5
    assert "BatchNormalization" not in operators  # in the kernels


def test_frozen_convolutions_are_computed_as_at_inference() -> None:
    """By constant Winograd weights where these win, for as many bytes again at most as half."""
    narrow, wide = "conv 64 3x3 same bn relu; " * 3, "conv 256 3x3 same bn relu; " * 2
    spec = f"input 64x16x16; {narrow}pool 4; {wide}gap; dense 3"
    weights, recipe = random_weights(cnndsl.parse(spec).ir), freezing("body")
    held = {n: np.float32(w) for n, w in weights.items() if not n.startswith("dense")}
    fast, plain = (
        step_of(spec, recipe, 8, weights=weights, frozen=held, micro_batches=2, plan=Plan(conv))
        for conv in ("auto", "direct")
    )
    chosen = fast.step.algorithms.values()
    assert "winograd4-constant" in chosen
    assert all(name.endswith("-constant") for name in chosen)
    assert not plain.step.algorithms
    x = np.random.default_rng(0).integers(0, 256, (8, 64, 16, 16), np.uint8)
    for _ in range(2):
        losses = [float(step(x, Y)["loss"]) for step in (fast, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    sizes = (sum(a.nbytes for a in s.step.tape.consts.values()) for s in (fast, plain))
    assert next(sizes) < 1.5 * next(sizes)


def test_micro_batches_share_what_is_frozen() -> None:
    held = {n: np.float32(w) for n, w in random_weights(NET).items() if not n.startswith("dense")}
    whole, cut = (
        step_of(SPEC, freezing("body"), 8, frozen=held, micro_batches=count).step.tape.consts
        for count in (1, 4)
    )
    kernels = [sorted(v.name for v in consts if ".weight" in v.name) for consts in (whole, cut)]
    assert kernels[0] == kernels[1]
    assert len(kernels[0]) == 5


def test_rates_are_shares_of_the_learning_rate() -> None:
    weights = random_weights(NET)
    rates = (Rate("*", 0.5), Rate("dense_1", 2.0))
    plain = step_of(SPEC, Recipe(optimizer=Sgd()), 8, weights=weights)
    other = step_of(SPEC, Recipe(optimizer=Sgd(), rate=rates), 8, weights=weights)
    plain(X, Y)
    other(X, Y)
    for name, factor in (("stem.weight", 0.5), ("dense_1.bias", 2.0)):
        moved = (s.weights()[name] - weights[name] for s in (other, plain))
        assert np.allclose(next(moved), factor * next(moved), atol=1e-6)


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ('freeze "sten*"', "no layer with weights is called `sten\\*`"),
        ('rate "unit_3" 0.1', "did you mean `unit_[12]`"),
        ("freeze", "needs its layers"),
        ("freeze 3", "paths in quotes"),
        ('rate "stem" 0', "at least 1e-09"),
        ('freeze "stem" until=0', "`until` is at least 1"),
    ],
)
def test_mistakes_in_a_spec(setting: str, problem: str) -> None:
    with pytest.raises(cnndsl.Failed, match=problem):
        cnndsl.parse(f"{SPEC}train {{ {setting} }}")


def test_settings_are_written_as_they_are_read() -> None:
    text = 'freeze "stem" "unit_1.*" from=1 until=3; freeze body; rate "dense_1" 2'
    recipe = cnndsl.parse(f"{SPEC}train {{ {text} }}").ir.recipe
    assert recipe is not None
    words = "; ".join(recipe.setting(name) for name in ("freeze", "rate"))
    again = cnndsl.parse(f"{SPEC}train {{ {words} }}").ir.recipe
    assert again == recipe
    assert len(recipe.freeze) == 2


@pytest.fixture
def data(tmp_path: Path) -> str:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = (rng.integers(0, 100, (60, 8, 8, 3)) + 50 * y[:, None, None, None]).astype(np.uint8)
    np.savez(tmp_path / "some.npz", x=x, y=y)
    return str(tmp_path / "some.npz")


@pytest.fixture
def begin(tmp_path: Path, data: str) -> Iterator[Any]:
    begun = list[trainer.Trainer]()

    def start(
        out: str, recipe: Recipe, how: Any = run.start, net: Model = NET, **more: Any
    ) -> trainer.Trainer:
        settings = Settings(tmp_path / out, threads=1, micro_batches=1, progress="none")
        begun.append(how(net, replace(recipe, data=data, batch=8), settings, **more))
        return begun[-1]

    yield start
    for each in begun:
        each.folder.close()


class Stop(Callback):
    def __init__(self, steps: int) -> None:
        self.left = steps

    def on_step(self, run: Any, loss: float) -> None:
        self.left -= 1
        if not self.left:
            run.save()
            raise KeyboardInterrupt


@pytest.mark.parametrize("steps", [3, 12, 13, 20])
def test_phases_are_resumed_exactly(begin: Any, tmp_path: Path, steps: int) -> None:
    """Six steps an epoch; the body learns in the third."""
    body = Freeze(("body",), until=2)
    late = Freeze(("stem",), start=3)
    recipe = Recipe(epochs=4, optimizer=Adam(), ema=0.9, freeze=(body, late))
    begin("whole", recipe).fit()
    with pytest.raises(KeyboardInterrupt):
        begin("broken", recipe, callbacks=[Stop(steps)]).fit()
    begin("broken", recipe, how=run.resume).fit()
    whole, broken = (
        load_file(tmp_path / name / "weights" / "last.safetensors") for name in ("whole", "broken")
    )
    assert all(np.array_equal(whole[name], broken[name]) for name in whole)


WITH_DROPOUT = cnndsl.parse(
    """input 3x8x8
    conv 4 3x3 same bn relu
    residual { conv 4 3x3 same; droppath 0.5 }
    gap; dropout 0.5; dense 3"""
).ir
FEATURES = Recipe(epochs=4, freeze=(Freeze(("body",)),), cache=Cache("features"))


def test_cached_features_are_those_of_the_frozen_body(begin: Any, tmp_path: Path) -> None:
    """A run with them is the one without, whole in its files; it goes on where it was broken."""
    cached, plain = (
        begin(out, recipe, net=WITH_DROPOUT)
        for out, recipe in (("cached", FEATURES), ("plain", replace(FEATURES, cache=None)))
    )
    assert [t.compiled.step.tape.inputs[0].shape for t in (cached, plain)] == [
        (8, 4, 1, 1),
        (8, 3, 8, 8),
    ]
    assert np.allclose(losses(cached), losses(plain), atol=1e-5)
    with pytest.raises(KeyboardInterrupt):
        begin("broken", FEATURES, net=WITH_DROPOUT, callbacks=[Stop(7)]).fit()
    begin("broken", FEATURES, how=run.resume, net=WITH_DROPOUT).fit()
    files = [load_file(tmp_path / n / "weights" / "last.safetensors") for n in ("cached", "broken")]
    assert all(np.array_equal(files[0][name], files[1][name]) for name in WITH_DROPOUT.tensors())
    assert cached.scores is not None
    best = cnndsl.predict(
        tmp_path / "cached" / "weights" / "best.onnx", cached.data.test.x.transpose(0, 2, 3, 1)
    )
    accuracy = np.mean([int(found[0][0]) for found in best] == cached.data.test.y)
    assert accuracy == cached.scores.columns()["accuracy"]


def losses(trainer: trainer.Trainer) -> list[list[float]]:
    return [[row["loss"], row["val_loss"]] for row in trainer.fit()]


def test_epochs_take_views_in_turn(begin: Any) -> None:
    how = {"augment": Augment(flip=True, jitter=0.3), "cache": Cache("features", 2)}
    trainer = begin("views", replace(FEATURES, **how), net=WITH_DROPOUT)
    first, second = np.split(trainer.lesson.train.x, 2)
    assert len(first) == 48
    assert not np.isclose(first, second).all(1).any()
    assert [trainer.batches.order(epoch).min() for epoch in range(4)] == [0, 48, 0, 48]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"freeze": ()}, "frozen for the whole run\n  write `freeze body`"),
        ({"freeze": (Freeze(("body",), until=2),)}, "leave out `from` and `until`"),
        ({"freeze": (Freeze(("dense_1",)),)}, "frozen for the whole run"),
        ({"augment": Augment(flip=True)}, "features views=8"),
        ({"augment": Augment(mixup=0.2)}, "`mixup` blends"),
        ({"cache": Cache("features", 3)}, "all 3 views of an image are the same"),
    ],
)
def test_features_that_cannot_be_cached_are_refused(
    begin: Any, changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(UserError, match=problem):
        begin("a", replace(FEATURES, **changes))


def test_more_features_than_fit_are_refused(begin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson, "free_bytes", lambda: 4000)
    how = {"augment": Augment(flip=True), "cache": Cache("features", 9)}
    with pytest.raises(TooLarge, match=r"9 views of 48 images.*\n.*views=2"):
        begin("a", replace(FEATURES, **how))


def test_a_run_in_which_nothing_learns_is_refused(begin: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing learns from epoch 1 on"):
        begin("a", Recipe(freeze=(Freeze(("*",), start=1),)))
    with pytest.raises(UserError, match="did you mean `stem`"):
        begin("a", Recipe(freeze=(Freeze(("sten",)),)))
    assert not (tmp_path / "a").exists()


def test_another_head_and_a_frozen_body(tmp_path: Path, data: str, capsys: Any) -> None:
    other = cnndsl.parse(SPEC.replace("dense 3", "dense 7"))
    first = other.initial_weights(3)
    other.save(tmp_path / "other.onnx")
    from cnndsl.weights.model_info import ModelInfo
    from cnndsl.weights.safetensors import pack_weights

    file = tmp_path / "other.safetensors"
    file.write_bytes(pack_weights(first, ModelInfo((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))))
    net, how = cnndsl.parse(SPEC), {"progress": "none", "epochs": 1, "batch": 8}
    with pytest.raises(UserError, match="--fresh head lets these start anew"):
        cnndsl.train(net, data, weights=file, out=tmp_path / "run", **how)
    cnndsl.train(
        net,
        data,
        weights=file,
        fresh="head",
        freeze="body",
        rate={"head": 2},
        out=tmp_path / "run",
        **how,
    )
    assert "`dense_1` starts anew" in capsys.readouterr().err
    trained = load_file(tmp_path / "run" / "weights" / "last.safetensors")
    assert all(np.array_equal(trained[n], first[n]) for n in named(NET, "body"))
    assert trained["dense_1.weight"].shape == (3, 4)
    manifest = next((tmp_path / "run" / "checkpoints").glob("*.json")).read_text()
    assert "0.2" in manifest.partition('"mean"')[2][:60]  # the preprocessing of the weights
