"""The lowering for CUDA, run on the CPU: the same steps as by the CPU's lowering."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from stepping import Array, random_weights, step_of
from test_training_gradients import BODIES, DEPLOYED, HEAD, directional_error

from cnndsl.api import parse
from cnndsl.backend.pipelines import training_step
from cnndsl.backend.step import OPSET, StepOptions
from cnndsl.cli import main
from cnndsl.graph.export import export
from cnndsl.lower.driver import Plan
from cnndsl.optim import Sgd
from cnndsl.recipe import Recipe
from cnndsl.runtime import session as sessions
from cnndsl.runtime.steppers import fused
from cnndsl.runtime.steppers.fused import FusedStepper
from cnndsl.source import UserError
from cnndsl.training.compiled import compile_step
from cnndsl.training.settings import Settings

CUDA = Plan(device="cuda")
BATCH = 4
EXTRA = {
    "uneven": "conv 6 3x3 same /2; conv 4 2x4 same; upconv 3 3x3 same /2; pool 3 /2 same",
    "deep": "conv 6 3x3 same; dwconv 3x3 /2 pad; upconv 4 3x3 /2 pad=1; avgpool 3 /2 same",
}
ALL = {**BODIES, **DEPLOYED, **EXTRA}
GROUPED = ("conv grouped", "dwconv multiplier", "upconv grouped")  # not in ONNX's reference


def trained(text: str, plan: Plan, micro_batches: int = 1) -> dict[str, Array]:
    """The loss of two steps, and the tensors behind them in ONNX's layout."""
    recipe, weights = Recipe(optimizer=Sgd(lr=0.1, momentum=0.9)), random_weights(parse(text).ir)
    run = step_of(text, recipe, BATCH, weights=weights, plan=plan, micro_batches=micro_batches)
    rng = np.random.default_rng(3)
    x, y = rng.integers(0, 256, (BATCH, 3, 8, 8)).astype(np.uint8), np.arange(BATCH)
    randoms = {r.name: rng.random([int(d) for d in r.shape]) for r in run.step.randoms}
    randoms = {name: array.astype(np.float32) for name, array in randoms.items()}
    losses = {f"loss {i}": run(x, y, 0.01, **randoms)["loss"] for i in range(2)}
    return losses | run.weights()


@pytest.mark.parametrize("body", ALL.values(), ids=list(ALL))
@pytest.mark.parametrize("micro_batches", [1, 2])
def test_steps_are_those_of_the_cpu(body: str, micro_batches: int) -> None:
    text = f"input 3x8x8\n{body}{HEAD}"
    expected = trained(text, Plan(), micro_batches)
    for name, value in trained(text, CUDA, micro_batches).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=2e-5, err_msg=name)


EXACT = {k: v for k, v in {**BODIES, **EXTRA}.items() if k not in GROUPED}


@pytest.mark.parametrize("body", EXACT.values(), ids=list(EXACT))
def test_gradient_is_the_slope_of_the_loss(body: str) -> None:
    assert directional_error(f"input 3x8x8\n{body}{HEAD}", CUDA, e=1e-6) < 1e-6


def test_weights_keep_onnx_s_layout_and_convolutions_their_operator() -> None:
    run = step_of("input 3x8x8; conv 4 3x3 same bn relu; gap; dense 2", Recipe(), 2, plan=CUDA)
    assert all(layout.packed == layout.shape for layout in run.step.layouts.values())
    assert {"Conv"} <= {node.op for node in run.step.tape.nodes}
    assert not {"HardSigmoid", "Transpose"} & {
        n.op for n in run.step.tape.nodes if "grad" not in n.path
    }


def test_an_algorithm_of_the_cpu_is_refused() -> None:
    with pytest.raises(UserError, match="`winograd4` is for the CPU; CUDA has its own"):
        step_of(
            "input 3x8x8; conv 4 3x3; gap; dense 2",
            Recipe(),
            2,
            plan=Plan("winograd4", device="cuda"),
        )


def test_the_device_is_of_the_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net, model = tmp_path / "net.cnn", tmp_path / "net.onnx"
    command = ["compile", str(net), "-o", str(model), "--device", "cuda"]
    net.write_text("input 3x8x8; conv 4 3x3; gap; dense 2")
    with pytest.raises(SystemExit) as left:
        main(command)
    assert left.value.code == 2
    assert "--device is for --train: the inference graph runs on both" in capsys.readouterr().err
    with pytest.raises(SystemExit) as left:
        main([*command, "--train"])
    assert not left.value.code
    ops = [node.op_type for node in onnx.load(model).graph.node]
    assert "Conv" in ops


class OnCuda:
    """A session on the CPU that passes for one on CUDA, and keeps with what it was run."""

    def __init__(self, session: Any) -> None:
        self.session, self.ran = session, list[str | None]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)

    def get_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", sessions.CPU]

    def run_with_iobinding(self, binding: Any, options: Any = None) -> None:
        self.ran.append(options and options.get_run_config_entry("gpu_graph_id"))
        self.session.run_with_iobinding(binding, options)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """CUDA played by the CPU; the options of each session that is opened."""
    opened, real = list[Any](), onnxruntime.OrtValue.ortvalue_from_numpy

    def session(model: bytes, options: Any, providers: list[Any]) -> OnCuda:
        opened.append(providers)
        return OnCuda(onnxruntime.InferenceSession(model, options, providers=[sessions.CPU]))

    fake = SimpleNamespace(
        **{name: getattr(onnxruntime, name) for name in ("SessionOptions", "RunOptions")},
        InferenceSession=session,
        get_available_providers=lambda: ["CUDAExecutionProvider", sessions.CPU],
        OrtValue=SimpleNamespace(ortvalue_from_numpy=lambda array, *_: real(array)),
    )
    for module in (sessions, fused):
        monkeypatch.setattr(module, "runtime", lambda: fake)
    return opened


def test_a_cuda_graph_finds_every_tensor_where_it_was(cuda: list[Any]) -> None:
    """Two sets of state in turn have a graph each, and steps are those without."""
    model = parse("input 3x8x8; conv 4 3x3 bn relu; dropout 0.2; gap; dense 2").ir
    step = training_step(model, Recipe(), StepOptions(BATCH, plan=CUDA))
    graph = export(step.tape, "step", OPSET).SerializeToString()
    state, rng = step.initial_state(random_weights(model)), np.random.default_rng(0)
    state = {name: array.astype(np.float32) for name, array in state.items()}
    plain, graphs = (FusedStepper(graph, state, "cuda", 1, cuda_graph=g) for g in (False, True))
    places = list[Any]()
    for _ in range(5):
        feed = {
            "x": rng.integers(0, 256, (BATCH, 3, 8, 8), np.uint8), "y": np.arange(BATCH) % 2,
            "lr": np.array(rng.random(), np.float32),
            "random_0": rng.random((BATCH, 4, 6, 6), np.float32),
        }  # fmt: skip
        for each in (plain, graphs):
            each.step(feed)
        assert graphs.loss == plain.loss
        places.append([value.data_ptr() for value in graphs._inputs.values()])
    assert all(place == places[0] for place in places)
    assert (plain.session.ran, graphs.session.ran) == ([None] * 5, ["1", "2", "1", "2", "1"])
    assert [options[0] for options in cuda] == [
        "CUDAExecutionProvider", ("CUDAExecutionProvider", {"enable_cuda_graph": "1"}),
    ]  # fmt: skip


def test_a_cuda_graph_is_for_cuda() -> None:
    model = parse("input 3x8x8; gap; dense 2").ir
    settings = Settings(device="cpu", cuda_graph=True)
    with pytest.raises(UserError, match="cuda_graph=True is for CUDA, and this run is on the CPU"):
        compile_step(model, Recipe(), StepOptions(2), random_weights(model), settings)
