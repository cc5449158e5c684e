"""Heat maps: `compile --why`, `run --why`, `eval --why`."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import cnndsl
from cnndsl.backend.artifact import why_model
from cnndsl.backend.inference import Options
from cnndsl.cli import main
from cnndsl.resources import folder
from cnndsl.runtime.predict import open_predictor
from cnndsl.source import UserError
from cnndsl.tasks import registry
from cnndsl.weights.model_info import ModelInfo
from cnndsl.why.explainer import open_explainer
from cnndsl.why.occlusion import Occlusion
from tests.running import arrays_of, random_array, run


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The exit status and both outputs of a command, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([*map(str, arguments)])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return call


def foreign(name="foreign.onnx"):
    """A classifier that is none of ours: a bright pixel near the top left is class 0."""
    kernel = np.zeros((2, 3 * 16 * 16), np.float32)
    kernel[0].reshape(3, 16, 16)[:, 2:6, 2:6] = 0.05
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("Gemm", ["f", "w"], ["y"],
             transB=1)]  # fmt: skip
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(kernel, "w")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, name)
    return Path(name)


def bright(at, side=16):
    """A dark image with a bright square."""
    pixels = np.zeros((side, side, 3), np.uint8)
    pixels[at, at] = 255
    return pixels


def size(file):
    """Width and height of an image file."""
    with Image.open(file) as image:
        return image.size


@pytest.mark.parametrize(
    ("task", "ending"),
    [("classification", "dense 3"), ("binary", "dense 1"), ("multilabel", "dense 3"),
     ("regression", "dense 2")],
)  # fmt: skip
def test_every_task_with_one_answer_has_a_heat_map(task, ending):
    model = cnndsl.parse(f"input 3x12x16; conv 6 3x3 pad bn relu; pool 2; flatten; {ending}")
    info = ModelInfo(task=registry[task]())
    weights = model.initial_weights()
    found = run(
        why_model(model.ir, weights, Options(batch=2, info=info)), x := random_array(2, 3, 12, 16)
    )
    plain = run(model.to_onnx(weights), x)["output"]
    assert found["heat"].shape == (2, 12, 16)
    assert found["heat"].min() >= 0
    assert found["heat"].max() <= 1 + 1e-6
    told = {
        "classification": lambda y: np.exp(y) / np.exp(y).sum(1, keepdims=True),
        "regression": lambda y: y,
    }.get(task, lambda y: 1 / (1 + np.exp(-y)))
    assert np.allclose(found["probabilities"], told(plain), atol=1e-5)


@pytest.mark.parametrize(
    "spec", ["vgg11_bn_cifar", "squeezenet1_1", "mobilenet_v3_small", "lenet5"]
)
def test_published_nets_say_why(spec):
    model = cnndsl.load(folder("specs") / f"{spec}.cnn")
    graph = why_model(model.ir, model.initial_weights(), Options())
    found = run(graph, random_array(1, *model.input))
    assert found["heat"].shape == (1, *model.input[1:])
    assert np.isfinite(found["heat"]).all()


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("input 8; dense 4 relu; dense 2", "no layer with an image"),
        ("input 3x8x8; flatten; dense 2", "no layer with an image"),
        ("input 3x8x8; conv 2 3x3 pad", "the model gives a map"),
    ],
)
def test_answers_without_a_place_have_no_heat_map(spec, text, command):
    Path("net.cnn").write_text(spec)
    code, _, err = command("compile", "net.cnn", "--why", "-o", "m.onnx")
    assert (code, text in err, Path("m.onnx").exists()) == (2, True, False)


def test_why_is_a_graph_like_others(small_run, command):
    code, _, err = command("compile", small_run, "--why", "--uint8", "-o", "m.onnx")
    assert (code, "heat of `relu_4`" in err) == (0, True), err
    drawn = arrays_of(small_run.parent / "drawn.npz")
    x, y = drawn["x_test"][:6].transpose(0, 2, 3, 1), drawn["classes"]
    said = cnndsl.predict("m.onnx", x)
    assert [answer[0][0] for answer in said] == [
        answer[0][0] for answer in cnndsl.predict(small_run / "weights" / "best.onnx", x)
    ]
    assert {answer[0][0] for answer in said} <= set(y)


def test_run_draws_what_an_answer_rests_on(small_run, command):
    Image.fromarray(bright(slice(8, 24), 48)).save("a.png")
    Image.fromarray(bright(slice(8, 24), 32)).resize((60, 40)).save("b.png")
    model = small_run / "weights" / "best.onnx"
    code, out, err = command("run", model, "a.png", "b.png", "--why", "--json", "--out", "drawn")
    assert code == 0, err
    files = [json.loads(line)["why"] for line in out.splitlines()]
    assert files == ["drawn/a.why.png", "drawn/b.why.png"]
    assert [size(file) for file in files] == [(48, 48), (60, 40)]


def test_other_models_are_explained_by_covering_parts(command):
    model = foreign()
    Image.fromarray(bright(slice(2, 6))).save("a.png")
    assert command("run", model, "a.png", "--why")[0] == 0
    assert Path("runs/predict/a.why.png").exists()
    predictor = open_predictor(model)
    explainer = open_explainer(model, predictor)
    assert isinstance(explainer, Occlusion)
    (heat,) = explainer.heat(predictor.picture(Path("a.png")))
    assert heat.shape == (16, 16)
    top, left = np.unravel_index(heat.argmax(), heat.shape)
    assert 1 <= top <= 6
    assert 1 <= left <= 6
    assert heat[10:, 10:].max() == 0
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save("dark.png")
    assert "dark.png: the heat map is empty" in command("run", model, "dark.png", "--why")[2]


def test_masks_have_no_heat_map(command):
    cnndsl.parse("input 3x8x8; conv 2 3x3 pad").save("map.onnx")
    predictor = open_predictor(Path("map.onnx"))
    with pytest.raises(UserError, match="the model gives a map"):
        open_explainer(Path("map.onnx"), predictor)
    Image.fromarray(bright(slice(2, 6))).save("a.png")
    code, _, err = command("run", foreign(), "a.png", "--why", "--raw")
    assert (code, "--raw prints none" in err) == (2, True)


def test_eval_draws_the_worst_mistakes(small_run, command):
    code, out, err = command("eval", small_run, "--why", "--json")
    assert code == 0, err
    mistakes = json.loads(out)["mistakes"]
    assert 0 < len(mistakes) <= 12
    losses = [mistake["loss"] for mistake in mistakes]
    assert losses == sorted(losses, reverse=True)
    drawn = arrays_of(small_run.parent / "drawn.npz")
    for mistake in mistakes:
        assert Path(mistake["file"]).exists()
        true = str(drawn["classes"][drawn["y_test"][mistake["number"]]])
        assert mistake["true"] == true
        assert not mistake["said"].startswith(f"{true} ")
    found = cnndsl.evaluate(small_run, why=True).mistakes
    assert [mistake.as_dict() for mistake in found] == mistakes
