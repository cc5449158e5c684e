"""Nothing of a graph falls back to the CPU in silence: CUDA has a kernel for all of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cuda_kernels import computed
from test_training_gradients import BODIES, DEPLOYED, HEAD

from cnndsl import losses, optim
from cnndsl.api import load, parse
from cnndsl.backend.inference import Options
from cnndsl.backend.pipelines import inference_tape, training_step
from cnndsl.backend.step import StepOptions
from cnndsl.graph.tape import Tape
from cnndsl.ir import Model
from cnndsl.lower.driver import Plan
from cnndsl.precision import Precision
from cnndsl.recipe import Lookahead, Recipe

ROOT = Path(__file__).parent.parent
SPECS = sorted(path.stem for path in (ROOT / "specs").glob("*.cnn"))
LAYERS = {**BODIES, **DEPLOYED}
TASKS = {
    "cross_entropy": "cifar10", "dice": "shapes_segmentation", "dice_ce": "shapes_segmentation",
    "bce": "shapes_multilabel", "focal": "shapes_multilabel",
    "mse": "shapes_regression", "mae": "shapes_regression", "huber": "shapes_regression",
}  # fmt: skip


def spec(name: str) -> Model:
    return load(ROOT / "specs" / f"{name}.cnn").ir


def steps(model: Model, recipe: Recipe | None = None) -> Iterator[Tape]:
    """In float32, and in float16."""
    options, recipe = StepOptions(2, plan=Plan(device="cuda")), recipe or model.recipe or Recipe()
    for precision in (None, Precision("fp16")):
        yield training_step(model, replace(recipe, precision=precision), options).tape


def inference(model: Model) -> Tape:
    zeros = {name: np.broadcast_to(np.float32(0), p.shape) for name, p in model.tensors().items()}
    return inference_tape(model, zeros, Options())


def on_the_cpu(*tapes: Tape) -> Iterator[str]:
    """Operators that CUDA does not compute, with the types that they meet."""
    for node in (node for tape in tapes for node in tape.nodes):
        types = [value.dtype if value else "" for value in node.inputs]
        if not computed(node.op, types):
            yield f"{node.op}({', '.join(types)})"


@pytest.mark.parametrize("name", SPECS)
def test_every_spec_stays_on_cuda(name: str) -> None:
    model = spec(name)
    assert set(on_the_cpu(inference(model), *steps(model))) == set()


@pytest.mark.parametrize("body", LAYERS.values(), ids=list(LAYERS))
def test_every_layer_stays_on_cuda(body: str) -> None:
    model = parse(f"input 3x8x8\n{body}{HEAD}").ir
    assert set(on_the_cpu(inference(model), *steps(model))) == set()


@pytest.mark.parametrize("word", sorted(optim.registry))
def test_every_optimizer_stays_on_cuda(word: str) -> None:
    recipe = Recipe(optimizer=optim.registry[word](), clip=1.0, ema=0.9, lookahead=Lookahead())
    assert set(on_the_cpu(*steps(spec("cifar10"), recipe))) == set()


@pytest.mark.parametrize("word", sorted(losses.registry))
def test_every_loss_stays_on_cuda(word: str) -> None:
    model = spec(TASKS[word])
    recipe = replace(model.recipe or Recipe(), loss=losses.registry[word]())
    assert set(on_the_cpu(*steps(model, recipe))) == set()


def test_what_would_fall_back_is_named() -> None:
    tape = Tape()
    classes = tape.input("y", (2,), "int32")
    tape.op("ArgMax", classes, axis=0, keepdims=0)
    assert list(on_the_cpu(tape)) == ["ArgMax(int32)"]
