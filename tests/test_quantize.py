"""`compile --int8` and `--fp16`: smaller models that say what they cost."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

import cnndsl
from cnndsl.cli import main
from cnndsl.quantize.calibrate import ranges
from cnndsl.quantize.graph import prepared, recent
from cnndsl.quantize.judge import Judge
from cnndsl.quantize.proof import Proof
from cnndsl.quantize.qdq import Scheme, quantised
from cnndsl.runtime.instructions import has_vnni, instructions
from tests.running import arrays_of, error, run

pytestmark = pytest.mark.usefixtures("short_timings")


@pytest.fixture
def compile_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The exit status and both outputs of `compile …`, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["compile", *map(str, arguments)])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return call


def drawn(count=40, name="data.npz"):
    """A file of so many images in three classes."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (count, 3, 8, 8), np.uint8), np.arange(count) % 3
    np.savez(name, x=x, y=y, x_test=x, y_test=y)
    return name


def foreign(nodes, opset=17, **tensors):
    """A classifier of three classes by another tool, from x to y."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in (("x", ["N", 3, 8, 8]), ("y", ["N", 3])))  # fmt: skip
    constants = [numpy_helper.from_array(array, name) for name, array in tensors.items()]
    return helper.make_model(
        helper.make_graph(nodes, "g", [x], [y], constants), ir_version=6,
        opset_imports=[helper.make_opsetid("", opset)],
    )  # fmt: skip


def metadata(path):
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def layers_in_float(path):
    """The layers whose weights are float32."""
    tensors = onnx.load(path).graph.initializer
    return {t.name.rpartition(".")[0] for t in tensors if t.name.endswith(".weight")}


def test_int8_proves_itself(small_run, compile_to):
    code, out, err = compile_to(
        small_run,
        "--int8",
        "--uint8",
        "--float",
        "conv_1",
        "-o",
        "m.onnx",
        "--max-drop",
        "5",
        "--calibrate",
        "64",
    )
    assert code == 0, err
    assert [line.split()[0] for line in out.splitlines()[2:]] == ["accuracy", "ms", "bytes"]
    proof = json.loads(metadata("m.onnx")["cnndsl_int8"])
    assert (proof["metric"], proof["data"], proof["images"]) == ("accuracy", "drawn.npz", 200)
    assert proof["lost"] == pytest.approx(100 * (proof["before"] - proof["after"]))
    assert proof["bytes_after"] == Path("m.onnx").stat().st_size < proof["bytes_before"]
    assert proof["ms_before"] > 0 < proof["ms_after"]
    assert proof["cpu"] == list(instructions())
    assert layers_in_float("m.onnx") == {"conv_1"} == set(proof["float_layers"])
    assert "conv_1" in err
    assert ("slower" in out) == (proof["ms_after"] > proof["ms_before"])
    float_entries = metadata(small_run / "weights" / "best.onnx")
    kept = {k: v for k, v in metadata("m.onnx").items() if k != "cnndsl_int8"}
    assert kept == float_entries
    model = onnx.load("m.onnx")
    before = onnx.load(small_run / "weights" / "best.onnx")
    assert (model.ir_version, model.opset_import) == (before.ir_version, before.opset_import)
    assert model.graph.input == before.graph.input
    assert model.producer_name == "cnndsl"
    read = {name for node in model.graph.node for name in node.input}
    assert {tensor.name for tensor in model.graph.initializer} <= read
    x = arrays_of(small_run.parent / "drawn.npz")["x_test"][:8].transpose(0, 2, 3, 1)
    assert error(run(model, x)["output"], run(before, x)["output"]) < 0.1


def test_too_large_a_loss_names_the_layers_and_the_way_out(small_run, compile_to):
    """A channel far larger than the others, which nothing reads, takes all 256 steps."""
    model = cnndsl.load(small_run / "model.cnn")
    weights = dict(load_file(small_run / "weights" / "best.safetensors"))
    weights["bn_5.bias"][0], weights["dense_1.weight"][:, 0] = 1e4, 0
    mean, std = json.loads(
        metadata(small_run / "weights" / "best.onnx")["cnndsl_normalisation"]
    ).values()
    model.save("net.onnx", weights=weights, uint8=True, mean=mean, std=std)
    given = ("net.onnx", "--int8", "--data", small_run.parent / "drawn.npz", "-o", "m.onnx")
    code, out, err = compile_to(*given)
    assert (code, "accuracy" in out, "nothing is written" in err) == (1, True, True)
    assert not Path("m.onnx").exists()
    (helping,) = (line for line in err.splitlines() if "--float" in line)
    options = helping.partition(": ")[2].replace('"', "").split()
    code, _, err = compile_to(*given, *options)
    assert (code, Path("m.onnx").exists()) == (0, True), err


@pytest.mark.parametrize("lost", [0.0, 50.0])
def test_a_run_may_write_int8_too(lost, small_run, tmp_path, monkeypatch, capsys):
    """`export int8` in the recipe: the file beside `best.onnx`, or why it is not there."""
    monkeypatch.setattr(Judge, "lost", lambda self, before, after: lost)
    monkeypatch.chdir(tmp_path)
    Path("net.cnn").write_text(
        "input 3x8x8; conv 4 3x3 same bn relu; gap; dense 3\n"
        'train { data "data.npz"; epochs 1; batch 8; export int8 max_drop=2 }\n'
    )
    drawn()
    with pytest.raises(SystemExit) as ended:
        main(["train", "net.cnn", "--out", "run", "--device", "cpu"])
    err = capsys.readouterr().err
    written = Path("run/weights/best.int8.onnx")
    assert "int8 over 40 test images of data.npz" in err
    assert (ended.value.code, written.exists()) == ((1, False) if lost else (0, True))
    assert ("best.int8.onnx is not written: int8 loses 50.00 points" in err) == bool(lost)


@pytest.mark.parametrize(
    ("metric", "task", "spec", "y"),
    [
        ("map", "multilabel", "gap; dense 3", np.eye(3, dtype=np.uint8)[np.arange(40) % 3]),
        ("mae", "regression", "gap; dense 1", np.linspace(0, 1, 40, dtype=np.float32)),
        ("miou", "segmentation", "conv 2 1x1", np.ones((40, 8, 8), np.uint8)),
    ],
)
def test_every_task_has_its_metric(metric, task, spec, y, compile_to):
    Path("net.cnn").write_text(f"input 3x8x8; conv 4 3x3 same relu; {spec}\n"
                               f"train {{ task {task}; data \"data.npz\" }}\n")  # fmt: skip
    x = np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8), np.uint8)
    np.savez("data.npz", x=x, y=y, x_test=x, y_test=y)
    code, out, err = compile_to("net.cnn", "--int8", "--max-drop", "1000", "-o", "m.onnx", "--json")
    assert code == 0, err
    assert json.loads(out)["metric"] == metric


def test_a_model_of_others_is_folded_and_told_how_its_images_are_prepared(compile_to):
    text = "input 3x8x8; conv 4 3x3 pad bn relu; gap; dense 3; softmax"
    graph = cnndsl.parse(text).to_onnx(fold=False, batch=64)  # more than there are images
    graph.producer_name = "other"
    del graph.metadata_props[:]
    onnx.save(graph, "other.onnx")
    how = ("--int8", "--preprocess", "imagenet", "--data", drawn(), "--max-drop", "100")
    code, _, err = compile_to("other.onnx", *how, "-o", "m.onnx")
    assert (code, "WARNING" in err) == (0, False), err
    nodes = onnx.load("m.onnx").graph.node
    assert "BatchNormalization" not in {node.op_type for node in nodes}
    assert [node.op_type for node in nodes][-2:] == ["Gemm", "Softmax"]  # nothing is rounded there
    assert json.loads(metadata("m.onnx")["cnndsl_normalisation"])["mean"] == [0.485, 0.456, 0.406]


def test_every_layer_of_an_inverted_residual_runs_in_integers(tmp_path):
    """No operator of ONNX is left between the integer ones into which onnxruntime joins them."""
    model = cnndsl.parse(
        "input 3x16x16; conv 16 3x3 same bn relu6\n"
        "add { conv 32 1x1 bn relu6; dwconv 3x3 same bn relu6; conv 16 1x1 bn | }\ngap; dense 4"
    )
    source = prepared(model.to_onnx(batch=1), "net")
    x = np.random.default_rng(0).random((1, *model.input), np.float32)
    made = quantised(source, ranges(source, "minmax", [x]), Scheme("minmax", True))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "joined.onnx")
    onnxruntime.InferenceSession(made.SerializeToString(), options)
    kinds = {node.op_type for node in onnx.load(tmp_path / "joined.onnx").graph.node}
    integer = {"QLinearConv", "QLinearAdd", "QLinearGlobalAveragePool", "QGemm"}
    assert integer <= kinds <= integer | {"QuantizeLinear", "Transpose", "Flatten"}


def test_data_with_three_parts_choose_by_val(compile_to):
    from cnndsl.data.dataset import Dataset, Split
    from cnndsl.quantize.images import images_of
    from cnndsl.tasks import usual

    def split(count):
        return Split(np.zeros((count, 3, 8, 8), np.uint8), np.arange(count) % 3)

    data = Dataset("d", split(100), split(7), ("a", "b", "c"), val=split(9))
    images = images_of(data, usual(), 50)
    counts = len(images.calibration), len(images.validation), len(images.test)
    assert counts == (50, 9, 7)


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ("net.cnn --int8", 2, "int8 is calibrated on images, and none are given"),
        ("net.cnn --int8 --data three.npz", 2, "3 training images are too few"),
        (
            "net.cnn --int8 --data data.npz --calibrate 3",
            2,
            "--calibrate 3: too few images\n  at least 16",
        ),
        ("net.cnn --int8 --data data.npz --float conv_7", 2, "did you mean `conv_1`?"),
        ("net.cnn --int8 --data data.npz --float *", 2, "all layers stay float32"),
        ("broken.onnx --int8 --data data.npz", 2, "outputs for images of data.npz are no finite"),
        ("broken.onnx --fp16", 2, "gives no numbers, in float32, too"),
        ("net.cnn --fp16 --float *", 2, "all layers stay float32"),
        ("mean.onnx --int8 --data data.npz", 2, "mean.onnx: no layer has an int8 form"),
        ("small.onnx --int8 --data data.npz", 2, "small.onnx is quantised already"),
        ("small.onnx --fp16", 2, "small.onnx is quantised already"),
        ("half.onnx --int8 --data data.npz", 2, "half.onnx holds float16 numbers"),
        ("outside.onnx --int8 --data data.npz", 2, "onnx.save(onnx.load('outside.onnx'), "),
        ("float.onnx --int8 --data four.npz", 2, "four.npz has 4 classes"),
        ("float.onnx --int8", 2, "none are given"),
        ("bytes.onnx --int8 --data data.npz --mean 0.5", 2, "normalises them itself"),
        ("float.onnx --int8 --seed 3", 2, "--seed says nothing to a compiled model"),
        ("net.cnn --int8 --data data.npz --max-drop nan", 2, "--max-drop nan: how many points"),
        ("map.onnx --int8 --data data.npz", 2, "gives N×3×8×8, a map, and tells of no task"),
        ("net.cnn --int8 --fp16", 2, "give one of --int8, --fp16 and --why"),
        ("net.cnn --int8 --no-fold", 2, "does not go with --int8"),
        ("net.cnn --fp16 --optimize cpu --batch 1", 2, "does not go with --fp16"),
        ("net.cnn --train --int8", 2, "not for --train"),
        ("net.cnn --calibrate 8", 2, "--calibrate is for --int8"),
        ("net.cnn --float conv_1", 2, "--float is for --int8 or --fp16"),
        ("net.cnn --fp16 --max-drop 2", 2, "--max-drop is for --int8"),
    ],
)
def test_what_cannot_be_quantised(compile_to, arguments, code, text):
    model = cnndsl.parse("input 3x8x8; conv 4 3x3 pad relu; gap; dense 3")
    model.save("net.cnn")
    model.save("float.onnx")
    model.save("bytes.onnx", uint8=True)
    drawn()
    drawn(3, "three.npz")
    y = np.arange(40) % 4
    np.savez("four.npz", x=np.zeros((40, 3, 8, 8), np.uint8), y=y, classes=list("abcd"))
    relu = foreign([helper.make_node("Relu", ["x"], ["y"])])
    relu.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", 1, ["N", 3, 8, 8]))
    onnx.save(relu, "map.onnx")
    mean = helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)
    onnx.save(foreign([mean]), "mean.onnx")
    mean.output[0] = "m"
    gemm = helper.make_node("Gemm", ["m", "w"], ["y"])
    nothing = np.full((3, 3), np.nan, np.float32)
    onnx.save(foreign([mean, gemm], w=nothing), "broken.onnx")
    graph = onnx.load("float.onnx")
    onnx.save(graph, "outside.onnx", save_as_external_data=True, size_threshold=0, location="w.bin")
    if "half" in arguments:
        assert compile_to("net.cnn", "--fp16", "-o", "half.onnx")[0] == 0
    if "small" in arguments:
        made = compile_to("net.cnn", "--int8", "--data", "data.npz", "-o", "small.onnx",
                          "--max-drop", "100")  # fmt: skip
        assert made[0] == 0
    found, _, err = compile_to(*arguments.split(), "-o", "new.onnx")
    assert (found, text in err) == (code, True), err
    assert not Path("new.onnx").exists()


@pytest.mark.parametrize(
    ("output", "text"),
    [("none/m.onnx", "make its folder first"), (".", "give the name of a file")],
)
def test_where_nothing_can_be_written_nothing_is_computed(output, text, compile_to):
    cnndsl.parse("input 3x8x8; gap; dense 3").save("net.cnn")
    code, _, err = compile_to("net.cnn", "--int8", "--data", drawn(), "-o", output)
    assert (code, text in err, "validation images" in err) == (2, True, False)


def test_an_enlargement_of_an_old_opset_begins_at_the_corner_as_before():
    nodes = [helper.make_node("Resize", ["x", "s"], ["r"], mode="linear"),
             helper.make_node("ReduceMean", ["r"], ["y"], axes=[2, 3], keepdims=0)]  # fmt: skip
    old = foreign(nodes, opset=10, s=np.array([1, 1, 2, 2], np.float32))
    x = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    before, after = (
        onnxruntime.InferenceSession(m.SerializeToString()).run(None, {"x": x})[0]
        for m in (old, recent(old, "old"))
    )
    assert np.array_equal(before, after)


def test_a_model_of_an_old_opset_becomes_int8(compile_to):
    """QuantizeLinear is of opset 10, a scale for each channel of 13."""
    weight = np.random.default_rng(0).standard_normal((3, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1] * 4),
        helper.make_node("GlobalAveragePool", ["a"], ["p"]),
        helper.make_node("Flatten", ["p"], ["y"]),
    ]
    onnx.save(foreign(nodes, opset=9, w=weight), "old.onnx")
    given = ("--int8", "--data", drawn(), "--max-drop", "100", "-o", "m.onnx")
    code, _, err = compile_to("old.onnx", *given)
    assert (code, "DequantizeLinear" in str(onnx.load("m.onnx").graph.node)) == (0, True), err


@pytest.mark.parametrize("spec", ["resnet8", "mobilenet_v3_small"])
def test_float16_keeps_inputs_outputs_and_what_is_said(spec, compile_to):
    model = cnndsl.load(Path(cnndsl.__file__).parent.parent / "specs" / f"{spec}.cnn")
    model.save("net.cnn")
    model.save("float.onnx", classes=None)
    code, _, err = compile_to("net.cnn", "--fp16", "-o", "half.onnx")
    assert (code, "GPUs and phones" in err) == (0, True)
    half, whole = onnx.load("half.onnx"), onnx.load("float.onnx")
    assert half.graph.input == whole.graph.input
    assert half.graph.output == whole.graph.output
    assert Path("half.onnx").stat().st_size < 0.6 * Path("float.onnx").stat().st_size
    kinds = {tensor.data_type for tensor in half.graph.initializer if len(tensor.dims) > 1}
    assert kinds == {onnx.TensorProto.FLOAT16}
    x = np.random.default_rng(3).random((2, *model.input), np.float32)
    assert error(run(half, x)["output"], run(whole, x)["output"]) < 1e-2
    assert json.loads(metadata("half.onnx")["cnndsl_float16"])["difference"] < 1e-2


def test_layers_with_numbers_beyond_float16_stay_float32(compile_to):
    model = cnndsl.parse("input 3x8x8; conv 4 3x3 pad relu; conv 4 3x3 pad; bn; gap; dense 3")
    weights = {n: t * 1e4 if "conv" in n else t for n, t in model.initial_weights().items()}
    model.save("large.onnx", weights=weights, fold=False)
    code, _, err = compile_to("large.onnx", "--fp16", "-o", "half.onnx")
    assert (code, "in float32: conv_2" in err) == (0, True), err
    x = np.random.default_rng(3).random((2, 3, 8, 8), np.float32)
    both = (run(onnx.load(name), x)["output"] for name in ("half.onnx", "large.onnx"))
    assert error(*both) < 1e-2
    assert json.loads(metadata("half.onnx")["cnndsl_float16"])["float_layers"][0] == "conv_2"


def test_instructions_are_those_of_the_list(tmp_path):
    listed = tmp_path / "cpuinfo"
    listed.write_text("processor : 0\nflags : fpu avx2 avx512f avx512_vnni\n\nprocessor : 1\n")
    assert instructions(listed) == ("avx2", "avx512f", "avx512_vnni")
    assert has_vnni(("avx512_vnni",))
    assert not has_vnni(("avx2", "avx512f"))
    assert instructions(tmp_path / "none") == ()


def test_schemes_are_told_in_words():
    assert Scheme("minmax", True).text == "minmax, per channel"
    assert Scheme("entropy", False).text == "entropy, per tensor"


@pytest.mark.parametrize(("unit", "lost"), [("points", 0.001), ("percent", -0.001)])
def test_a_change_that_rounds_to_nothing_has_no_minus(unit: str, lost: float) -> None:
    proof = Proof("accuracy", 0.9, 0.9, lost, unit, "some", 1, 1, 1, 1.0, 1.0, 10, 5, "minmax",
                  True, False, (), ())  # fmt: skip
    assert proof.table().rows[0][-1].startswith(f"+0.00 {unit}")
    assert proof.remarks()[0].startswith("calibrated on 1 training image:")
