"""`train { quantize int8 }`: a step rounds as the int8 graph, and a run writes that graph."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from running import random_tensors, run, session
from stepping import step_of

import cnndsl
from cnndsl.api import parse
from cnndsl.backend.artifact import inference_model
from cnndsl.backend.inference import Options
from cnndsl.backend.pipelines import BACKWARD
from cnndsl.backend.places import RANGES
from cnndsl.backend.step import OPSET, StepOptions, StepState, resolved
from cnndsl.graph.export import export
from cnndsl.graph.passes.drop_dead import drop_dead
from cnndsl.graph.passes.drop_stops import drop_stops
from cnndsl.graph.passes.write_quantizers import write_quantizers
from cnndsl.graph.pipeline import run as run_passes
from cnndsl.graph.pipeline import verified
from cnndsl.ir import Model
from cnndsl.lower.driver import Plan
from cnndsl.quantize.trained import int8_model, measured, places_of
from cnndsl.recipe import Recipe
from cnndsl.weights.model_info import ModelInfo

INFO = ModelInfo(mean=(0.5,), std=(0.25,))
BATCH = 8
BODIES = {
    "depthwise": "dwconv 3x3 /2 pad bn relu6; conv 16 1x1 bn; gap",
    "residual": "conv 12 1x1; add { conv 12 3x3 same bn relu; conv 12 3x3 same bn | } relu; gap",
    "concat": "concat { conv 8 1x1 relu | conv 8 3x3 same bn | avgpool 3 /1 same }; gap",
    "pools": "pool 2; conv 8 3x3 same relu; avgpool 2; gap",
    "upsample": "conv 8 3x3 /2; upsample 2 bilinear; conv 8 3x3 same relu; upsample 2; gap",
    "gate": "conv 8 3x3 same bn hswish; mul { | gap; conv 4 1x1 relu; conv 8 1x1 hsigmoid }; gap",
    "curves": "conv 8 3x3 same silu; conv 8 3x3 same sigmoid; conv 8 1x1 leaky; gap",
    "groups": "conv 12 3x3 same groups=3 bn relu; conv 12 1x1 groups=2; shuffle 3; gap",
    "upconv": "upconv 8 2x2 /2 bn relu; conv 8 3x3 same; gap",
    "norm first": "conv 8 3x3 same; bn; relu; concat { | conv 4 1x1 }; bn; relu; conv 8 1x1; gap",
    "dense": "pool 4; flatten; dense 24 bn relu; dropout 0; dense 12 relu",
    "norms": "conv 8 3x3 same; gn 4; relu; conv 8 1x1; ln; gelu; conv 8 1x1; in; prelu; gap",
}


def spec(body: str) -> str:
    return f"input 3x8x8\nconv 6 3x3 same bn relu\n{body}\ndense 5\n"


def forward(model: Model, options: StepOptions, state: dict[str, Any], x: Any) -> Any:
    """What a step computes of a batch before the loss: its outputs."""
    start = StepState(model, resolved(model, Recipe()), options)
    made = run_passes(BACKWARD, start, until="lowered", behind=verified)
    made.tape.outputs = {str(i): part["output"] for i, part in enumerate(made.outputs)}
    tape = drop_dead(drop_stops(write_quantizers(made.tape)))
    feed = {"x": x} | {name: layout.to_packed(state[name]) for name, layout in made.layouts.items()}
    ready = session(export(tape, "forward", OPSET))
    wanted = {port.name for port in ready.get_inputs()}
    return np.concatenate(ready.run(None, {n: a for n, a in feed.items() if n in wanted}))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("body", BODIES)
def test_the_step_rounds_as_the_int8_graph(body: str, device: Any) -> None:
    """Image by image: apart where a value lies at the border of two steps, by such a step."""
    model = parse(spec(BODIES[body])).ir
    weights = random_tensors(cnndsl.parse(spec(BODIES[body])))
    x = np.random.default_rng(0).integers(0, 256, (32, *model.input), np.uint8)
    places = places_of(model, weights)
    ranges = measured(model, weights, places, INFO, x)
    graph = inference_model(model, weights, Options(uint8=True, info=INFO))
    images = np.ascontiguousarray(x[:BATCH].transpose(0, 2, 3, 1))
    exact, wanted = (
        run(each, images)["output"] for each in (graph, int8_model(graph, places, ranges))
    )
    held = {n: w for n, w in weights.items() if "running" in n} | {RANGES: ranges}
    options = StepOptions(
        BATCH, 2, Plan(device=device), mean=INFO.mean, std=INFO.std, frozen=held, places=places
    )
    found = forward(model, options, weights, x[:BATCH])
    rounding, apart = np.abs(exact - wanted), np.abs(found - wanted)
    assert np.median(apart) < 0.1 * rounding.max(), "most values are the same"
    assert apart.max() < 0.7 * rounding.max()
    assert (found.argmax(1) == wanted.argmax(1)).all()


def test_ranges_follow_the_batches_as_moving_means() -> None:
    """−least and largest over all micro-batches, a twentieth of the way a step."""
    model = parse("input 3x8x8\nconv 4 3x3 same\ngap\ndense 3\n").ir
    weights = random_tensors(cnndsl.parse(model.source.text))
    x = np.random.default_rng(1).integers(0, 256, (BATCH, *model.input), np.uint8)
    places = places_of(model, weights)
    old = np.full((len(places.activations), 2), (-10, 10), np.float32)
    step = step_of(
        model.source.text, Recipe(), BATCH, weights={**weights, RANGES: old}, micro_batches=4,
        mean=INFO.mean, std=INFO.std, places=places,
    )  # fmt: skip
    new = step(x, np.zeros(BATCH, np.int64), lr=0)[f"{RANGES}.new"]
    images = (x / 255 - INFO.mean[0]) / INFO.std[0]
    at = places.activations.index("input")
    assert new[at] == pytest.approx(old[at] + 0.05 * ([images.min(), images.max()] - old[at]))
    assert (np.abs(new) < np.abs(old)).all()


SPEC = "input 3x8x8; conv 8 3x3 same bn relu; conv 8 3x3 same bn relu; gap; tanh; dense 3\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three classes of noise that differ in their brightness."""
    rng, y = np.random.default_rng(0), np.arange(96) % 3
    x = np.clip(rng.normal(60 + 60 * y[:, None, None, None], 40, (96, 3, 8, 8)), 0, 255)
    path = tmp_path_factory.mktemp("data") / "data.npz"
    np.savez(path, x=x.astype(np.uint8), y=y, x_test=x[:48].astype(np.uint8), y_test=y[:48])
    return str(path)


def trained(out: Path, data: str, **settings: Any) -> Any:
    given = {"epochs": 4, "batch": 16, "device": "cpu", "threads": 1, "progress": "none"}
    return cnndsl.train(cnndsl.parse(SPEC), data, out=out, **{**given, **settings})


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("no_pictures")
def test_a_run_writes_the_graph_that_it_has_measured(tmp_path: Path, data: str) -> None:
    out = tmp_path / "run"
    trained(out, data, optimizer="adam lr=0.01", quantize="int8 from=1")
    graph = onnx.load(out / "weights" / "best.int8.onnx")
    proof = json.loads({e.key: e.value for e in graph.metadata_props}["cnndsl_int8"])
    best = max(float(row["val_accuracy"]) for row in rows(out)[1:])
    assert proof["after"] == pytest.approx(best, abs=1e-6)
    assert cnndsl.evaluate(out, threads=1).accuracy == pytest.approx(best, abs=1e-6)
    assert (proof["method"], proof["float_layers"]) == ("training", ["tanh_1"])
    assert (out / "weights" / "best.int8.onnx").stat().st_size == proof["bytes_after"]
    kinds = {node.op_type for node in graph.graph.node}
    assert {"QuantizeLinear", "DequantizeLinear", "Conv"} <= kinds
    assert "BatchNormalization" not in kinds
    stored = {t.name for t in graph.graph.initializer}
    assert {"conv_2.weight_quantized", "dense_1.weight_quantized"} <= stored


class Break(cnndsl.Callback):
    """Ends a run behind a step of an epoch, as if it had been killed."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_step(self, run: Any, loss: float) -> None:
        if (run.progress.epoch, run.progress.step) == (self.epoch, 2):
            raise ConnectionError


@pytest.mark.usefixtures("no_pictures")
def test_a_resumed_run_is_the_same(tmp_path: Path, data: str) -> None:
    """Broken off in each phase: ranges, optimizer and statistics are in the checkpoint."""
    settings = {"quantize": "int8 from=1 hold=3", "optimizer": "adam lr=0.01", "ema": 0.9}
    trained(tmp_path / "whole", data, **settings)
    with pytest.raises(ConnectionError):
        trained(tmp_path / "parts", data, callbacks=[Break(0)], **settings)
    for epoch in (1, 2, 3):
        with pytest.raises(ConnectionError):
            cnndsl.resume(tmp_path / "parts", progress="none", callbacks=[Break(epoch)])
    cnndsl.resume(tmp_path / "parts", progress="none")
    for name in ("last.safetensors", "best.safetensors"):
        whole, parts = (tmp_path / run / "weights" / name for run in ("whole", "parts"))
        assert whole.read_bytes() == parts.read_bytes()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"quantize": "int4"}, "int8"),
        ({"quantize": "int8 from=4"}, "the last of 4 is 3"),
        ({"quantize": "int8 from=2 hold=1"}, "hold=1 is before from=2"),
        ({"quantize": "int8", "export": "int8"}, "both write best.int8.onnx"),
    ],
)
def test_what_cannot_be_is_refused(
    settings: dict[str, Any], said: str, tmp_path: Path, data: str
) -> None:
    with pytest.raises(Exception, match=said) as refused:
        trained(tmp_path / "run", data, **settings)
    assert type(refused.value).__module__.startswith("cnndsl")
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("no_pictures")
def test_layers_may_be_frozen_and_batches_computed_in_parts(tmp_path: Path, data: str) -> None:
    for name, more in {"frozen": {"freeze": "conv_1 bn_1"}, "parts": {"accumulate": 2}}.items():
        trained(tmp_path / name, data, epochs=3, quantize="int8", **more)
        assert (tmp_path / name / "weights" / "best.int8.onnx").exists()


@pytest.mark.usefixtures("no_pictures")
def test_a_float_run_is_where_it_may_start_from(tmp_path: Path, data: str) -> None:
    """Ranges are measured before the first step, which then is not wasted."""
    trained(tmp_path / "float", data, optimizer="adam lr=0.01", epochs=6)
    best = tmp_path / "float" / "weights" / "best.safetensors"
    settings = {"weights": str(best), "optimizer": "adam lr=1e-4", "quantize": "int8"}
    trained(tmp_path / "int8", data, **settings)
    first, before = rows(tmp_path / "int8")[0], rows(tmp_path / "float")
    assert float(first["loss"]) < float(before[0]["loss"]) * 0.8
    again = tmp_path / "again"
    trained(again, data, **{**settings, "weights": str(tmp_path / "int8" / "weights" / best.name)})
    assert (again / "weights" / "best.int8.onnx").exists()
