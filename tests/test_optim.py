"""Optimizers and statistics agree with PyTorch's, through the real step graph."""

from collections.abc import Callable, Iterator
from functools import cache
from math import prod
from typing import Any

import numpy as np
import pytest
from running import error, run
from stepping import Array, Arrays, Run, random_weights, step_of

import cnndsl
from cnndsl import losses, optim
from cnndsl.recipe import Lookahead, Recipe

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

BATCH, STEPS, RATE = 8, 100, 0.01
# Smooth, so that no rounding is amplified by a kink; three batches in turn.
NET = "input 6; dense 5 tanh; dense 4 tanh; dense 3"
Rule = Callable[[list[dict[str, Any]]], torch.optim.Optimizer]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Two pools of threads that wait for each other's cores are slow."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)  # also of scalars that an optimizer keeps
    yield
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(before)


@cache
def batches() -> list[tuple[Array, Array]]:
    rng = np.random.default_rng(7)
    return [(rng.normal(size=(BATCH, 6)), rng.integers(0, 3, BATCH)) for _ in range(3)]


def ours(recipe: Recipe, dtype: str, text: str = NET, steps: int = STEPS) -> Run:
    step = step_of(text, recipe, BATCH, dtype)
    for i in range(steps):
        x, y = batches()[i % 3]
        step(x.astype(dtype), y, RATE)
    return step


def torch_net() -> nn.Module:
    """The same net with the same weights, in float64."""
    net = nn.Sequential(
        nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)
    ).double()
    given = random_weights(cnndsl.parse(NET).ir)
    for parameter, array in zip(net.parameters(), given.values(), strict=True):
        parameter.data = torch.from_numpy(array.copy())
    return net


def groups(net: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weights decay, biases don't."""
    weights = [p for p in net.parameters() if p.ndim > 1]
    biases = [p for p in net.parameters() if p.ndim == 1]
    return [{"params": weights, "weight_decay": decay}, {"params": biases, "weight_decay": 0}]


def theirs(make: Rule, decay: float = 0.0, clip: float | None = None) -> list[Arrays]:
    """The weights after each step, by PyTorch."""
    net = torch_net()
    optimizer, history = make(groups(net, decay)), list[Arrays]()
    for i in range(STEPS):
        x, y = (torch.from_numpy(a) for a in batches()[i % 3])
        optimizer.zero_grad()
        functional.cross_entropy(net(x), y).backward()
        if clip:
            nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
        history.append({n: p.detach().numpy().copy() for n, p in net.named_parameters()})
    return history


def assert_equal(found: Arrays, wanted: Arrays, tolerance: float) -> None:
    for (name, mine), other in zip(found.items(), wanted.values(), strict=True):
        assert error(mine, other) < tolerance, name


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, algorithm 2."""

    def __init__(self, groups: Any, **options: float) -> None:
        super().__init__(groups, options)

    def step(self) -> None:
        for group in self.param_groups:
            b1, b2 = group["beta1"], group["beta2"]
            for p in group["params"]:
                m = self.state[p].get("m", torch.zeros_like(p))
                direction = (b1 * m + (1 - b1) * p.grad).sign()
                p.data -= group["lr"] * (direction + group["weight_decay"] * p.data)
                self.state[p]["m"] = b2 * m + (1 - b2) * p.grad


class Lamb(torch.optim.Optimizer):
    """You et al. 2020, algorithm 2; biases are not scaled."""

    def __init__(self, groups: Any, **options: Any) -> None:
        super().__init__(groups, options)

    def step(self) -> None:
        for group in self.param_groups:
            (b1, b2), decay = group["betas"], group["weight_decay"]
            for p in group["params"]:
                state = self.state[p]
                t = state["t"] = state.get("t", 0) + 1
                m = state["m"] = b1 * state.get("m", 0) + (1 - b1) * p.grad
                v = state["v"] = b2 * state.get("v", 0) + (1 - b2) * p.grad**2
                step = m / (1 - b1**t) / ((v / (1 - b2**t)).sqrt() + group["eps"])
                step = step + decay * p.data
                trust = p.data.norm() / step.norm() if p.ndim > 1 else 1.0
                p.data -= group["lr"] * trust * step


class Decayed(torch.optim.SGD):
    """SGD with decoupled decay."""

    def step(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                p.data *= 1 - group["lr"] * group["decoupled"]
        super().step()


class Muon(torch.optim.Optimizer):
    """PyTorch's Muon for all matrices but the last, AdamW for the rest, as its pages advise; SGD
    with Nesterov momentum where there is a `rest_momentum`.

    The numbers of its polynomial are rounded as ONNX's attributes are.
    """

    def __init__(self, groups: Any, **options: Any) -> None:
        super().__init__(groups, {})
        (*matrices, head), decay = groups[0]["params"], groups[0]["weight_decay"]
        ratio = options["ratio"]
        self.parts = [
            torch.optim.Muon(
                matrices, lr=RATE, weight_decay=decay,
                momentum=options["momentum"], adjust_lr_fn="match_rms_adamw",
                ns_coefficients=tuple(map(float, np.float32([3.4445, -4.7750, 2.0315]))),
            ),
            self.rest(options, head, decay / ratio, groups[1]["params"]),
        ]  # fmt: skip

    def rest(self, options: Any, head: Any, decay: float, others: Any) -> torch.optim.Optimizer:
        lr, momentum = RATE * options["ratio"], options.get("rest_momentum")
        key = "decoupled" if momentum else "weight_decay"
        parts = [{"params": [head], key: decay}, {"params": others, key: 0}]
        if momentum:
            return Decayed(parts, lr=lr, momentum=momentum, nesterov=True)
        return torch.optim.AdamW(parts, lr=lr, betas=options["betas"], eps=options["eps"])

    def step(self) -> None:
        for part in self.parts:
            part.step()


@pytest.fixture(autouse=True)
def muon_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's Muon rounds to bfloat16 on its way; not here."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)


def rule(cls: type[torch.optim.Optimizer], **options: Any) -> Rule:
    return lambda groups: cls(groups, lr=RATE, **options)


SGD, ADAM, RMS = torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop
OPTIMIZERS: dict[str, tuple[optim.Optimizer, Rule, float]] = {
    "sgd": (optim.Sgd(), rule(SGD), 0),
    "sgd momentum": (optim.Sgd(momentum=0.9), rule(SGD, momentum=0.9), 0),
    "sgd decay": (optim.Sgd(momentum=0.8, decay=0.1), rule(SGD, momentum=0.8), 0.1),
    "sgd nesterov": (
        optim.Sgd(momentum=0.9, decay=0.05, nesterov=True),
        rule(SGD, momentum=0.9, nesterov=True),
        0.05,
    ),
    "adam": (optim.Adam(), rule(ADAM), 0),
    "adam decay": (
        optim.Adam(beta1=0.8, beta2=0.95, eps=1e-3, decay=0.1),
        rule(ADAM, betas=(0.8, 0.95), eps=1e-3),
        0.1,
    ),
    "adamw": (optim.AdamW(), rule(torch.optim.AdamW), 0.01),
    "adamw others": (
        optim.AdamW(beta1=0.7, beta2=0.99, eps=1e-4, decay=0.3),
        rule(torch.optim.AdamW, betas=(0.7, 0.99), eps=1e-4),
        0.3,
    ),
    "rmsprop": (optim.RmsProp(), rule(RMS), 0),
    "rmsprop others": (
        optim.RmsProp(alpha=0.9, eps=1e-3, momentum=0.7, decay=0.1),
        rule(RMS, alpha=0.9, eps=1e-3, momentum=0.7),
        0.1,
    ),
    "adagrad": (optim.Adagrad(), rule(torch.optim.Adagrad), 0),
    "adagrad decay": (
        optim.Adagrad(eps=1e-3, decay=0.1),
        rule(torch.optim.Adagrad, eps=1e-3),
        0.1,
    ),
    "muon": (
        optim.Muon(decay=0), rule(Muon, momentum=0.95, betas=(0.9, 0.95), eps=1e-8, ratio=1.0), 0,
    ),
    "muon decay": (
        optim.Muon(momentum=0.8, beta1=0.8, beta2=0.99, eps=1e-6, ratio=0.5, decay=0.3),
        rule(Muon, momentum=0.8, betas=(0.8, 0.99), eps=1e-6, ratio=0.5),
        0.3,
    ),
    "muon with momentum for the rest": (
        optim.Muon(momentum=0.6, rest="sgd", rest_momentum=0.85, ratio=0.5, decay=0.1),
        rule(Muon, momentum=0.6, rest_momentum=0.85, ratio=0.5),
        0.1,
    ),
    "adamax": (optim.Adamax(), rule(torch.optim.Adamax), 0),
    "adamax others": (
        optim.Adamax(beta1=0.7, beta2=0.95, eps=1e-3, decay=0.2),
        rule(torch.optim.Adamax, betas=(0.7, 0.95), eps=1e-3),
        0.2,
    ),
    "nadam": (optim.NAdam(), rule(torch.optim.NAdam), 0),
    "nadam others": (
        optim.NAdam(beta1=0.8, beta2=0.95, eps=1e-4, psi=0.3, decay=0.2),
        rule(torch.optim.NAdam, betas=(0.8, 0.95), eps=1e-4, momentum_decay=0.3),
        0.2,
    ),
    "radam": (optim.RAdam(), rule(torch.optim.RAdam), 0),
    "radam others": (
        optim.RAdam(beta1=0.8, beta2=0.95, eps=1e-4, decay=0.2),
        rule(torch.optim.RAdam, betas=(0.8, 0.95), eps=1e-4),
        0.2,
    ),
    "radam of a short memory": (
        optim.RAdam(beta2=0.6), rule(torch.optim.RAdam, betas=(0.9, 0.6)), 0,
    ),
    "adadelta": (optim.Adadelta(), rule(torch.optim.Adadelta), 0),
    "adadelta others": (
        optim.Adadelta(rho=0.7, eps=1e-3, decay=0.2),
        rule(torch.optim.Adadelta, rho=0.7, eps=1e-3),
        0.2,
    ),
    "lamb": (optim.Lamb(decay=0), rule(Lamb, betas=(0.9, 0.999), eps=1e-6), 0),
    "lamb decay": (
        optim.Lamb(beta1=0.8, beta2=0.95, eps=1e-3, decay=0.3),
        rule(Lamb, betas=(0.8, 0.95), eps=1e-3),
        0.3,
    ),
    "lion": (optim.Lion(), rule(Lion, beta1=0.9, beta2=0.99), 0),
    "lion decay": (
        optim.Lion(beta1=0.8, beta2=0.9, decay=0.3), rule(Lion, beta1=0.8, beta2=0.9), 0.3,
    ),
}  # fmt: skip


def test_every_optimizer_is_here() -> None:
    assert {type(mine) for mine, _, _ in OPTIMIZERS.values()} == set(optim.registry.values())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_100_steps_end_where_pytorch_ends(name: str) -> None:
    mine, make, decay = OPTIMIZERS[name]
    wanted = theirs(make, decay)[-1]
    assert_equal(ours(Recipe(optimizer=mine), "float64").weights(), wanted, 1e-9)


@pytest.mark.parametrize("name", [n for n in OPTIMIZERS if "lion" not in n])
def test_in_float32_too(name: str) -> None:
    """But lion: a sign flips with the rounding of a gradient near 0."""
    mine, make, decay = OPTIMIZERS[name]
    wanted = theirs(make, decay)[-1]
    assert_equal(ours(Recipe(optimizer=mine), "float32").weights(), wanted, 1e-5)


@pytest.mark.parametrize("name", [n for n in OPTIMIZERS if "lion" not in n])
def test_memories_of_a_gradient_that_stays_0_never_become_denormal(name: str) -> None:
    """Processors are slow with such numbers. Lion takes the sign of its memory, however small."""
    step = step_of("input 6; dense 5 bias relu; dense 3", Recipe(optimizer=OPTIMIZERS[name][0]), 4)
    dead = "dense_1.weight"
    for slot in {n for n in step.state if n.startswith(f"{dead}.")}:
        step.state[slot] = np.full_like(step.state[slot], 1e-36)
    for _ in range(120):
        step(np.zeros((4, 6), np.float32), np.zeros(4, np.int64), 0.0)
    for slot, values in step.state.items():
        assert not ((values != 0) & (np.abs(values) < np.finfo(np.float32).tiny)).any(), slot


@pytest.mark.parametrize(
    "rule", [optim.Adam, optim.AdamW, optim.RmsProp, optim.NAdam, optim.RAdam, optim.Adamax]
)
@pytest.mark.parametrize("eps", [1e-15, 1e-8])
def test_a_gradient_that_stays_0_moves_no_weight(rule: Any, eps: float) -> None:
    """However little is added to the root."""
    optimizer = rule(eps=eps, decay=0.0)
    step = step_of("input 6; dense 5 bias relu; dense 3", Recipe(optimizer=optimizer), 4)
    before = step.weights()["dense_1.weight"]
    for _ in range(50):
        step(np.zeros((4, 6), np.float32), np.zeros(4, np.int64), 1e-3)
    np.testing.assert_array_equal(step.weights()["dense_1.weight"], before)


KERNELS = "input 6x8x8; conv 5 3x3 tanh; dwconv 3; upconv 4 2 /2; gap; dense 12; dense 3"
HEAD = "dense_2.weight"


def moved(rule: optim.Optimizer) -> Arrays:
    """How far one step takes each weight."""
    start = random_weights(cnndsl.parse(KERNELS).ir)
    step = step_of(KERNELS, Recipe(optimizer=rule), BATCH, "float64")
    rng = np.random.default_rng(1)
    step(rng.integers(0, 256, (BATCH, 6, 8, 8)).astype(np.uint8), rng.integers(0, 3, BATCH), RATE)
    return {name: after - start[name] for name, after in step.weights().items()}


def test_muon_turns_kernels_along_their_gradients_as_much_in_each_direction() -> None:
    """However small the gradient is there; wide, tall and transposed kernels."""
    gradients, steps = moved(optim.Sgd()), moved(optim.Muon(decay=0))
    kernels = [n for n, a in gradients.items() if a.ndim > 1 and a.shape[1] > 1 and n != HEAD]
    assert len(kernels) == 3
    for name in kernels:
        g, s = (a[name].reshape(len(a[name]), -1) for a in (gradients, steps))
        u, sizes, vt = np.linalg.svd(g, full_matrices=False)
        turned = u.T @ s @ vt.T / (0.2 * RATE * max(g.shape) ** 0.5)
        known = sizes > 0.01 * np.linalg.norm(g)
        assert known.sum() > 1, name
        np.testing.assert_allclose(turned, np.diag(np.diag(turned)), atol=1e-5, err_msg=name)
        assert (abs(np.diag(turned)[known] - 0.95) < 0.27).all(), name


def test_muon_moves_all_else_as_adamw() -> None:
    muon, adamw = (moved(rule(beta2=0.95)) for rule in (optim.Muon, optim.AdamW))
    equal = {name for name in muon if np.allclose(muon[name], adamw[name], rtol=1e-9)}
    assert equal == {n for n, a in muon.items() if a.ndim == 1} | {"dwconv_1.weight", HEAD}


def test_muon_moves_all_else_by_momentum_where_it_is_told_so() -> None:
    """`ratio` and `decay` are as with AdamW."""
    muon = moved(optim.Muon(rest="sgd", rest_momentum=0.8, ratio=0.5, decay=0.0))
    sgd = moved(optim.Sgd(momentum=0.8, nesterov=True))
    equal = {name for name in muon if np.allclose(muon[name], sgd[name] / 2, rtol=1e-9)}
    assert equal == {n for n, a in muon.items() if a.ndim == 1} | {"dwconv_1.weight", HEAD}


def test_normalised_kernels_keep_their_norm_and_move_by_lr() -> None:
    """w · √outputs / |w| − lr · UVᵀ, at every scale of w and of the gradient."""
    start = random_weights(cnndsl.parse(KERNELS).ir)
    plain, steps = moved(optim.Muon(decay=0)), moved(optim.Muon(normalised=True, decay=0.5))
    kernels = [n for n, a in start.items() if a.ndim > 1 and a.shape[1] > 1 and n != HEAD]
    for name in kernels:
        outputs, *rest = start[name].shape
        unit = start[name] * outputs**0.5 / np.linalg.norm(start[name])
        turned = plain[name] / (0.2 * max(outputs, prod(rest)) ** 0.5)
        np.testing.assert_allclose(start[name] + steps[name], unit + turned, rtol=1e-6)


def test_fewer_iterations_turn_less() -> None:
    spread = [
        np.linalg.svd(moved(optim.Muon(decay=0, iterations=n))["dense_1.weight"])[1]
        for n in (1, 3, 5)
    ]
    ratios = [sizes[0] / sizes[2] for sizes in spread]
    assert ratios == sorted(ratios, reverse=True)


class Ahead(torch.optim.SGD):
    """Zhang et al. 2019, algorithm 1, around SGD."""

    def step(self) -> None:
        parameters = [p for group in self.param_groups for p in group["params"]]
        for p in parameters:
            self.state[p].setdefault("slow", p.data.clone())
        super().step()
        self.count = getattr(self, "count", 0) + 1
        for p in parameters if self.count % 3 == 0 else []:
            slow = self.state[p]["slow"]
            slow += 0.3 * (p.data - slow)
            p.data.copy_(slow)


def test_lookahead_pulls_weights_back_to_slow_ones() -> None:
    recipe = Recipe(optimizer=optim.Sgd(momentum=0.9), lookahead=Lookahead(3, 0.3))
    wanted = theirs(rule(Ahead, momentum=0.9))[-1]
    assert_equal(ours(recipe, "float64").weights(), wanted, 1e-9)
    assert_equal(ours(recipe, "float32").weights(), wanted, 1e-5)


def test_the_heads_are_the_last_kernels_before_each_output() -> None:
    def heads(text: str) -> set[str]:
        return {*cnndsl.parse(text).ir.heads}

    assert heads("input 3x8x8; conv 4 3x3; gap; dense 5; dense 2; softmax") == {"dense_2"}
    assert heads("input 3x8x8; conv 4 3x3 bn relu; conv 2 1x1; gap") == {"conv_2"}
    branches = "input 3x8x8; add { conv 4 3x3 same | conv 4 1x1 } relu; gap"
    assert heads(branches) == {"conv_1", "conv_2"}
    aux = "input 3x8x8; conv 4 3x3; output aux { gap; dense 5; dense 2 }; conv 3 1x1; gap"
    assert heads(aux) == {"dense_2", "conv_2"}
    assert heads("input 3x8x8; relu; gap") == set()


@pytest.mark.parametrize("clip", [0.05, 0.5, 100.0])
def test_clipping_is_that_of_pytorch(clip: float) -> None:
    wanted = theirs(rule(SGD, momentum=0.9), clip=clip)[-1]
    recipe = Recipe(optimizer=optim.Sgd(momentum=0.9), clip=clip)
    assert_equal(ours(recipe, "float64").weights(), wanted, 1e-9)


def test_the_moving_mean_of_the_weights() -> None:
    history = theirs(rule(ADAM))
    mean = {n: p.detach().numpy().copy() for n, p in torch_net().named_parameters()}
    for step, weights in enumerate(history, 1):
        share = max(0.1, 9 / (9 + step))
        mean = {n: (1 - share) * a + share * weights[n] for n, a in mean.items()}
    mine = ours(Recipe(optimizer=optim.Adam(), ema=0.9), "float64")
    assert_equal(mine.weights("ema"), mean, 1e-9)
    assert_equal(mine.weights(), history[-1], 1e-9)


def test_running_statistics_are_averaged_with_the_weights_that_they_belong_to() -> None:
    text, recipe = "input 6; dense 5 bn tanh; dense 3", Recipe(optimizer=optim.Sgd(), ema=0.9)
    step = step_of(text, recipe, BATCH, "float64")
    mean = step.weights()
    for i in range(1, 21):
        step(*batches()[i % 3], RATE)
        share = max(0.1, 9 / (9 + i))
        mean = {n: (1 - share) * a + share * step.weights()[n] for n, a in mean.items()}
    assert {"bn_1.running_mean", "bn_1.running_var"} <= mean.keys()
    assert_equal(step.weights("ema"), mean, 1e-9)


def test_l2_is_a_part_of_the_loss_of_its_layer() -> None:
    net, (x, y) = torch_net(), batches()[0]
    loss = functional.cross_entropy(net(torch.from_numpy(x)), torch.from_numpy(y))
    (loss + 0.3 * (net[2].weight ** 2).sum()).backward()
    wanted = {n: (p - RATE * p.grad).detach().numpy() for n, p in net.named_parameters()}
    text = NET.replace("dense 4", "dense 4 l2=0.3")
    found = ours(Recipe(optimizer=optim.Sgd()), "float64", text, 1).weights()
    assert_equal(found, wanted, 1e-12)


@pytest.mark.parametrize(
    "rule", [r(decay=0.5, lr=0.1) for r in optim.registry.values()], ids=lambda r: r.word
)
def test_decay_spares_biases_and_norms(rule: optim.Optimizer) -> None:
    """Where decay changes nothing, it was not applied: only the products' weights may differ."""
    text = "input 6; dense 5 bn tanh; dense 4 ln; prelu; dense 3"
    bare = cnndsl.parse(text).ir
    plain = type(rule)(decay=0.0, lr=0.1)
    found = [ours(Recipe(optimizer=o), "float64", text, 1).weights() for o in (rule, plain)]
    changed = {n for n in bare.tensors() if not np.array_equal(found[0][n], found[1][n])}
    products = {n for n, p in bare.tensors().items() if len(p.shape) == 2}
    # Adam's and its kin's first step is the sign of g, which a little decay hardly turns.
    assert changed <= products
    assert changed or isinstance(rule, optim.Lion)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("momentum", [0.1, 0.3])
def test_running_statistics_are_those_of_pytorch(momentum: float, bias: bool) -> None:
    """A bias before the norm is not added in training; the running mean has it all the same."""
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=bias), nn.BatchNorm2d(4, momentum=momentum), nn.Tanh(),
        nn.Flatten(), nn.Linear(64, 5, bias=False), nn.BatchNorm1d(5, momentum=momentum),
        nn.Linear(5, 3),
    ).double()  # fmt: skip
    key = f"bn momentum={momentum}"
    own = "bias" if bias else ""
    text = f"input 3x6x6; conv 4 3x3 {own} {key} tanh; flatten; dense 5 {key}; dense 3"
    step = step_of(text, Recipe(optimizer=optim.Sgd()), BATCH, std=(1 / 255,))
    state = {k: v for k, v in net.state_dict().items() if "tracked" not in k}
    for theirs_, array in zip(state.values(), step.weights().values(), strict=True):
        theirs_.copy_(torch.from_numpy(array))
    rng, optimizer = np.random.default_rng(0), torch.optim.SGD(net.parameters(), lr=0.05)
    for _ in range(20):
        x, y = rng.integers(0, 4, (BATCH, 3, 6, 6)).astype(np.uint8), rng.integers(0, 3, BATCH)
        step(x, y, 0.05)
        optimizer.zero_grad()
        functional.cross_entropy(net(torch.from_numpy(x).double()), torch.from_numpy(y)).backward()
        optimizer.step()
    for (name, mine), other in zip(step.weights().items(), state.values(), strict=True):
        assert error(mine, other.numpy()) < 1e-4, name


def test_dropout_zeroes_a_share_and_scales_the_rest() -> None:
    """With the identity behind it, the loss is that of the masked input by hand."""
    weights = {"dense_1.weight": np.eye(6), "dense_1.bias": np.zeros(6)}
    recipe = Recipe(loss=losses.MeanSquaredError())
    step = step_of("input 6; dropout 0.25; dense 6", recipe, BATCH, "float64", weights)
    (random,) = step.step.randoms
    u = np.random.default_rng(1).random((BATCH, 6))
    x, y = batches()[0]
    masked = x * (u >= 0.25) / 0.75
    found = step(x, y, **{random.name: u})["loss"]
    assert found == pytest.approx(((masked - np.eye(6)[y]) ** 2).mean(), rel=1e-12)


def test_droppath_drops_whole_samples() -> None:
    weights = {"dense_1.weight": np.eye(6), "dense_1.bias": np.zeros(6)}
    recipe = Recipe(loss=losses.MeanSquaredError())
    step = step_of("input 6; droppath 0.5; dense 6", recipe, BATCH, "float64", weights)
    (random,) = step.step.randoms
    assert random.shape == (BATCH, 1)
    u = np.linspace(0.2, 0.9, BATCH)[:, None]
    x, y = batches()[0]
    found = step(x, y, **{random.name: u})["loss"]
    assert found == pytest.approx(((x * (u >= 0.5) * 2 - np.eye(6)[y]) ** 2).mean(), rel=1e-12)


def test_dropout_is_off_at_inference() -> None:
    x = batches()[0][0].astype(np.float32)
    tensors = cnndsl.parse("input 6; dense 3").initial_weights(3)
    outputs = [
        run(cnndsl.parse(f"input 6; {drop}dense 3").to_onnx(tensors), x)["output"]
        for drop in ("", "dropout 0.9; ", "droppath 0.9; ")
    ]
    assert np.array_equal(outputs[0], outputs[1])
    assert np.array_equal(outputs[0], outputs[2])
