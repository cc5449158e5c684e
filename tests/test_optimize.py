"""`compile --optimize cpu`: the same outputs, by other convolutions where they win."""

from pathlib import Path

import numpy as np
import pytest
from running import error, random_input, random_tensors, run

import cnndsl
from cnndsl.backend.artifact import algorithms_of, inference_model
from cnndsl.backend.inference import Options
from cnndsl.cli import main
from cnndsl.lower.conv import representation
from cnndsl.lower.driver import Plan
from cnndsl.source import UserError

BODIES = {
    "behind each other": "conv 8 3x3 pad relu *3",
    "bias, norm and activation": "conv 8 3x3 pad bn silu; conv 6 3x3 pad leaky",
    "valid, ragged": "conv 8 3x3 valid relu; conv 8 3x3 valid",
    "max pooling": "conv 8 3x3 pad relu; pool 2; conv 8 3x3 pad relu; pool 3 /2 pad",
    "other pooling": "conv 8 3x3 pad relu; avgpool 2; conv 8 3x3 pad; avgpool 3 /2 pad",
    "residual": "residual auto { conv 8 3x3 pad bn relu; conv 8 3x3 pad bn } relu",
    "plain between": "conv 8 3x3 pad relu; conv 8 3x3 pad /2; conv 8 3x3 pad; conv 4 1x1",
    "branches": "concat { conv 8 3x3 pad relu | conv 4 5x5 pad | pool 3 /1 pad }; conv 8 3x3 pad",
    "gate": "conv 8 3x3 pad; mul { id | gap; conv 8 1x1 sigmoid }; conv 8 3x3 pad",
    "larger again": "conv 8 3x3 pad relu; upconv 4 2x2 /2; conv 8 3x3 pad; upsample 2",
    "other norms": "conv 8 3x3 pad gn 2; conv 8 3x3 pad ln; conv 8 3x3 pad lrn",
    "depthwise and groups": "conv 8 3x3 pad; dwconv 3x3 pad; conv 8 3x3 pad groups=2; conv 8 3x3",
}
FLAT = "gap; dense 4"
WIDE = "input 64x32x32; conv 64 3x3 pad relu *3; gap; dense 5"
NARROW = "input 3x32x32; conv 8 3x3 pad relu; gap; dense 5"


def graphs(text, conv="auto", batch=2, **options):
    model = cnndsl.parse(text)
    plain = Options(batch=batch, **options)
    optimized = Options(batch=batch, optimize="cpu", plan=Plan(conv), **options)
    tensors = random_tensors(model)
    return model, *(inference_model(model.ir, tensors, o) for o in (plain, optimized))


def distance(plain, optimized, x):
    theirs, ours = run(plain, x), run(optimized, x)
    assert ours.keys() == theirs.keys()
    return max(error(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("conv", ["winograd2", "winograd4", "gemm"])
@pytest.mark.parametrize("body", BODIES)
def test_outputs_are_those_of_the_plain_graph(body, conv):
    model, plain, optimized = graphs(f"input 8x13x10\n{BODIES[body]}\n{FLAT}", conv)
    assert distance(plain, optimized, random_input(model)) < 1e-5


@pytest.mark.parametrize("opset", [17, 21])
def test_every_opset_has_it(opset):
    text = f"input 8x12x12\n{BODIES['max pooling']}\n{FLAT}"
    model, plain, optimized = graphs(text, "winograd", opset=opset)
    assert optimized.opset_import[0].version == opset
    assert distance(plain, optimized, random_input(model)) < 1e-5


def test_images_may_come_as_bytes():
    _, plain, optimized = graphs(
        "input 3x16x16; conv 8 3x3 pad relu *2; gap", "winograd", uint8=True
    )
    x = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    assert algorithms_of(optimized)
    assert distance(plain, optimized, x) < 1e-5


def test_several_outputs_keep_their_names():
    text = "input 8x12x12\nconv 8 3x3 pad relu\noutput map { id }\nconv 8 3x3 pad; gap; dense 3"
    model, plain, optimized = graphs(text, "winograd")
    assert distance(plain, optimized, random_input(model)) < 1e-5


@pytest.mark.parametrize("batch", [1, 8])
def test_wide_convolutions_are_products_of_transformed_weights(batch):
    model, plain, optimized = graphs(WIDE, batch=batch)
    assert algorithms_of(optimized) == dict.fromkeys(
        ("conv_1", "conv_2", "conv_3"), "winograd4-constant"
    )
    assert "Conv" not in {node.op_type for node in optimized.graph.node}
    weights = {t.name: tuple(t.dims) for t in optimized.graph.initializer}
    assert weights["conv_1.weight.winograd"] == (36, 64, 64)
    assert "conv_1.weight" not in weights
    assert distance(plain, optimized, random_input(model, batch)) < 1e-5


@pytest.mark.parametrize("batch", [1, 8])
def test_the_file_is_the_plain_one_where_nothing_is_won(batch):
    _, plain, optimized = graphs(NARROW, batch=batch)
    assert optimized.SerializeToString() == plain.SerializeToString()


@pytest.mark.parametrize(("stride", "taken"), [(1, 0), (3, 3)])
def test_overlapping_windows_of_pools_are_paid_for(stride, taken):
    layers = f"conv 64 3x3 pad relu; pool 3x3 /{stride} same\n" * 3
    _, _, optimized = graphs(f"input 64x54x54\n{layers}", batch=8)
    assert len(algorithms_of(optimized)) == taken


def test_a_plain_image_stays_plain_for_its_other_readers():
    branches = "conv 8 3x3 pad relu | conv 4 5x5 pad | pool 3x3 /1 same"
    text = f"input 8x12x12\nconv 8 3x3 pad /2\nconcat {{ {branches} }}\ngap; dense 3"
    _, _, optimized = graphs(text, "winograd", batch=1)
    made = {name: node.op_type for node in optimized.graph.node for name in node.output}
    kept = [n for n in optimized.graph.node if n.op_type in ("Conv", "MaxPool")]
    assert [made.get(n.input[0]) for n in kept] == [None, "Conv", "Conv"]


def test_large_weights_are_a_matrix_each():
    _, _, optimized = graphs("input 256x14x14; conv 256 3x3 pad; gap", "winograd2", batch=1)
    shapes = [tuple(t.dims) for t in optimized.graph.initializer if ".winograd." in t.name]
    assert shapes == [(256, 256)] * 16


def test_what_no_file_can_hold_stays_plain(monkeypatch):
    monkeypatch.setattr(representation, "MAX_BYTES", 1_700_000)
    _, _, optimized = graphs(WIDE, batch=1)
    assert 0 < len(algorithms_of(optimized)) < 3


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"optimize": "cpu"}, "needs a fixed batch: --batch 1"),
        ({"optimize": "gpu", "batch": 1}, "'gpu' is none of cpu"),
        ({"plan": Plan("winograd")}, "are for training, or with optimize"),
    ],
)
def test_options_that_make_no_graph(options, text):
    with pytest.raises(UserError, match=text):
        Options(**options).check(cnndsl.parse(NARROW).ir)


def test_an_algorithm_that_is_for_training_is_named():
    with pytest.raises(UserError, match="`im2col` at inference: auto, direct, gemm, winograd2"):
        graphs(WIDE, "im2col")


def test_python_has_it_too():
    model = cnndsl.parse(WIDE)
    assert algorithms_of(model.to_onnx(batch=1, optimize="cpu"))
    with pytest.raises(UserError, match="fixed batch"):
        model.to_onnx(optimize="cpu")


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """`compile a.cnn … -o o.onnx`: the exit status and what is said."""
    monkeypatch.chdir(tmp_path)

    def call(text, arguments):
        Path("a.cnn").write_text(text)
        with pytest.raises(SystemExit) as ended:
            main(["compile", "a.cnn", *arguments.split(), "-o", "o.onnx"])
        return ended.value.code, capsys.readouterr().err

    return call


def test_the_command_tells_what_was_taken_and_the_sizes(compiled):
    code, told = compiled(WIDE, "--optimize cpu --batch 1")
    assert code == 0
    assert "o.onnx: 1.7 MiB" in told
    assert "3 by winograd4-constant; plain would be 435.9 KiB" in told


def test_the_command_tells_that_nothing_is_won(compiled):
    code, told = compiled(NARROW, "--optimize cpu --batch 1")
    assert code == 0
    assert "nothing is won" in told


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("--conv im2col", "--conv says nothing to the plain inference graph"),
        ("--train=step --optimize cpu", "--optimize is for the inference graph"),
        ("--train=step --opset 18", "--opset is for the inference graph"),
        ("--train=step --no-fold", "--fold / --no-fold is for the inference graph"),
        ("--train=step --uint8", "--uint8 is for the inference graph"),
        ("--train=step --classes a,b", "--classes is for the inference graph"),
        ("--seed 3 --weights w.safetensors", "--seed is of fresh weights"),
        ("--map m.json", "--map names the tensors of --weights"),
    ],
)
def test_an_option_without_effect_is_an_error(compiled, arguments, text):
    code, told = compiled(NARROW, arguments)
    assert code == 2
    assert text in told
    assert not Path("o.onnx").exists()
