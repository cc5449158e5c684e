"""Facts about the ONNX graph that `to_onnx` writes."""

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, ModelProto, NodeProto, numpy_helper
from running import Arrays, error, largest_error, random_input, random_tensors, run
from safetensors.numpy import save_file

import cnndsl

SPEC = """\
# a little of everything
let width = 4
block bottleneck(c, stride=1) {
  residual auto { conv c 1x1 bn relu; dwconv 3x3 pad /stride bn relu; conv (2*c) 1x1 bn }
}
input 3x17x14
stem: conv width 3x3 same /2 bn relu
bottleneck width *2
pool 3 /2 pad ceil;  avgpool 2 same
wide: upconv 6 3x3 pad /2 extra=1 bn leaky
concat { conv 4 3x3 same | gn 2; hswish } ln
mul { id | gap; conv 4 1x1 silu; conv 10 1x1 sigmoid }
output features { gap; flatten }
flatten
dense 12 bn relu; dropout 0.3
dense 5
"""

IR_VERSIONS = {17: 8, 18: 8, 19: 9, 20: 9, 21: 10}
WINDOWED = ("Conv", "ConvTranspose", "MaxPool", "AveragePool")


@pytest.fixture(scope="module")
def model() -> cnndsl.Model:
    return cnndsl.parse(SPEC)


@pytest.fixture(scope="module")
def graph(model: cnndsl.Model) -> ModelProto:
    return model.to_onnx(fold=False)


def attributes(node: NodeProto) -> dict[str, AttributeProto]:
    return {attribute.name: attribute for attribute in node.attribute}


def initializers(graph: ModelProto) -> Arrays:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}


def operators(graph: ModelProto) -> list[str]:
    return [node.op_type for node in graph.graph.node]


# Versions


@pytest.mark.parametrize("opset", IR_VERSIONS)
def test_opset_and_ir_version_are_pinned(model: cnndsl.Model, opset: int) -> None:
    found = model.to_onnx(opset=opset)
    assert [(o.domain, o.version) for o in found.opset_import] == [("", opset)]
    assert found.ir_version == IR_VERSIONS[opset] <= 10
    onnx.checker.check_model(found, full_check=True)


def test_the_default_opset_is_17(model: cnndsl.Model) -> None:
    assert [o.version for o in model.to_onnx().opset_import] == [17]


def test_every_opset_gives_the_same_numbers(model: cnndsl.Model) -> None:
    x = random_input(model)
    first, *others = (run(model.to_onnx(opset=opset), x) for opset in IR_VERSIONS)
    assert all(largest_error(other, first) <= 1e-5 for other in others)


def test_all_operators_are_onnxs_own(graph: ModelProto) -> None:
    assert {node.domain for node in graph.graph.node} == {""}


# Pads and batches


def test_pads_are_explicit(graph: ModelProto) -> None:
    windowed = [attributes(node) for node in graph.graph.node if node.op_type in WINDOWED]
    assert len(windowed) >= 12
    assert all("pads" in found for found in windowed)
    assert not any("auto_pad" in found or "ceil_mode" in found for found in windowed)


@pytest.mark.parametrize("batch", [1, 5])
def test_the_batch_is_dynamic(model: cnndsl.Model, graph: ModelProto, batch: int) -> None:
    for value in (*graph.graph.input, *graph.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "N"
    found = run(graph, random_input(model, batch))
    assert {name: array.shape for name, array in found.items()} == {
        name: (batch, *shape) for name, shape in model.outputs.items()
    }


def test_the_batch_can_be_fixed(model: cnndsl.Model) -> None:
    fixed = model.to_onnx(batch=3)
    for value in (*fixed.graph.input, *fixed.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_value == 3
    onnx.checker.check_model(fixed, full_check=True)
    x = random_input(model, 3)
    assert largest_error(run(fixed, x), run(model.to_onnx(), x)) <= 1e-5


def test_the_checker_is_content(model: cnndsl.Model, graph: ModelProto) -> None:
    onnx.checker.check_model(graph, full_check=True)
    onnx.checker.check_model(model.to_onnx(), full_check=True)
    onnx.checker.check_model(model.to_onnx(uint8=True), full_check=True)


# Determinism


def compiled_bytes(spec: Path, seed: int) -> str:
    """A digest of the model as a fresh process compiles it."""
    code = (
        "import cnndsl, hashlib, sys;"
        "data = cnndsl.load(sys.argv[1]).to_onnx().SerializeToString();"
        "print(hashlib.sha256(data).hexdigest())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(spec)],
        env={"PYTHONHASHSEED": str(seed)}, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return run.stdout


def test_ten_processes_write_the_same_bytes(tmp_path: Path) -> None:
    spec = tmp_path / "net.cnn"
    spec.write_text(SPEC)
    with ThreadPoolExecutor(2) as pool:
        digests = set(pool.map(lambda seed: compiled_bytes(spec, seed), range(10)))
    assert len(digests) == 1


# Names and origins


def test_tensors_are_named_by_their_paths(model: cnndsl.Model, graph: ModelProto) -> None:
    names = initializers(graph).keys()
    assert model.ir.tensors().keys() <= names
    assert {
        "stem.weight", "stem.bn_1.running_var", "bottleneck_1.conv_1.weight",
        "bottleneck_2.dwconv_1.weight", "wide.weight", "dense_2.bias",
    } <= names  # fmt: skip
    assert "stem.bias" not in names
    assert "wide.bias" not in names


def test_nodes_are_named_by_path_and_operator(graph: ModelProto) -> None:
    names = [node.name for node in graph.graph.node]
    assert len(set(names)) == len(names)
    assert {"stem/Conv", "bottleneck_2.residual_1/Add", "dense_2/Gemm"} <= set(names)
    assert all(
        name.split("/")[1].startswith(op) for name, op in zip(names, operators(graph), strict=True)
    )


def test_formatting_changes_no_name() -> None:
    plain = cnndsl.parse("input 3x8x8; conv 4 3x3 relu; conv 4 3x3")
    spread = cnndsl.parse("input 3x8x8 # first\n\n\nconv 4 3x3   relu\n\n conv 4 k=3x3\n")
    assert initializers(plain.to_onnx()).keys() == initializers(spread.to_onnx()).keys()


def test_every_node_knows_its_line(tmp_path: Path) -> None:
    spec = tmp_path / "net.cnn"
    spec.write_text(SPEC)
    nodes = {node.name: node for node in cnndsl.load(spec).to_onnx(fold=False).graph.node}
    assert nodes["stem/Conv"].doc_string == ("net.cnn:7: stem: conv width 3x3 same /2 bn relu")
    assert nodes["bottleneck_2.dwconv_1/Conv"].doc_string.startswith("net.cnn:4: residual auto")
    assert all(node.doc_string for node in nodes.values())


def test_metadata_hold_text_version_and_settings(tmp_path: Path) -> None:
    spec = tmp_path / "net.cnn"
    spec.write_text(SPEC)
    found = cnndsl.load(spec, width=8).to_onnx()
    metadata = {prop.key: prop.value for prop in found.metadata_props}
    assert metadata["cnndsl_source"] == SPEC
    assert metadata["cnndsl_language"] == "1"
    assert json.loads(metadata["cnndsl_settings"]) == {"width": 8}
    assert json.loads(metadata["cnndsl_input"]) == [3, 17, 14]
    assert found.producer_name == "cnndsl"
    assert found.producer_version == metadata["cnndsl_version"] != ""
    assert found.graph.name == "net"


def test_outputs_have_their_names(model: cnndsl.Model, graph: ModelProto) -> None:
    assert [value.name for value in graph.graph.input] == ["input"]
    assert [value.name for value in graph.graph.output] == ["features", "output"]
    assert list(model.outputs) == ["features", "output"]


# Folding


def test_batch_norm_is_folded_into_what_is_before_it(model: cnndsl.Model) -> None:
    assert operators(model.to_onnx(fold=False)).count("BatchNormalization") == 9
    assert "BatchNormalization" not in operators(model.to_onnx())


def test_folding_changes_no_output(model: cnndsl.Model) -> None:
    tensors, x = random_tensors(model), random_input(model)
    plain, folded = (run(model.to_onnx(tensors, fold=fold), x) for fold in (False, True))
    assert largest_error(folded, plain) <= 1e-4


@pytest.mark.parametrize(
    "text",
    [
        "conv 6 3x3 bias bn", "conv 6 3x3 groups=2 bn", "dwconv 3x3 multiplier=2 bn eps=0.1",
        "upconv 6 3x3 /2 bn", "upconv 6 3x3 same /2 bias bn", "flatten; dense 6 bn",
        "flatten; dense 6 bias bn", "gap; dense 6 nobias bn", "conv 6 3x3\nbn",
        "conv 6 3x3; id; bn",
    ],
)  # fmt: skip
def test_folded_kinds(text: str) -> None:
    model = cnndsl.parse(f"input 4x7x6\n{text}\nrelu")
    tensors, x = random_tensors(model), random_input(model)
    folded = model.to_onnx(tensors)
    assert "BatchNormalization" not in operators(folded)
    assert largest_error(run(folded, x), run(model.to_onnx(tensors, fold=False), x)) <= 1e-5


@pytest.mark.parametrize(
    "text",
    [
        "bn relu", "relu; bn", "conv 4 3x3 relu bn", "a: conv 4 3x3; bn; add a",
        "conv 4 3x3; output early; bn", "add { conv 4 1x1 | conv 4 1x1 } bn",
    ],
)  # fmt: skip
def test_batch_norm_stays_where_it_cannot_be_folded(text: str) -> None:
    model = cnndsl.parse(f"input 4x7x6\n{text}\nrelu")
    tensors, x = random_tensors(model), random_input(model)
    folded = model.to_onnx(tensors)
    assert "BatchNormalization" in operators(folded)
    assert largest_error(run(folded, x), run(model.to_onnx(tensors, fold=False), x)) <= 1e-5


def test_the_caller_s_tensors_are_left_alone(model: cnndsl.Model) -> None:
    tensors = random_tensors(model)
    before = {name: array.copy() for name, array in tensors.items()}
    model.to_onnx(tensors)
    assert all(np.array_equal(tensors[name], before[name]) for name in before)


# Pictures as bytes


@pytest.mark.parametrize(
    ("mean", "std"),
    [((0.0,), (1.0,)), ((0.5,), (0.25,)), ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))],
)
def test_uint8_is_the_float_model_on_normalised_pictures(
    model: cnndsl.Model, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (2, 17, 14, 3), np.uint8)
    normalised = (picture / 255 - np.array(mean)) / np.array(std)
    x = np.ascontiguousarray(normalised.transpose(0, 3, 1, 2), np.float32)
    tensors = random_tensors(model)
    ours = run(model.to_onnx(tensors, uint8=True, mean=mean, std=std), picture)
    assert largest_error(ours, run(model.to_onnx(tensors), x)) <= 1e-5


def test_uint8_input_is_height_width_channels(model: cnndsl.Model) -> None:
    (value,) = model.to_onnx(uint8=True).graph.input
    assert value.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [d.dim_value for d in value.type.tensor_type.shape.dim[1:]] == [17, 14, 3]


# Weights


def test_weights_come_from_safetensors(model: cnndsl.Model, tmp_path: Path) -> None:
    tensors = random_tensors(model)
    save_file(tensors, tmp_path / "w.safetensors")
    found = initializers(model.to_onnx(tmp_path / "w.safetensors", fold=False))
    assert all(np.array_equal(found[name], array) for name, array in tensors.items())


def test_half_precision_weights_are_widened(tmp_path: Path) -> None:
    model = cnndsl.parse("input 3x8x8; conv 4 3x3")
    tensors = {name: array.astype(np.float16) for name, array in random_tensors(model).items()}
    save_file(tensors, tmp_path / "w.safetensors")
    found = initializers(model.to_onnx(str(tmp_path / "w.safetensors")))
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}


def spoil_missing(tensors: Arrays) -> None:
    del tensors["conv_1.bias"]


def spoil_surplus(tensors: Arrays) -> None:
    tensors["conv_9.bias"] = np.zeros(4, np.float32)


def spoil_shape(tensors: Arrays) -> None:
    tensors["conv_1.weight"] = np.zeros((4, 3, 5, 5), np.float32)


def spoil_type(tensors: Arrays) -> None:
    tensors["conv_1.bias"] = np.zeros(4, np.int64)  # pyright: ignore[reportArgumentType]


def spoil_value(tensors: Arrays) -> None:
    tensors["conv_1.bias"][2] = np.nan


SPOILS = {
    spoil_missing: "1 missing: conv_1.bias",
    spoil_surplus: "1 not in the model: conv_9.bias",
    spoil_shape: "1 of another shape: conv_1.weight is 4x3x5x5, the model has 4x3x3x3",
    spoil_type: "1 not float: conv_1.bias is int64",
    spoil_value: "1 not finite (NaN or infinity): conv_1.bias\n  take weights of before this",
}


@pytest.mark.parametrize("spoil", SPOILS)
@pytest.mark.parametrize("from_file", [True, False])
def test_tensors_that_do_not_fit_are_named(
    spoil: Callable[[Arrays], None], from_file: bool, tmp_path: Path
) -> None:
    model = cnndsl.parse("input 3x8x8; conv 4 3x3; bn")
    tensors = random_tensors(model)
    spoil(tensors)
    save_file(tensors, tmp_path / "w.safetensors")
    with pytest.raises(cnndsl.UserError, match="fit the model") as caught:
        model.to_onnx(tmp_path / "w.safetensors" if from_file else tensors)
    assert SPOILS[spoil] in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no tensors at all", None])
def test_unreadable_weights_are_a_user_error(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(cnndsl.UserError, match=r"w\.safetensors"):
        cnndsl.parse("input 3x8x8; conv 4 3x3").to_onnx(file)


def test_a_seed_repeats_its_weights(model: cnndsl.Model) -> None:
    first, again, other = (model.initial_weights(seed) for seed in (7, 7, 8))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["stem.weight"], other["stem.weight"])


def test_a_layer_s_weights_do_not_depend_on_the_others() -> None:
    small = cnndsl.parse("input 3x8x8; conv 4 3x3; a: conv 5 3x3").initial_weights()
    large = cnndsl.parse("input 3x8x8; conv 4 3x3 bn relu; a: conv 5 3x3; conv 6 1x1; gn 2")
    assert all(np.array_equal(small[n], large.initial_weights()[n]) for n in ("a.weight", "a.bias"))


def test_equal_layers_get_different_weights() -> None:
    weights = cnndsl.parse("input 4x8x8; conv 4 3x3 *2").initial_weights()
    assert error(weights["conv_1.weight"], weights["conv_2.weight"]) > 0.1
