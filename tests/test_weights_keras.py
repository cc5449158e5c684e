"""Models and weights of Keras, without Keras: layouts, order, preprocessing, refusals."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from keras_files import functional, layer, on, sequential, weights_h5, write_h5, write_keras

import cnndsl
from cnndsl.cli import group
from cnndsl.decompile.keras import from_keras
from cnndsl.source import UserError
from cnndsl.weights import read_raw
from cnndsl.weights.fit import read_weights

RANDOM = np.random.default_rng(0)


def numbers(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def variance(size: int) -> np.ndarray:
    return np.abs(numbers(size)) + 1


# A chain: kernels H·W·I·O, a norm without gamma, a dense layer behind a flattened 2×3×4.
KERNEL, DEPTHWISE, DENSE = numbers(3, 3, 3, 4), numbers(3, 3, 4, 1), numbers(24, 5)
BETA, MEAN, VARIANCE, BIAS = numbers(4), numbers(4), variance(4), numbers(5)
CHAIN = [
    layer("Conv2D", "first", KERNEL, filters=4, kernel_size=[3, 3], padding="same",
          use_bias=False),
    layer("BatchNormalization", "norm", BETA, MEAN, VARIANCE, scale=False, epsilon=0.001, axis=-1),
    layer("DepthwiseConv2D", "deep", DEPTHWISE, kernel_size=[3, 3], padding="same",
          strides=[2, 2], use_bias=False),
    layer("Flatten", "flat"),
    layer("Dense", "head", DENSE, BIAS, units=5, activation="softmax"),
]  # fmt: skip
PATHS = ["conv2d", "batch_normalization", "depthwise_conv2d", "flatten", "dense"]
NAMES = [["kernel"], ["beta", "moving_mean", "moving_variance"], ["depthwise_kernel"], [],
         ["kernel", "bias"]]  # fmt: skip
SPEC = ("input 3x4x6; conv 4 3x3 same nobias; bn eps=1e-3 momentum=0.01; "
        "dwconv 3x3 same /2 nobias; flatten; dense 5; softmax")  # fmt: skip


def chain_file(folder: Path, kind: str) -> Path:
    if kind == "keras":
        return write_keras(
            folder / "m.keras", sequential(CHAIN, (4, 6, 3)), weights_h5(CHAIN, PATHS)
        )  # fmt: skip
    if kind == "weights.h5":
        (folder / "m.weights.h5").write_bytes(weights_h5(CHAIN, PATHS))
        return folder / "m.weights.h5"
    config = sequential(CHAIN, (4, 6, 3)) if kind == "whole h5" else None
    return write_h5(folder / "m.h5", CHAIN, NAMES, config)


@pytest.mark.parametrize("kind", ["keras", "weights.h5", "whole h5", "h5"])
def test_layouts_become_ours(tmp_path: Path, kind: str) -> None:
    found = read_weights(chain_file(tmp_path, kind), cnndsl.parse(SPEC).ir).tensors
    assert np.array_equal(found["conv_1.weight"], KERNEL.transpose(3, 2, 0, 1))
    assert np.array_equal(found["dwconv_1.weight"][:, 0], DEPTHWISE[..., 0].transpose(2, 0, 1))
    assert found["bn_1.weight"].tolist() == [1, 1, 1, 1]
    assert np.array_equal(found["bn_1.bias"], BETA)
    assert np.array_equal(found["bn_1.running_var"], VARIANCE)
    rows = DENSE.reshape(2, 3, 4, 5).transpose(3, 2, 0, 1).reshape(5, 24)  # H·W·C to C·H·W
    assert np.array_equal(found["dense_1.weight"], rows)


def test_a_norm_of_three_tensors_without_a_configuration_is_told(tmp_path: Path) -> None:
    (note,) = read_raw(chain_file(tmp_path, "weights.h5")).notes
    assert note == (
        "norms of one tensor less are taken for those without gamma: batch_normalization"
    )


def test_a_sequential_model_becomes_a_spec(tmp_path: Path) -> None:
    found = from_keras(chain_file(tmp_path, "keras"))
    assert found.text.splitlines() == [
        "input 3x4x6",
        "conv 4 3x3 same nobias init=glorot_uniform",
        "bn noscale eps=0.001 momentum=0.01",
        "dwconv 3x3 same /2 nobias init=glorot_uniform",
        "flatten",
        "dense 5 softmax",
    ]
    own = read_weights(chain_file(tmp_path, "keras"), found.model).tensors
    assert all(np.array_equal(own[name], found.tensors[name]) for name in own)


# A shortcut whose kernel has the shape of the body's last one: only the graph tells them apart.
BODY, SHORTCUT, STEM = numbers(1, 1, 4, 4), numbers(1, 1, 4, 4), numbers(1, 1, 3, 4)
LAST, FLAT = numbers(1, 1, 4, 4), {"kernel_size": 1, "filters": 4, "use_bias": False}
GRAPH = [
    layer("InputLayer", "in", batch_shape=[None, 2, 2, 3]),
    on(layer("Conv2D", "stem", STEM, **FLAT), "in"),
    on(layer("Conv2D", "short", SHORTCUT, **FLAT), "stem"),
    on(layer("Conv2D", "body", BODY, **FLAT), "stem"),
    on(layer("Conv2D", "last", LAST, **FLAT), "body"),
    on(layer("Add", "sum"), "short", "last"),
]
GRAPH_PATHS = ["input_layer", "conv2d", "conv2d_1", "conv2d_2", "conv2d_3", "add"]
BRANCHES = [
    "conv 4 1x1 nobias; conv 4 1x1 nobias | conv 4 1x1 nobias",  # body first
    "conv 4 1x1 nobias | conv 4 1x1 nobias; conv 4 1x1 nobias",
]


@pytest.mark.parametrize("branches", BRANCHES)
def test_the_graph_tells_a_body_from_its_shortcut(tmp_path: Path, branches: str) -> None:
    path = write_keras(
        tmp_path / "m.keras", functional(GRAPH, "in", "sum"), weights_h5(GRAPH, GRAPH_PATHS)
    )  # fmt: skip
    model = cnndsl.parse(f"input 3x2x2; conv 4 1x1 nobias; add {{ {branches} }}").ir
    found = read_weights(path, model).tensors
    body = [BODY, LAST] if branches == BRANCHES[0] else [SHORTCUT, BODY]
    assert np.array_equal(found["conv_2.weight"][..., 0, 0], body[0][0, 0].T)
    assert np.array_equal(found["conv_3.weight"][..., 0, 0], body[1][0, 0].T)


def test_without_the_graph_branches_are_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "m.weights.h5").write_bytes(weights_h5(GRAPH, GRAPH_PATHS))
    model = cnndsl.parse(f"input 3x2x2; conv 4 1x1 nobias; add {{ {BRANCHES[0]} }}").ir
    with pytest.raises(UserError, match=r"order is that of classes[\s\S]*model\.keras"):
        read_weights(tmp_path / "m.weights.h5", model)


def test_a_functional_model_becomes_a_spec(tmp_path: Path) -> None:
    path = write_keras(
        tmp_path / "m.keras", functional(GRAPH, "in", "sum"), weights_h5(GRAPH, GRAPH_PATHS)
    )  # fmt: skip
    found = from_keras(path)
    x = numbers(1, 3, 2, 2)
    stem = np.einsum("nchw,co->nohw", x, STEM[0, 0])
    kernel = SHORTCUT[0, 0] + BODY[0, 0] @ LAST[0, 0]
    ort = pytest.importorskip("onnxruntime")
    graph = cnndsl.Model(found.model).to_onnx(found.tensors).SerializeToString()
    (y,) = ort.InferenceSession(graph).run(None, {"input": x})
    assert np.allclose(y, np.einsum("nchw,co->nohw", stem, kernel), atol=1e-5)


MERGED = {
    "Average": lambda a, b, c: (a + b + c) / 3,
    "Maximum": lambda a, b, c: np.maximum(np.maximum(a, b), c),
    "Minimum": lambda a, b, c: np.minimum(np.minimum(a, b), c),
    "Multiply": lambda a, b, c: a * b * c,
    "Subtract": lambda a, b, c: a - b,
}


@pytest.mark.parametrize("kind", MERGED)
def test_merges_and_several_outputs(tmp_path: Path, kind: str) -> None:
    kernels = [
        numbers(1, 1, 3, 4) - 1,
        numbers(1, 1, 3, 4)[..., ::-1] * 0.5,
        np.eye(3, 4)[None, None],
    ]
    names = ["a", "b", "c"][: 2 if kind == "Subtract" else 3]
    convs = [on(layer("Conv2D", *pair, **FLAT), "in") for pair in zip("abc", kernels, strict=True)]
    layers = [GRAPH[0], *convs, on(layer(kind, "merged"), *names)]
    paths = ["input_layer", "conv2d", "conv2d_1", "conv2d_2", "merge"]
    config = functional(layers, "in", "merged", "c")
    found = from_keras(write_keras(tmp_path / "m.keras", config, weights_h5(layers, paths)))
    x = numbers(1, 3, 2, 2)
    parts = [np.einsum("nchw,co->nohw", x, k[0, 0]) for k in kernels]
    ort = pytest.importorskip("onnxruntime")
    graph = cnndsl.Model(found.model).to_onnx(found.tensors).SerializeToString()
    merged, c = ort.InferenceSession(graph).run(["merged", "c"], {"input": x})
    assert np.allclose(merged, MERGED[kind](*parts), atol=1e-5)
    assert np.allclose(c, parts[2], atol=1e-5)


@pytest.mark.parametrize(("sides", "said"), [([[0, 1], [0, 1]], "same"), ([[1, 1], [1, 1]], "pad")])
def test_zeros_before_a_layer_are_its_padding(tmp_path: Path, sides: Any, said: str) -> None:
    conv = layer("Conv2D", "a", numbers(3, 3, 3, 4), kernel_size=3, padding="valid")
    layers = [layer("ZeroPadding2D", "zeros", padding=sides), conv]
    path = write_keras(tmp_path / "m.keras", sequential(layers, (8, 8, 3)),
                       weights_h5(layers, ["zero_padding2d", "conv2d"]))  # fmt: skip
    assert read_raw(path).padding == {"a": said}


def test_an_activation_may_be_called_twice(tmp_path: Path) -> None:
    relu, calls = layer("ReLU", "relu"), []
    for name in "ab":
        calls += on(relu, name)[0]["inbound_nodes"]
    convs = [on(layer("Conv2D", "a", np.eye(3, 4)[None, None], **FLAT), "in"),
             on(layer("Conv2D", "b", numbers(1, 1, 4, 4), **FLAT), "relu")]  # fmt: skip
    layers = [GRAPH[0], convs[0], ({**relu[0], "inbound_nodes": calls}, []), convs[1]]
    config = functional(layers, "in", "relu")
    config["config"]["output_layers"] = [["relu", 1, 0]]
    paths = ["input_layer", "conv2d", "re_lu", "conv2d_1"]
    found = from_keras(write_keras(tmp_path / "m.keras", config, weights_h5(layers, paths)))
    assert [n.layer.word for n in found.model.nodes[1:]] == ["conv", "relu", "conv", "relu"]


def test_a_dense_layer_on_an_image_is_a_convolution(tmp_path: Path) -> None:
    layers = [layer("GlobalAveragePooling2D", "gap"), layer("Reshape", "r", target_shape=[1, 1, 3]),
              layer("Dense", "gate", numbers(3, 2), units=2, use_bias=False),
              layer("PReLU", "slope", numbers(1, 1, 2), shared_axes=[1, 2])]  # fmt: skip
    paths = ["global_average_pooling2d", "reshape", "dense", "p_re_lu"]
    path = write_keras(tmp_path / "m.keras", sequential(layers, (4, 4, 3)),
                       weights_h5(layers, paths))  # fmt: skip
    found = from_keras(path)
    assert [n.shape for n in found.model.nodes[-2:]] == [(2, 1, 1)] * 2
    assert found.tensors["conv_1.weight"].shape == (2, 3, 1, 1)
    assert found.tensors["prelu_1.weight"].shape == (2, 1, 1)


def test_scaling_before_the_first_layer_is_preprocessing(tmp_path: Path) -> None:
    front = [layer("RandomFlip", "flip"), layer("Rescaling", "scale", scale=1 / 127.5, offset=-1)]
    path = write_keras(
        tmp_path / "m.keras", sequential([*front, *CHAIN], (4, 6, 3)),
        weights_h5([*front, *CHAIN], ["random_flip", "rescaling", *PATHS]),
    )  # fmt: skip
    assert (read_raw(path).info.mean, read_raw(path).info.std) == ((0.5,), (0.5,))
    found = from_keras(path)
    assert found.text.startswith("input 3x4x6\nconv")
    assert len(found.notes) == 2


def test_an_image_reshaped_of_a_vector_has_its_channels_turned(tmp_path: Path) -> None:
    weight, bias = numbers(2, 12), numbers(12)
    layers = [
        layer("Dense", "up", weight, bias, units=12), layer("Reshape", "r", target_shape=[2, 3, 2])
    ]  # fmt: skip
    path = write_keras(tmp_path / "m.keras", sequential(layers, (2,)),
                       weights_h5(layers, ["dense", "reshape"]))  # fmt: skip
    found = from_keras(path)
    assert "reshape 2x2x3" in found.text
    turned = bias.reshape(2, 3, 2).transpose(2, 0, 1).ravel()
    assert np.array_equal(found.tensors["dense_1.bias"], turned)


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("Lambda", {"function": "whatever"}),
        ("LSTM", {"units": 3}),
        ("Conv2D", {"filters": 4, "kernel_size": 3, "padding": "causal"}),
        ("UpSampling2D", {"size": 2, "interpolation": "lanczos3"}),
        ("Dot", {}),
    ],
)
def test_layers_without_a_word_are_named(tmp_path: Path, kind: str, config: Any) -> None:
    layers = [layer(kind, "odd_one", **config)]
    path = write_keras(tmp_path / "m.keras", sequential(layers, (4, 4, 3)),
                       weights_h5(layers, ["odd"]))  # fmt: skip
    with pytest.raises(UserError, match=rf"`odd_one` \({kind}\): "):
        from_keras(path)


def test_the_command(tmp_path: Path) -> None:
    path, out = chain_file(tmp_path, "keras"), tmp_path / "back.cnn"
    arguments = ["decompile", str(path), "-o", str(out), "--weights", f"{tmp_path}/b.safetensors"]
    assert CliRunner().invoke(group, arguments).exit_code == 0
    assert out.read_text().startswith("input 3x4x6")
    assert read_weights(tmp_path / "b.safetensors", cnndsl.load(out).ir).notes == ()


@pytest.mark.parametrize(
    ("files", "help_"),
    [(["saved_model.pb"], r'model.save\("model.keras"\)'),
     (["config.json", "model.weights.h5"], "zip -r ../model.keras")],
)  # fmt: skip
def test_folders_are_told_with_the_file_to_give(
    tmp_path: Path, files: list[str], help_: str
) -> None:
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=help_):
        read_raw(tmp_path)
    with pytest.raises(UserError, match=help_):
        group.main(["decompile", str(tmp_path)], standalone_mode=False)


# Hostile files: one clear error each, and nothing outside is read.
def hostile(kind: str, path: Path) -> Path:
    path = path / "m.weights.h5"
    outside = path.parent / "secret.h5"
    with h5py.File(outside, "w") as file:
        file["x"] = KERNEL
    with h5py.File(path, "w") as file:
        group = file.create_group("layers/conv2d/vars")
        if kind == "external link":
            group["0"] = h5py.ExternalLink(str(outside), "/x")
        elif kind == "soft link":
            group["0"] = h5py.SoftLink("/layers")
        elif kind == "external data":
            group.create_dataset("0", (3, 3, 3, 4), "f4", external=[(str(outside), 0, 432)])
        elif kind == "virtual":
            layout = h5py.VirtualLayout((3, 3, 3, 4), "f4")
            layout[...] = h5py.VirtualSource(str(outside), "x", (3, 3, 3, 4))
            group.create_virtual_dataset("0", layout)
        elif kind == "bomb":
            group.create_dataset("0", (1 << 33,), "f4", chunks=(1 << 20,), compression="gzip")
        elif kind == "text":
            group["0"] = "no number"
        elif kind == "loop":
            group["again"] = file["layers"]
            del group["again"]
            file["layers/conv2d/layers"] = file["layers"]
    return path


@pytest.mark.parametrize(
    "kind", ["external link", "soft link", "external data", "virtual", "bomb", "text", "loop"]
)
def test_hostile_files(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UserError, match=r"m\.weights\.h5 holds .*, which is not read"):
        read_raw(hostile(kind, tmp_path))


@pytest.mark.parametrize("config", ["[]", "{", '{"class_name": "Mine", "config": {}}', "null"])
def test_configurations_that_are_no_graph(tmp_path: Path, config: str) -> None:
    from zipfile import ZipFile

    with ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", weights_h5(CHAIN, PATHS))
    with pytest.raises(UserError, match=r"m\.keras: "):
        read_raw(tmp_path / "m.keras")


def test_damaged_files(tmp_path: Path) -> None:
    data = chain_file(tmp_path, "whole h5").read_bytes()
    for size in range(8, len(data), len(data) // 20):
        (tmp_path / "cut.h5").write_bytes(data[:size])
        with pytest.raises(UserError):
            read_raw(tmp_path / "cut.h5")


def test_weights_that_are_no_numbers_do_not_fit(tmp_path: Path) -> None:
    broken = [*CHAIN[:-1], layer("Dense", "head", DENSE, BIAS * np.nan, units=5)]
    path = write_keras(
        tmp_path / "m.keras", sequential(broken, (4, 6, 3)), weights_h5(broken, PATHS)
    )  # fmt: skip
    with pytest.raises(UserError, match="not finite"):
        read_weights(path, cnndsl.parse(SPEC).ir)
