"""Compiled models in Python: `to_int8`, `to_float16`, `heat_maps`, `bench`, `Model.save_page`."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

import cnndsl
from cnndsl.quantize.judge import Judge
from tests.running import arrays_of, error, run

pytestmark = pytest.mark.usefixtures("short_timings")


@pytest.fixture(scope="module")
def images(small_run: Path) -> np.ndarray:
    """Eight test images of the run, N×H×W×C."""
    return arrays_of(small_run.parent / "drawn.npz")["x_test"][:8].transpose(0, 2, 3, 1)


def test_a_run_becomes_int8_by_its_own_images(small_run, images, tmp_path):
    made = cnndsl.to_int8(small_run, calibrate=16, max_drop=100, keep_float="conv_1")
    assert (made.proof.data, made.proof.images) == ("drawn.npz", 200)
    assert made.proof.float_layers == ("conv_1",)
    assert "accuracy" in repr(made)
    made.save(tmp_path / "m.int8.onnx")
    before = cnndsl.predict(small_run / "weights" / "best.onnx", images)
    after = cnndsl.predict(tmp_path / "m.int8.onnx", images)
    assert [{*dict(row)} for row in after] == [{*dict(row)} for row in before]


def tiny():
    """A model in memory with its data: forty images in three classes."""
    model = cnndsl.parse("input 3x8x8; conv 4 3x3 pad relu; gap; dense 3")
    x = np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8), np.uint8)
    return model.to_onnx(), (x, np.arange(40) % 3, x[:10], np.arange(10) % 3)


def test_a_model_in_memory_becomes_int8_by_arrays():
    graph, data = tiny()
    made = cnndsl.to_int8(graph, data, calibrate=20, max_drop=float("inf"))
    assert (made.proof.calibration_images, made.proof.images) == (20, 10)
    assert "QuantizeLinear" in {node.op_type for node in made.model.graph.node}


def test_what_is_tried_is_told_on_stderr(capsys):
    for progress, lines in (("none", 0), ("auto", 6)):
        made = cnndsl.to_int8(*tiny(), max_drop=100, progress=progress)
        assert capsys.readouterr().err.count("validation images") == lines
    with pytest.raises(cnndsl.UserError, match="the model is quantised already"):
        cnndsl.to_int8(made.model)


def test_too_large_a_loss_is_an_error_that_says_what_helps(monkeypatch):
    monkeypatch.setattr(Judge, "lost", lambda self, before, after: 7.0)
    with pytest.raises(
        cnndsl.UserError, match=r"7.00 points of accuracy, more than max_drop=1"
    ) as e:
        cnndsl.to_int8(*tiny())
    assert "layers that lose most, each alone: " in str(e.value)


def test_float16_is_a_model_with_its_proof(small_run, images):
    made = cnndsl.to_float16(small_run)
    before = run(onnx.load(small_run / "weights" / "best.onnx"), images)["output"]
    assert error(run(made.model, images)["output"], before) < 1e-2
    assert made.proof.difference < 1e-2
    assert "smaller" in repr(made)


def test_heat_maps_are_those_of_the_graph_that_says_why(small_run, images):
    found = cnndsl.heat_maps(small_run / "weights" / "best.onnx", images)
    assert [heat.shape for heat in found] == [images.shape[1:3]] * 8
    model = cnndsl.load(small_run / "model.cnn")
    weights = small_run / "weights" / "best.safetensors"
    graph = model.to_onnx(weights, why=True, uint8=True, batch=8)
    outputs = run(graph, images)
    assert np.allclose(outputs["heat"], found, atol=1e-5)
    assert np.allclose(outputs["probabilities"].sum(1), 1, atol=1e-5)


def test_bench_has_a_row_for_each_file_batch_and_number_of_threads(small_run):
    best = small_run / "weights" / "best.onnx"
    rows = cnndsl.bench([best], arrays_for(small_run), batch=[1, 2], threads=1, steps=3)
    ways = [(row.model, row.batch, row.threads) for row in rows]
    assert ways == [(str(best), 1, 1), (str(best), 2, 1)]
    assert {row.metric for row in rows} == {"accuracy"}
    assert all(0 < row.median_ms <= row.p95_ms for row in rows)


def arrays_for(folder: Path) -> dict[str, np.ndarray]:
    """Test images of a run with the names of its classes."""
    arrays = arrays_of(folder.parent / "drawn.npz")
    return {"x_test": arrays["x_test"], "y_test": arrays["y_test"], "classes": arrays["classes"]}


def test_a_page_answers_and_learns(small_run, tmp_path):
    model = cnndsl.load(small_run / "model.cnn")
    model.save_page(tmp_path / "page", small_run / "weights" / "best.safetensors", train=True)
    told = json.loads((tmp_path / "page" / "model.json").read_text())
    assert {"model", "learn"} <= {*told}
    assert told["model"]["classes"]
