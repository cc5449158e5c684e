"""Every spec of the folder is valid, counts as published, compiles to checked ONNX and runs."""

import json
import re
from math import prod
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from running import run

import cnndsl
from cnndsl.cli import group

SPECS = Path(__file__).parent.parent / "specs"
NAMES = sorted(path.stem for path in SPECS.glob("*.cnn"))

BIG = {"alexnet", "resnet101", "vgg16", "vgg16_bn"}  # more than 40 million parameters

every_spec = pytest.mark.parametrize("name", NAMES)
every_spec_the_big_ones_slow = pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in BIG else ()) for n in NAMES]
)


def text(name):
    return (SPECS / f"{name}.cnn").read_text(encoding="utf-8")


def published_parameters(name):
    (count,) = re.findall(r"^# parameters: ([\d,]+)$", text(name), re.MULTILINE)
    return int(count.replace(",", ""))


def averaging_weights(model):
    """Each kernel takes the mean of what it sees: quick to make, and no depth overflows."""
    return {
        name: np.full(tensor.shape, _constant(name, tensor.shape), np.float32)
        for name, tensor in model.ir.tensors().items()
    }


def _constant(name, shape):
    if len(shape) > 1:
        return 1 / prod(shape[1:])
    return 0 if name.endswith(("bias", "running_mean")) else 1


def test_the_folder_holds_the_published_nets():
    assert set(NAMES) == {
        "alexnet", "cifar10", "cifar10_94", "convnext_tiny", "densenet121", "efficientnet_b0",
        "efficientnet_lite0", "efficientnet_v2_s", "googlenet", "inception_v3", "lenet5",
        "mnasnet1_0",
        "mnist", "mobilenet_v1", "mobilenet_v2", "mobilenet_v2_cifar", "mobilenet_v3_large",
        "mobilenet_v3_small",
        "regnet_y_400mf",
        "resnet101", "resnet18", "resnet18_cifar", "resnet20", "resnet34", "resnet50", "resnet8",
        "resnext50_32x4d", "shapes_multilabel", "shapes_regression",
        "shapes_segmentation", "shufflenet_v2_x1_0", "squeezenet1_0",
        "squeezenet1_1", "unet", "vgg11_bn_cifar", "vgg16", "vgg16_bn", "wrn28_10",
    }  # fmt: skip


@every_spec
def test_a_spec_has_no_diagnostics(name):
    assert cnndsl.check(text(name)) == []


@every_spec
def test_a_spec_has_the_parameters_that_its_header_names(name):
    assert cnndsl.load(SPECS / f"{name}.cnn").params == published_parameters(name)


@every_spec
def test_a_header_names_title_and_implementation(name):
    title, implementation, *_ = text(name).splitlines()
    assert re.match(r"# .+: .+", title)
    assert implementation.startswith("# as in ")


@every_spec
def test_lines_fit_a_page(name):
    assert max(map(len, text(name).splitlines())) <= 100


@every_spec_the_big_ones_slow
def test_a_spec_compiles_to_checked_onnx_and_runs(name):
    model = cnndsl.load(SPECS / f"{name}.cnn")
    proto = model.to_onnx(averaging_weights(model))
    onnx.checker.check_model(proto, full_check=True)

    batch = 2 if model.macs < 1e9 else 1
    x = np.random.default_rng(0).normal(size=(batch, *model.input)).astype(np.float32)
    y = run(proto, x)["output"]

    assert y.shape == (batch, *model.outputs["output"])
    assert np.isfinite(y).all()


def summary_of(name):
    result = CliRunner().invoke(group, ["summary", str(SPECS / f"{name}.cnn"), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_tutorial_network_has_the_rows_of_keras_summary():
    summary = summary_of("cifar10")
    assert summary["input"] == [3, 32, 32]
    assert [(row["type"], row["output"], row["params"]) for row in summary["layers"]] == [
        ("conv", [32, 32, 32], 896),
        ("pool", [32, 16, 16], 0),
        ("conv", [64, 16, 16], 18_496),
        ("pool", [64, 8, 8], 0),
        ("conv", [128, 8, 8], 73_856),
        ("pool", [128, 4, 4], 0),
        ("flatten", [2048], 0),
        ("dense", [128], 262_272),
        ("dense", [10], 1_290),
    ]
    assert summary["params"] == {"total": 356_810, "learned": 356_810, "statistics": 0}
    assert summary["outputs"] == {"output": [10]}


@pytest.mark.parametrize(
    ("name", "total"),
    # Keras counts running statistics as parameters, so its totals are published with them.
    [("resnet8", 78_666), ("mobilenet_v1", 4_253_864)],
)
def test_running_statistics_make_up_keras_total(name, total):
    params = summary_of(name)["params"]
    assert params["total"] + params["statistics"] == total


@pytest.mark.parametrize(
    ("name", "data", "batch", "epochs"),
    [
        ("cifar10", "cifar10", 64, 10),
        ("cifar10_94", "cifar10", 2000, 8),
        ("lenet5", "mnist", 128, 10),
        ("mnist", "mnist", 128, 15),
        ("mobilenet_v2_cifar", "cifar10", 32, 30),
        ("resnet8", "cifar10", 32, 30),
    ],
)
def test_a_recipe_names_its_data_without_quotes(name, data, batch, epochs):
    recipe = cnndsl.load(SPECS / f"{name}.cnn").ir.recipe
    assert recipe is not None
    assert (recipe.data, recipe.batch, recipe.epochs) == (data, batch, epochs)


@pytest.mark.parametrize(
    ("name", "settings", "params"),
    [
        ("resnet20", {"n": 9}, 855_770),  # ResNet-56, option B
        ("mobilenet_v1", {"width": 0.5}, 1_331_592),  # Keras: 1,342,536 with statistics
        ("wrn28_10", {"depth": 16, "width": 8}, 10_961_370),  # the paper: 11.0 M
    ],
)
def test_settings_give_the_published_siblings(name, settings, params):
    assert cnndsl.load(SPECS / f"{name}.cnn", **settings).params == params
