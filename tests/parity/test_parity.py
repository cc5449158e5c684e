"""Every spec computes what an independent PyTorch net computes with the same tensors.

The counts of test_specs.py prove no stride, padding, activation, order or eps; this does.
"""

import re
from pathlib import Path

import pytest

import cnndsl

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import nets_inception as inception  # noqa: E402
import nets_mobile as mobile  # noqa: E402
import nets_plain as plain  # noqa: E402
import nets_residual as residual  # noqa: E402
import nets_searched as searched  # noqa: E402
from comparing import build, calibrated, difference, picture  # noqa: E402

SPECS = Path(__file__).parents[2] / "specs"
TOLERANCE = 1e-4

# Nets that take any size: they end in global pooling, or stay images.
FREE = {
    "convnext_tiny": mobile.convnext_tiny,
    "densenet121": plain.densenet121,
    "efficientnet_b0": mobile.efficientnet_b0,
    "efficientnet_lite0": searched.efficientnet_lite0,
    "efficientnet_v2_s": searched.efficientnet_v2_s,
    "googlenet": inception.googlenet,
    "inception_v3": inception.inception_v3,
    "mnasnet1_0": searched.mnasnet1_0,
    "mobilenet_v1": mobile.mobilenet_v1,
    "mobilenet_v2": mobile.mobilenet_v2,
    "mobilenet_v2_cifar": lambda: mobile.mobilenet_v2((1, 1), 10),
    "mobilenet_v3_large": mobile.mobilenet_v3_large,
    "mobilenet_v3_small": mobile.mobilenet_v3_small,
    "regnet_y_400mf": searched.regnet_y_400mf,
    "resnet8": residual.resnet8,
    "resnet18": lambda: residual.resnet(residual.Basic, (2, 2, 2, 2)),
    "resnet18_cifar": lambda: residual.cifar_resnet((64, 128, 256, 512), (2, 2, 2, 2)),
    "resnet20": lambda: residual.cifar_resnet((16, 32, 64), (3, 3, 3)),
    "resnet34": lambda: residual.resnet(residual.Basic, (3, 4, 6, 3)),
    "resnet50": lambda: residual.resnet(residual.Bottleneck, (3, 4, 6, 3)),
    "resnet101": lambda: residual.resnet(residual.Bottleneck, (3, 4, 23, 3)),
    "resnext50_32x4d": lambda: residual.resnet(residual.Aggregated, (3, 4, 6, 3)),
    "shufflenet_v2_x1_0": mobile.shufflenet_v2,
    "squeezenet1_0": lambda: plain.squeezenet("1_0"),
    "squeezenet1_1": lambda: plain.squeezenet("1_1"),
    "unet": plain.UNet,
    "wrn28_10": lambda: residual.wide_resnet(28, 10),
}
# Nets whose first dense layer fixes the size.
FIXED = {
    "cifar10": plain.tutorial,
    "cifar10_94": plain.airbench94,
    "lenet5": plain.lenet5,
    "mnist": plain.mnist,
    "vgg11_bn_cifar": plain.vgg11_bn_cifar,
}
# Nets whose first dense layer grows with the size.
GROWING = {
    "alexnet": plain.alexnet,
    "vgg16": plain.vgg16,
    "vgg16_bn": lambda h, w: plain.vgg16(h, w, norm=True),
}
# One axis is odd and the other even, at the input and again behind most of the strides, so that
# `pad` and `same`, and rounding up and down, give different outputs.
UNEVEN = (83, 102)
OTHERS = {"googlenet": (87, 102), "inception_v3": (107, 131), "unet": (48, 80)}
DEEP = {"efficientnet_v2_s"}
FAINT = {"convnext_tiny": 0.01}
SLOW = {"alexnet", "efficientnet_v2_s", "resnet34", "resnet101", "vgg16"}


def params(names, slow):
    return [pytest.param(n, marks=pytest.mark.slow if n in slow else ()) for n in sorted(names)]


def spec(name, size=None, edit=lambda text: text):
    """The model of a spec, its input set to another size."""
    text = (SPECS / f"{name}.cnn").read_text(encoding="utf-8")
    if size is not None:
        text, count = re.subn(
            r"(?m)^input (\d+)x\d+x\d+$", rf"input \g<1>x{size[0]}x{size[1]}", text
        )
        assert count == 1
    return cnndsl.parse(edit(text))


def maker(name, model):
    """How to make the PyTorch net for the model's input size."""
    if name in GROWING:
        return lambda: GROWING[name](*model.input[1:])
    return {**FREE, **FIXED}[name]


def compare(name, model, fold=True):
    net = build(maker(name, model))
    if name in DEEP:
        net = calibrated(net, model.input)
    x = picture(model.input, FAINT.get(name, 1.0))
    return difference(net, model, x, fold)


UNPUBLISHED = {"shapes_multilabel", "shapes_regression", "shapes_segmentation"}  # recipes of ours


def test_every_spec_has_its_net():
    specs = {path.stem for path in SPECS.glob("*.cnn")}
    assert specs - UNPUBLISHED == {*FREE, *FIXED, *GROWING}


@pytest.mark.parametrize("name", params(FREE, SLOW))
def test_outputs_agree_at_uneven_sizes(name):
    model = spec(name, OTHERS.get(name, UNEVEN))
    assert compare(name, model) <= TOLERANCE


@pytest.mark.parametrize("name", params(FIXED, SLOW))
def test_outputs_agree_at_the_size_of_the_spec(name):
    assert compare(name, spec(name)) <= TOLERANCE


@pytest.mark.parametrize("name", params(GROWING, SLOW))
def test_outputs_agree_where_the_dense_layers_grow_with_the_size(name):
    assert compare(name, spec(name, UNEVEN)) <= TOLERANCE


@pytest.mark.parametrize(
    "name", ["mobilenet_v2", "resnet18", "resnet8", "vgg11_bn_cifar", "densenet121"]
)
def test_outputs_agree_without_folding(name):
    assert compare(name, spec(name, None if name in FIXED else (64, 64)), fold=False) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*FREE, "alexnet", "vgg16_bn"}))
def test_outputs_agree_at_full_size(name):
    assert compare(name, spec(name)) <= TOLERANCE


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("resnet18", "3x3 /stride pad", "3x3 /stride same"),
        ("squeezenet1_1", "ceil", "same"),
        ("mobilenet_v2", "relu6", "relu"),
        ("mobilenet_v3_small", "eps=1e-3", "eps=1e-5"),
        ("mobilenet_v3_small", "hswish  if hs", "silu  if hs"),
        ("convnext_tiny", "eps=1e-6", "eps=1e-5"),
        ("convnext_tiny", "gelu", "silu"),
        ("unet", "from e1 | up 64", "up 64 | from e1"),
    ],
)
def test_the_comparison_notices_a_wrong_spec(name, right, wrong):
    def edit(text):
        assert right in text
        return text.replace(right, wrong)

    size = (64, 64) if name == "squeezenet1_1" else (48, 48)
    assert compare(name, spec(name, size, edit)) > 10 * TOLERANCE
