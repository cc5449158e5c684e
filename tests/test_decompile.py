"""ONNX back to specs: the same outputs again, or a refusal that names the operator."""

import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from onnx import ModelProto, TensorProto, helper, numpy_helper
from running import Arrays, error, random_array, random_input, random_tensors, run, session
from strategies import nets

import cnndsl
from cnndsl.backend.artifact import inference_model
from cnndsl.backend.inference import Options
from cnndsl.cli import group, main
from cnndsl.decompile import Decompiled, from_graph
from cnndsl.source import UserError

SPECS = Path(__file__).parents[1] / "specs"
SMALL = [
    "cifar10", "lenet5", "resnet8", "resnet20", "mobilenet_v2", "mobilenet_v3_small",
    "squeezenet1_0", "efficientnet_b0", "googlenet",
]  # fmt: skip
LARGE = ["densenet121", "unet", "inception_v3", "convnext_tiny", "resnet50", "resnext50_32x4d"]


def stripped(model: cnndsl.Model, tensors: Arrays, fold: bool) -> ModelProto:
    """A compiled model that does not say where it comes from."""
    made = inference_model(model.ir, tensors, Options(fold=fold))
    del made.metadata_props[:]
    return made


def moderate(model: cnndsl.Model) -> Arrays:
    """Fresh weights with statistics that are not the identity."""
    drawn = random_tensors(model)
    fresh = model.initial_weights()
    return {
        name: drawn[name] if name.endswith(("running_var", "bias")) else array
        for name, array in fresh.items()
    }


def again(found: Decompiled) -> ModelProto:
    """The decompiled spec with its tensors, compiled."""
    model = cnndsl.parse(found.text)
    assert model.params == found.model.params
    return inference_model(model.ir, found.tensors, Options())


def there_and_back(model: cnndsl.Model, tensors: Arrays, fold: bool) -> Decompiled:
    """Compile, decompile, compile; the outputs are the same."""
    first = stripped(model, tensors, fold)
    found = from_graph(first)
    x = random_input(model)
    before, after = run(first, x), run(again(found), x)
    assert sorted(before) == sorted(after)
    assert all(np.isfinite(y).all() for y in before.values())
    assert max(error(after[name], before[name]) for name in before) <= 1e-5
    return found


both = pytest.mark.parametrize("fold", [False, True], ids=["plain", "folded"])


@both
@pytest.mark.parametrize("name", SMALL)
def test_a_spec_comes_back(name: str, fold: bool) -> None:
    model = cnndsl.load(SPECS / f"{name}.cnn")
    found = there_and_back(model, moderate(model), fold)
    if not fold:
        assert found.model.params == model.params
        assert found.model.macs == model.macs


@pytest.mark.slow
@both
@pytest.mark.parametrize("name", LARGE)
def test_a_large_spec_comes_back(name: str, fold: bool) -> None:
    test_a_spec_comes_back(name, fold)


def test_the_text_is_what_one_would_write() -> None:
    text = """input 3x8x8
t1: conv 4 3x3 pad bn relu
conv 4 3x3 pad bias relu bn relu
add t1 relu
dwconv 3x3 same nobias /2
pool 2x2
flatten
dense 10
"""
    model = cnndsl.parse(text)
    assert from_graph(stripped(model, moderate(model), False)).text == text


WORDS = """input 4x12x12
conv 8 3x3 same leaky alpha=0.1; bn eps=1e-3; prelu; elu alpha=0.5; selu; gelu; silu; hswish
conv 8 3x3 groups=2 dilation=2 pad hsigmoid sigmoid tanh softplus mish bias bn; dwconv 3x3 same /2
upconv 6 3x3 same /2; scale (-0.5); ln; gn 2; in; lrn 3; softmax; logsoftmax; relu6; shuffle 3
upsample 2; avgpool 3 /2 pad ceil nocount; avgpool 3 /2 pad ceil; upsample 2x3 bilinear
conv 8 1x1; pixelshuffle 2; conv 8 1x1; pixelshuffle 2 dcr; upsample 1x2 bilinear align; pool 3 /2
reflectpad 2x1 top=1; edgepad 1; conv 6 1x1; slice 1 5; slice 2; concat { id | relu }; pool 3 /1
pool 3x2 /1 pad dilation=2x1; pool 2 /1 pad dilation=3; conv 4 1x1; upconv 4 3x3 groups=2 pad=1
upconv 4 3x2 /2 dilation=2x1; pool 3 /2
zeropad top=1 right=2; crop 1; pool 3 /2 same; upconv 4 3x3 /2 pad=1 extra=1
a: conv 4 1x1; concat { conv 4 1x1 | id }; conv 4 3x3 same; add a; add a; mul { id | gmp sigmoid }
output features
reshape 8x2x1000 if false
flatten; dense 12 bn relu; reshape 3x2x2; gap; dense 5 nobias
"""


@both
def test_every_word_comes_back(fold: bool) -> None:
    model = cnndsl.parse(WORDS)
    found = there_and_back(model, moderate(model), fold)
    assert list(found.model.outputs) == ["features", "output"]
    if not fold:
        assert found.model.params == model.params


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(nets())
def test_random_nets_come_back(text: str) -> None:
    model = cnndsl.parse(text)
    first = stripped(model, random_tensors(model), False)
    x = random_input(model)
    before = run(first, x)
    after = run(again(from_graph(first)), x)
    assert sorted(before) == sorted(after)
    for name, array in before.items():
        assert np.allclose(after[name], array, rtol=1e-4, atol=1e-5, equal_nan=True)


# Exports of torch


def exported(net: Any, *shape: int, opset: int = 17, symbolic: bool = True) -> ModelProto:
    """A module as torch writes it."""
    torch = pytest.importorskip("torch")
    out = io.BytesIO()
    axes = {"x": {0: "batch"}} if symbolic else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls its own exporter old
        torch.onnx.export(net.eval(), (torch.zeros(1, *shape),), out, dynamo=False,
                          input_names=["x"], opset_version=opset, dynamic_axes=axes)  # fmt: skip
    return onnx.load_from_string(out.getvalue())


def modules() -> dict[str, Callable[[], Any]]:
    torch = pytest.importorskip("torch")
    nn, F = torch.nn, torch.nn.functional

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Sequential(nn.Conv2d(4, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8))
            self.b = nn.Conv2d(4, 8, 1, 2)
            self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.Sigmoid())
            self.head = nn.Linear(16 * 36, 5)

        def forward(self, x: Any) -> Any:
            x = F.relu(self.a(x) + self.b(x))
            x = x * self.gate(x)
            x = torch.cat([x, F.silu(x)], 1)
            return self.head(x.view(x.size(0), -1))

    class Mean(nn.Module):
        def forward(self, x: Any) -> Any:
            x = F.interpolate(x, scale_factor=2, mode="bilinear")
            x = F.interpolate(x, scale_factor=2)[:, :, 1:-1, 2:]
            return x.mean((2, 3)) + x.amax((2, 3))

    class Shuffled(nn.Module):
        def forward(self, x: Any) -> Any:
            n, c, h, w = x.shape
            return x.view(n, 3, c // 3, h, w).transpose(1, 2).reshape(n, c, h, w)

    acts = [nn.GELU(), nn.Hardswish(), nn.ReLU6(), nn.Mish(), nn.Hardsigmoid(), nn.SELU(),
            nn.ELU(0.3), nn.LeakyReLU(0.2), nn.PReLU(), nn.SiLU(), nn.Softplus()]  # fmt: skip

    class Halves(nn.Module):
        def forward(self, x: Any) -> Any:
            a, b = x.chunk(2, 1)
            x = torch.cat([b, F.pixel_shuffle(x, 2)[:, :, ::1, :12][:, :, :12], a], 1)
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            return F.pad(F.pad(x, (1, 2, 0, 3), mode="reflect"), (1, 1, 1, 1), mode="replicate")

    return {
        "residual": Residual,
        "halves": Halves,
        "windows": lambda: nn.Sequential(
            nn.MaxPool2d(3, 1, 1, dilation=2), nn.ReflectionPad2d(2),
            nn.ConvTranspose2d(4, 6, 3, 2, 1, groups=2, dilation=2),
        ),
        "resizing": Mean,
        "activations": lambda: nn.Sequential(*acts, nn.Softmax(1)),
        "norms": lambda: nn.Sequential(
            nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True),
            nn.Flatten(), nn.LayerNorm(576), nn.Linear(576, 3),
        ),
        "pools": lambda: nn.Sequential(
            nn.AvgPool2d(3, 2, 1), nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
            nn.Upsample(scale_factor=4), nn.AvgPool2d(3, 2, ceil_mode=True),
            nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        ),
        "convolutions": lambda: nn.Sequential(
            nn.Conv2d(4, 8, 3, groups=4), nn.Conv2d(8, 8, (3, 5), padding=(1, 2), groups=2),
            nn.ConvTranspose2d(8, 6, 3, 2, 1, 1), nn.ZeroPad2d((1, 0, 2, 1)), nn.Dropout(),
            nn.Conv2d(6, 6, 3, padding=2, dilation=2), nn.BatchNorm2d(6), Shuffled(),
        ),
    }  # fmt: skip


@pytest.mark.parametrize("opset", [13, 17, 20])
@pytest.mark.parametrize("symbolic", [True, False])
@pytest.mark.parametrize("name", ["residual", "resizing", "activations", "norms", "pools",
                                  "convolutions", "halves", "windows"])  # fmt: skip
def test_a_module_of_torch_comes_back(name: str, symbolic: bool, opset: int) -> None:
    torch = pytest.importorskip("torch")
    if name == "norms" and opset < 17:
        pytest.skip("LayerNormalization is an operator since opset 17")
    torch.manual_seed(0)
    net = modules()[name]()
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2.0)
    theirs = exported(net, 4, 12, 12, opset=opset, symbolic=symbolic)
    x = random_array(1, 4, 12, 12)
    (before,) = session(theirs).run(None, {"x": x})
    assert error(run(again(from_graph(theirs)), x)["output"], before) <= 1e-5


# Graphs by hand


def graph_of(
    *nodes: onnx.NodeProto, shape: tuple[int | str, ...] = ("N", 4, 8, 8), opset: int = 17,
    **constants: Any,
) -> ModelProto:  # fmt: skip
    """From `x` to the output of the last node."""
    tensors = [
        numpy_helper.from_array(np.asarray(v, None if np.asarray(v).dtype.kind == "i" else "f"), k)
        for k, v in constants.items()
    ]
    made = helper.make_graph(
        list(nodes), "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)], tensors,
    )  # fmt: skip
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def node(kind: str, *inputs: str, to: str = "y", **attributes: Any) -> onnx.NodeProto:
    """An operator; its attribute `to` is written `to_`."""
    attributes = {name.rstrip("_"): value for name, value in attributes.items()}
    return helper.make_node(
        kind, list(inputs), [to], name=f"my{kind}" if to == "y" else f"{to}{kind}", **attributes
    )


def w(*shape: int) -> Any:
    return random_array(*shape, seed=3)


WRITTEN: dict[str, tuple[ModelProto, str]] = {
    "odd pads": (
        graph_of(node("Conv", "x", "w", pads=[0, 1, 2, 1]), w=w(5, 4, 3, 3)),
        "zeropad left=1 bottom=2 right=1\nconv 5 3x3 nobias\n",
    ),
    "SAME_UPPER": (
        graph_of(node("Conv", "x", "w", auto_pad="SAME_UPPER", strides=[2, 2]), w=w(5, 4, 3, 3)),
        "conv 5 3x3 same nobias /2\n",
    ),
    "SAME_LOWER": (
        graph_of(node("Conv", "x", "w", auto_pad="SAME_LOWER", strides=[2, 2]), w=w(5, 4, 3, 3)),
        "zeropad top=1 left=1\nconv 5 3x3 nobias /2\n",
    ),
    "a bias added": (
        graph_of(node("Conv", "x", "w", to="c"), node("Add", "b", "c"), w=w(5, 4, 1, 1),
                 b=w(5, 1, 1)),
        "conv 5 1x1\n",
    ),
    "MatMul and Add": (
        graph_of(node("MatMul", "x", "w", to="m"), node("Add", "m", "b"), shape=("N", 6),
                 w=w(6, 3), b=w(3)),
        "dense 3\n",
    ),
    "Gemm with factors": (
        graph_of(node("Gemm", "x", "w", "b", alpha=0.5, beta=2.0), shape=(1, 6), w=w(6, 3), b=w(1)),
        "dense 3\n",
    ),
    "a factor": (graph_of(node("Mul", "k", "x"), k=-0.5), "scale (-0.5)\n"),
    "hard swish by hand": (
        graph_of(node("Add", "x", "three", to="a"), node("Clip", "a", "zero", "six", to="c"),
                 node("Mul", "x", "c", to="m"), node("Div", "m", "six"), three=3.0, zero=0.0,
                 six=6.0),
        "hswish\n",
    ),
    "the tensor twice": (graph_of(node("Add", "x", "x")), "add t1\n"),
    "a mean over axes": (
        graph_of(node("ReduceMean", "x", axes=[-1, -2], keepdims=0)), "gap\nflatten\n",
    ),
    "a gate of two more axes": (
        graph_of(node("GlobalAveragePool", "x", to="g"), node("Flatten", "g", to="f"),
                 node("Sigmoid", "f", to="s"), node("Unsqueeze", "s", "two", to="a"),
                 node("Unsqueeze", "a", "three", to="b"), node("Mul", "x", "b"),
                 two=np.array([2]), three=np.array([3])),
        "gap\nflatten sigmoid\nt2: reshape 4x1x1\nfrom t1\nmul t2\n",
    ),
    "a mean of means": (
        graph_of(node("ReduceMean", "x", to="m", axes=[3], keepdims=0),
                 node("ReduceMean", "m", axes=[2], keepdims=0)),
        "gap\nflatten\n",
    ),
    "a mean over a row": (
        graph_of(node("Reshape", "x", "row", to="r"),
                 node("ReduceMean", "r", axes=[-1], keepdims=0), row=np.array([0, 4, -1])),
        "gap\nflatten\n",
    ),
    "a window with all of the image in it": (
        graph_of(node("AveragePool", "x", kernel_shape=[9, 9], pads=[0, 1, 1, 0])), "gap\n",
    ),
    "group norm by channel": (
        graph_of(node("GroupNormalization", "x", "w", "b", num_groups=2), opset=21, w=w(4), b=w(4)),
        "gn 2\n",
    ),
    "a difference": (
        graph_of(node("Sigmoid", "x", to="s"), node("Sub", "s", "x")),
        "t2: sigmoid\nfrom t1\nscale (-1) fixed\nadd t2\n",
    ),
    "the larger one": (
        graph_of(node("Sigmoid", "x", to="s"), node("Max", "s", "x")),
        "t2: sigmoid\nscale (-1) fixed\nadd t1 relu\nadd t2\n",
    ),
    "the smaller one": (
        graph_of(node("Sigmoid", "x", to="s"), node("Min", "s", "x")),
        "t2: sigmoid\nfrom t1\nscale (-1) fixed\nadd t2 relu scale (-1) fixed\nadd t2\n",
    ),
    "a mean of two": (
        graph_of(node("Sigmoid", "x", to="s"), node("Mean", "s", "x")),
        "sigmoid\nadd t1 scale 0.5 fixed\n",
    ),
    "a lower bound": (graph_of(node("Max", "x", "k"), k=0.0), "relu\n"),
    "a cube": (graph_of(node("Pow", "x", "k"), k=3.0), "mul t1 t1\n"),
    "a constant added": (graph_of(node("Add", "x", "k"), k=w(4, 1, 1)), "bn\n"),
    "a norm as factors and sums": (
        graph_of(node("Mul", "x", "k", to="m"), node("Add", "b", "m"), k=w(4, 1, 1),
                 b=w(1, 4, 1, 1)),
        "bn\n",
    ),
    "mean and deviation": (
        graph_of(node("Sub", "x", "m", to="a"), node("Div", "a", "s"), m=w(4, 1, 1), s=0.25),
        "bn\n",
    ),
    "taken from a constant": (graph_of(node("Sub", "k", "x"), k=1.0), "bn\n"),
    "a quotient": (graph_of(node("Div", "x", "k"), k=4.0), "scale 0.25\n"),
    "another slope": (graph_of(node("HardSigmoid", "x", alpha=0.2)), "scale 1.2 hsigmoid\n"),
    "another cut": (graph_of(node("Clip", "x", "l", "k"), l=-2.0, k=1.0), "clamp low=-2\n"),
    "an old opset": (graph_of(node("Relu", "x"), opset=11), "relu\n"),
    "an old enlargement": (
        graph_of(node("Upsample", "x", "k", mode="nearest"), opset=9, k=[1.0, 1, 2, 2]),
        "upsample 2x2\n",
    ),
    "a product of channels last": (
        graph_of(node("Transpose", "x", to="t", perm=[0, 2, 3, 1]),
                 node("MatMul", "t", "w", to="m"),
                 node("Add", "m", "b", to="a"), node("Relu", "a", to="r"),
                 node("Transpose", "r", perm=[0, 3, 1, 2]), w=w(4, 6), b=w(6)),
        "conv 6 1x1 relu\n",
    ),
    "a norm of channels last": (
        graph_of(node("Transpose", "x", to="t", perm=[0, 2, 3, 1]),
                 node("LayerNormalization", "t", "w", "b", to="n"), node("Relu", "n", to="r"),
                 node("Transpose", "r", perm=[0, 3, 1, 2]), w=w(4), b=w(4)),
        "ln relu\n",
    ),
    "a norm written out": (
        graph_of(node("ReduceMean", "x", to="m", axes=[1]), node("Sub", "x", "m", to="c"),
                 node("Mul", "c", "c", to="q"), node("ReduceMean", "q", to="v", axes=[1]),
                 node("Add", "v", "e", to="a"), node("Sqrt", "a", to="s"),
                 node("Div", "c", "s", to="n"), node("Mul", "w", "n", to="p"),
                 node("Add", "p", "b"), e=1e-6, w=w(4, 1, 1), b=w(1, 4, 1, 1)),
        "ln eps=1e-06\n",
    ),
    "a norm as TensorFlow computes it": (
        graph_of(node("ReduceMean", "x", to="m", axes=[1]), node("Neg", "m", to="k"),
                 node("Reshape", "m", "same", to="t"), node("Sub", "x", "t", to="c"),
                 node("Mul", "c", "c", to="q"), node("ReduceMean", "q", to="v", axes=[1]),
                 node("Add", "v", "e", to="a"), node("Sqrt", "a", to="s"),
                 node("Reciprocal", "s", to="r"), node("Mul", "r", "w", to="f"),
                 node("Mul", "x", "f", to="p"), node("Mul", "k", "f", to="n"),
                 node("Add", "n", "b", to="z"), node("Add", "p", "z"), e=1e-3, w=w(1, 4, 1, 1),
                 b=w(1, 4, 1, 1), same=np.array([-1, 1, 8, 8])),
        "ln eps=0.001\n",
    ),
    "products of pixels": (
        graph_of(node("Transpose", "x", to="t", perm=[0, 2, 3, 1]),
                 node("Reshape", "t", "pixels", to="p"), node("MatMul", "p", "w", to="m"),
                 node("Reshape", "m", "image", to="i"), node("Transpose", "i", perm=[0, 3, 1, 2]),
                 pixels=np.array([-1, 4]), w=w(4, 6), image=np.array([-1, 8, 8, 6])),
        "conv 6 1x1 nobias\n",
    ),
    "a gate of channels last": (
        graph_of(node("Transpose", "x", to="t", perm=[0, 2, 3, 1]),
                 node("ReduceMean", "t", to="g", axes=[1, 2], keepdims=0),
                 node("Reshape", "g", "pixel", to="p"), node("Mul", "t", "p", to="m"),
                 node("Transpose", "m", perm=[0, 3, 1, 2]), pixel=np.array([-1, 1, 1, 4])),
        "gap\nflatten\nt2: reshape 4x1x1\nfrom t1\nmul t2\n",
    ),
    "a part of channels last": (
        graph_of(node("Transpose", "x", to="t", perm=[0, 2, 3, 1]),
                 node("PRelu", "t", "k", to="p"), node("Slice", "p", "a", "b", "c", to="s"),
                 node("Transpose", "s", perm=[0, 3, 1, 2]), k=w(1, 1, 4), a=np.array([1, 1]),
                 b=np.array([3, 9]), c=np.array([3, 1])),
        "prelu\nslice 1 end=3\ncrop top=1\n",
    ),
    "a row of channels last": (
        graph_of(node("Transpose", "x", to="t", perm=[0, 2, 3, 1]), node("Flatten", "t", to="f"),
                 node("Dropout", "f", to="d"), node("Gemm", "d", "w", transB=1), w=w(3, 256)),
        "flatten\ndense 3 nobias\n",
    ),
    "a view of strides": (
        graph_of(node("Reshape", "x", "row", to="r"), node("Gather", "r", "i", to="g"),
                 node("Relu", "g"), shape=(1, 4, 8, 8), row=np.array([-1]),
                 i=np.arange(256).reshape(1, 4, 8, 8)),
        "relu\n",
    ),
    "pixels that are repeated": (
        graph_of(node("Unsqueeze", "x", "three", to="u"), node("Tile", "u", "k", to="t"),
                 node("Transpose", "t", to="p", perm=[0, 2, 3, 4, 1]),
                 node("Reshape", "p", "rows", to="r"), node("Unsqueeze", "r", "three", to="v"),
                 node("Tile", "v", "k", to="s"), node("Reshape", "s", "all", to="l"),
                 node("ReduceMean", "l", axes=[1, 2], keepdims=0),
                 three=np.array([3]), k=np.array([1, 1, 1, 2, 1]),
                 rows=np.array([-1, 16, 8, 4]), all=np.array([-1, 16, 16, 4])),
        "upsample 2x1\nupsample 1x2\ngap\nflatten\n",
    ),
    "a mean of channels last": (
        graph_of(node("Transpose", "x", to="t", perm=[0, 2, 3, 1]),
                 node("ReduceMean", "t", axes=[1, 2], keepdims=0)),
        "gap\nflatten\n",
    ),
    "a split": (
        graph_of(helper.make_node("Split", ["x", "k"], ["a", "b", "c"], axis=1),
                 node("Sigmoid", "b", to="s"), node("Concat", "s", "a", axis=1),
                 k=np.array([1, 2, 1])),
        "t2: slice 0 end=1\nfrom t1\nslice 1 end=3 sigmoid\nconcat t2\n",
    ),
    "every second row and column": (
        graph_of(node("Slice", "x", "a", "b", "c", "d"), a=np.array([1, 0]), b=np.array([8, 99]),
                 c=np.array([2, 3]), d=np.array([2, 2])),
        "crop top=1\npool 1x1 /2\n",
    ),
    "every second channel": (
        graph_of(node("Slice", "x", "a", "b", "c", "d"), a=np.array([1]), b=np.array([4]),
                 c=np.array([1]), d=np.array([2])),
        "shuffle 2\nslice 2\n",
    ),
    "channels of zeros": (
        graph_of(node("Pad", "x", "k"), k=np.array([0, 2, 0, 0, 0, 2, 1, 1])),
        "t2: slice 0 end=2 scale 0 fixed\nconcat t1 t2\nzeropad bottom=1 right=1\n",
    ),
    "pads as sizes say": (
        graph_of(node("Shape", "x", to="s"), node("Gather", "s", "three", to="g"),
                 node("Cast", "g", to="f", to_=1), node("Div", "f", "two", to="d"),
                 node("Ceil", "d", to="e"), node("Clip", "e", "two", to="c"),
                 node("Cast", "c", to="i", to_=7), node("Concat", "none", "i", to="p", axis=0),
                 node("Pad", "x", "p"), three=np.array([3]), two=2.0, none=np.zeros(7, np.int64)),
        "zeropad right=4\n",
    ),
    "a kernel that is standardised": (
        graph_of(helper.make_node("BatchNormalization", ["k", "one", "zero", "zero", "one"],
                                  ["s", "m", "v"], training_mode=1),
                 node("Reshape", "s", "sizes", to="w"), node("Tanh", "g", to="t"),
                 node("Mul", "w", "t", to="f"), node("Conv", "x", "f"), k=w(1, 5, 36),
                 one=np.ones(5, "f"), zero=np.zeros(5, "f"), sizes=np.array([5, 4, 3, 3]),
                 g=w(5, 1, 1, 1)),
        "conv 5 3x3 nobias\n",
    ),
    "an image of one row at the end": (
        graph_of(node("Reshape", "x", "row"), shape=("N", 4), row=np.array([-1, 1, 1, 4])),
        "reshape 1x1x4\n",
    ),
    "what nobody reads": (
        graph_of(node("Einsum", "x", to="e", equation="abcd->ab"), node("Relu", "x")), "relu\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_a_graph_is_written_as(name: str) -> None:
    model, text = WRITTEN[name]
    found = from_graph(model)
    assert found.text.partition("\n")[2].replace("t1: input", "input") == text
    size = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    x = random_array(1, *size[1:])
    (before,) = session(model).run(None, {"x": x})
    assert error(run(again(found), x)["output"], before) <= 1e-6


def test_an_input_of_channels_last_is_taken_with_them_first() -> None:
    model = graph_of(
        node("Mul", "x", "k", to="m"), node("Transpose", "m", to="t", perm=[0, 3, 1, 2]),
        node("Conv", "t", "w"), shape=(1, 8, 8, 3), k=2.0, w=w(4, 3, 3, 3),
    )  # fmt: skip
    found = from_graph(model)
    assert found.notes == ("the input is taken as 3x8x8, channels first",)
    x = random_array(1, 8, 8, 3)
    (before,) = session(model).run(None, {"x": x})
    ours = run(again(found), np.ascontiguousarray(x.transpose(0, 3, 1, 2)))["output"]
    assert error(ours, before) <= 1e-6


def test_an_output_of_channels_last_is_given_with_them_first() -> None:
    model = graph_of(node("Relu", "x", to="r"), node("Transpose", "r", perm=[0, 2, 3, 1]))
    found = from_graph(model)
    assert found.text == "input 4x8x8\nrelu\n"
    assert found.notes == ("the output `y` is given as 4x8x8, channels first",)


def test_numbers_of_16_bits_are_float32_in_a_spec() -> None:
    tools = pytest.importorskip("onnxruntime.transformers.float16")
    net = cnndsl.parse(
        "input 3x8x8\nconv 4 3x3 bn relu6\nresidual { conv 4 3x3 same }\ngap; dense 2\n"
    )
    plain = inference_model(net.ir, moderate(net), Options())
    half = tools.convert_float_to_float16(stripped(net, moderate(net), True))
    found, x = from_graph(half), random_input(net)
    assert found.notes == ("the file computes in float16, a spec in float32",)
    assert error(run(again(found), x)["output"], run(plain, x)["output"]) <= 1e-2


def test_the_scaling_of_uint8_images_is_preprocessing() -> None:
    model = graph_of(
        node("Cast", "x", to="c"), node("Sub", "c", "m", to="s"), node("Div", "s", "d", to="n"),
        node("Conv", "n", "w"), shape=(1, 3, 8, 8), m=127.5, d=255.0, w=w(4, 3, 3, 3),
    )  # fmt: skip
    model.graph.node[0].attribute.append(helper.make_attribute("to", TensorProto.FLOAT))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    found = from_graph(model)
    assert (found.info.mean, found.info.std) == ((0.5,), (1.0,))
    assert found.text == "input 3x8x8\nconv 4 3x3 nobias\n"


@pytest.mark.parametrize("uint8", [False, True])
def test_preprocessing_and_classes_of_a_file_of_ours_are_kept_with_its_operators(
    uint8: bool,
) -> None:
    net = cnndsl.parse("input 3x8x8\nconv 2 3x3\ngap\ndense 2\n")
    info = from_graph(net.to_onnx(uint8=uint8, mean=0.5, std=0.25, classes=["cat", "dog"])).info
    assert (*info.mean, *info.std) == pytest.approx((0.5, 0.25))
    assert info.classes == ("cat", "dog")


def test_outputs_that_are_no_scores_are_left_out_and_named() -> None:
    model = graph_of(node("GlobalAveragePool", "x", to="g"), node("Flatten", "g", to="f"),
                     node("Dropout", "f"), node("ArgMax", "y", to="label", axis=1))  # fmt: skip
    model.graph.node[2].output.append("mask")
    scores = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    model.graph.output.append(scores)
    found = from_graph(model)
    assert found.text == "input 4x8x8\ngap\nflatten\n"
    assert found.notes == ("the output `label` (ArgMax) is left out: a spec has scores only",)


def test_an_input_that_nothing_reads_is_not_asked_for() -> None:
    model = graph_of(
        node("GlobalAveragePool", "x", to="g"), node("Flatten", "g"), shape=(1, 3, 4, 4)
    )
    scores = helper.make_tensor_value_info("y", TensorProto.FLOAT, ("N", 3))
    model.graph.output[0].CopyFrom(scores)
    model.graph.input.append(helper.make_tensor_value_info("mean", TensorProto.FLOAT, (1, 3)))
    spec, _ = cnndsl.from_onnx(model)
    assert spec.input == (3, 4, 4)
    assert len(cnndsl.predict(model, np.zeros((3, 4, 4)), preprocess="imagenet")[0]) == 3


def test_an_output_without_a_shape_takes_the_inferred_one() -> None:
    model = graph_of(
        node("GlobalAveragePool", "x", to="g"), node("Flatten", "g"), shape=(1, 3, 4, 4)
    )
    spec, _ = cnndsl.from_onnx(model)
    assert [*spec.outputs.values()] == [(3,)]
    assert len(cnndsl.predict(model, np.zeros((3, 4, 4)), preprocess="imagenet")[0]) == 3
    assert not model.graph.output[0].type.tensor_type.HasField("shape")


def test_weights_that_do_not_fit_are_told_with_their_shapes() -> None:
    with pytest.raises(UserError, match="weight 4x5x3x3, do not fit `conv`, which has weight 4x4"):
        from_graph(graph_of(node("Conv", "x", "w"), w=w(4, 5, 3, 3)))


def test_an_open_size_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = graph_of(node("Conv", "x", "w"), shape=(-1, 3, "H", -1), w=w(4, 3, 3, 3))
    ends = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4, None, None])
    model.graph.output[0].CopyFrom(ends)
    file = tmp_path / "open.onnx"
    file.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match=r"--size HxW .* gives it one"):
        group.main(["decompile", str(file)], standalone_mode=False)
    group.main(["decompile", str(file), "--size", "8x9"], standalone_mode=False)
    assert capsys.readouterr().out == "input 3x8x9\nconv 4 3x3 nobias\n"


@pytest.mark.parametrize("size", ["8", "0x8", "8x-8", "²x8", "99999999999x8"])
def test_a_size_is_height_and_width(size: str) -> None:
    with pytest.raises(click.BadParameter, match="write height and width: 224x224"):
        called("decompile", "m.onnx", "--size", size)


REFUSED: dict[str, tuple[ModelProto, str]] = {
    "an operator": (graph_of(node("SpaceToDepth", "x", blocksize=2)), "no word"),
    "what is supported": (graph_of(node("Sin", "x")), "supported are: Add, AveragePool, Batch"),
    "a bias of rows": (graph_of(node("Mul", "x", "k"), k=w(8, 1)), "each channel"),
    "the other gelu": (graph_of(node("Gelu", "x", approximate="tanh"), opset=20), "exact"),
    "softmax of rows": (graph_of(node("Softmax", "x", axis=-1)), "channels"),
    "rows joined": (graph_of(node("Concat", "x", "x", axis=2)), "joins channels"),
    "positions turned": (graph_of(node("Transpose", "x", perm=[0, 1, 3, 2])), "turns the axes"),
    "the batch undone": (
        graph_of(node("Reshape", "x", "k"), k=np.array([4, -1])), "batch by batch",
    ),
    "half a pixel": (
        graph_of(node("Resize", "x", "", "k", mode="cubic"), k=[1.0, 1, 2, 2]), "no cubic",
    ),
    "from the corner, as in old opsets": (
        graph_of(node("Upsample", "x", "k", to="my", mode="linear"), opset=9, k=[1.0, 1, 2, 2]),
        "no linear of asymmetric",
    ),
    "another scale": (
        graph_of(node("Resize", "x", "", "k", mode="nearest"), k=[1, 1, 1.5, 1.5]), "whole factors",
    ),
    "a border that goes round": (
        graph_of(node("Pad", "x", "k", mode="wrap"), k=np.array([0, 0, 1, 1, 0, 0, 1, 1]),
                 opset=19),
        "reflectpad",
    ),
    "ones around": (
        graph_of(node("Pad", "x", "k", "v"), k=np.array([0, 0, 1, 1, 0, 0, 1, 1]), v=1.0), "zeros",
    ),
    "odd pads of a pool": (
        graph_of(node("MaxPool", "x", kernel_shape=[3, 3], pads=[0, 1, 1, 0])), "no spelling",
    ),
    "dilated pool": (
        graph_of(node("AveragePool", "x", kernel_shape=[3, 3], dilations=[2, 2]), opset=19),
        "dilation",
    ),
    "rows turned round": (
        graph_of(node("Slice", "x", "a", "b", "c", "d"), a=np.array([7]), b=np.array([-99]),
                 c=np.array([2]), d=np.array([-1])),
        "backwards",
    ),
    "many channels of zeros": (
        graph_of(node("Pad", "x", "k"), k=np.array([0, 5, 0, 0, 0, 0, 0, 0])), "as many channels",
    ),
    "a quotient of tensors": (
        graph_of(node("Sigmoid", "x", to="s"), node("Div", "x", "s")), "quotients",
    ),
    "a root": (graph_of(node("Pow", "x", "k"), k=0.5), "no power of 0.5"),
    "a part of the batch": (
        graph_of(node("Slice", "x", "a", "b", "c"), a=np.array([0]), b=np.array([1]),
                 c=np.array([0])),
        "batch",
    ),
    "a computed weight": (
        graph_of(node("GlobalAveragePool", "x", to="g"), node("Conv", "x", "g"),
                 shape=(1, 4, 8, 8)),
        "computed",
    ),
    "the batch as a number": (
        graph_of(node("Shape", "x", to="s"), node("Gather", "s", "i", to="g"),
                 node("Cast", "g", to="my", to_=1), node("Mul", "x", "my"), i=np.array(0)),
        "Cast",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_word_is_refused(name: str) -> None:
    model, said = REFUSED[name]
    with pytest.raises(UserError) as refused:
        from_graph(model)
    assert said in str(refused.value)
    assert "`my" in str(refused.value) or name == "an old opset"


def test_a_vector_that_is_turned_as_images_are_is_refused() -> None:
    steps = (node("Add", "x", "k", to="a"), node("Transpose", "a", perm=[0, 3, 1, 2]))
    with pytest.raises(UserError, match="one number for each channel"):
        from_graph(graph_of(*steps, shape=(1, 8), k=w(1, 1, 1, 8)))


# The command


def called(*arguments: object) -> None:
    """The command line, with its errors as exceptions."""
    group.main(list(map(str, arguments)), standalone_mode=False)


def compiled(folder: Path, text: str, *options: str) -> Path:
    (folder / "net.cnn").write_text(text, encoding="utf-8")
    called("compile", folder / "net.cnn", "-o", folder / "net.onnx", *options)
    return folder / "net.onnx"


TEXT = """# mine
input 3x8x8
let c = 4
conv c 3x3 same bn relu; conv c 3x3 bias bn; upconv c 2x2 bn
gap; dense 10
"""


@pytest.mark.parametrize("options", [(), ("--no-fold",), ("--uint8",)])
def test_the_source_in_a_file_comes_back(tmp_path: Path, options: tuple[str, ...]) -> None:
    path = compiled(tmp_path, TEXT, "--set", "c=6", *options)
    out, weights = tmp_path / "back.cnn", tmp_path / "w.safetensors"
    called("decompile", path, "-o", out, "--weights", weights)
    assert out.read_text(encoding="utf-8") == f"# compiled with --set c=6\n{TEXT}"
    called("compile", out, "--set", "c=6", "--weights", weights, "-o", tmp_path / "again.onnx",
           *options)  # fmt: skip
    x = random_array(2, 3, 8, 8)
    if options == ("--uint8",):
        x = (np.abs(x.transpose(0, 2, 3, 1)) * 60).astype(np.uint8)
    before, after = (run(onnx.load(tmp_path / n), x)["output"] for n in ("net.onnx", "again.onnx"))
    assert error(after, before) <= 1e-5


def test_the_graph_is_read_where_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = compiled(tmp_path, TEXT)
    called("decompile", path)
    assert capsys.readouterr().out == TEXT
    called("decompile", path, "--graph")
    text = capsys.readouterr().out
    assert text.splitlines()[1:3] == ["conv 4 3x3 pad relu", "conv 4 3x3"]
    (tmp_path / "back.cnn").write_text(text, encoding="utf-8")
    called("check", tmp_path / "back.cnn")


def test_where_the_graph_cannot_be_read_the_source_is_named(tmp_path: Path) -> None:
    path = compiled(tmp_path, TEXT, "--views", "mirror")
    with pytest.raises(UserError, match=r"goes backwards.*\n  leave --graph out: the file carries"):
        called("decompile", path, "--graph")


def test_a_refusal_is_an_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.onnx"
    model = onnx.shape_inference.infer_shapes(REFUSED["an operator"][0])
    path.write_bytes(model.SerializeToString())
    with pytest.raises(SystemExit) as left:
        main(["decompile", str(path), "-o", str(tmp_path / "net.cnn")])
    assert left.value.code == 2
    assert "`mySpaceToDepth` (SpaceToDepth): the language has no word" in capsys.readouterr().err
    assert not (tmp_path / "net.cnn").exists()


@pytest.mark.parametrize("settings_", ["[", "3", '{"a b": 1}', '{"a": "x"}', "[" * 100_000])
def test_settings_that_cannot_be_read(tmp_path: Path, settings_: str) -> None:
    path = compiled(tmp_path, TEXT)
    model = onnx.load(path)
    next(p for p in model.metadata_props if p.key == "cnndsl_settings").value = settings_
    onnx.save(model, path)
    with pytest.raises(UserError, match="metadata"):
        called("decompile", path)


def test_the_files_that_a_source_uses_come_back_beside_it(tmp_path: Path) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    (there / "parts").mkdir(parents=True)
    (there / "parts" / "blocks.cnn").write_text("block c(n) { conv n 3x3 same bn relu }\n")
    (there / "net.cnn").write_text('input 3x8x8\nuse "parts/blocks.cnn"\nc 4; c 4; gap; dense 3\n')
    model = cnndsl.load(there / "net.cnn").to_onnx(uint8=True, mean=0.4, std=0.3)
    onnx.save(model, tmp_path / "net.onnx")
    back.mkdir()
    arguments = [tmp_path / "net.onnx", "-o", back / "net.cnn", "--weights", back / "w.safetensors"]
    called("decompile", *arguments)
    for name in ("net.cnn", "parts/blocks.cnn"):
        assert (back / name).read_text() == (there / name).read_text()
    again = cnndsl.load(back / "net.cnn").to_onnx(back / "w.safetensors", uint8=True)
    x = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    ours, theirs = (session(m).run(None, {"input": x})[0] for m in (again, model))
    assert np.allclose(ours, theirs, atol=1e-5)
    (back / "parts" / "blocks.cnn").write_text("# mine\n")
    with pytest.raises(SystemExit) as left:
        main(["decompile", *map(str, arguments)])
    assert left.value.code == 2
    assert (back / "parts" / "blocks.cnn").read_text() == "# mine\n"


@pytest.mark.parametrize("name", ["../a.cnn", "/a.cnn", "a.py", "b/../../a.cnn"])
def test_a_file_cannot_place_others_outside(tmp_path: Path, name: str) -> None:
    model = cnndsl.parse("input 8; dense 3").to_onnx()
    model.metadata_props.add(key="cnndsl_used", value=json.dumps({name: "block c { relu }"}))
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(SystemExit) as left:
        main(["decompile", str(tmp_path / "net.onnx"), "-o", str(tmp_path / "deep" / "net.cnn")])
    assert left.value.code == 2
    assert not (tmp_path / "deep").exists()


def test_a_source_without_its_tensors(tmp_path: Path) -> None:
    path = compiled(tmp_path, TEXT)
    model = onnx.load(path)
    next(p for p in model.metadata_props if p.key == "cnndsl_source").value = "input 8; dense 3"
    onnx.save(model, path)
    with pytest.raises(UserError, match=r"(?s)not among the constants.*--graph"):
        called("decompile", path, "--weights", tmp_path / "w.safetensors")
