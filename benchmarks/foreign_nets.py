"""Nets of other frameworks with random weights, and their ONNX files: what `interop.py` tries."""

from functools import cache
from pathlib import Path
from unittest.mock import patch

import numpy as np

TWINS = """alexnet convnext_tiny densenet121 efficientnet_b0 efficientnet_v2_s googlenet
inception_v3 mnasnet1_0 mobilenet_v2 mobilenet_v3_large mobilenet_v3_small regnet_y_400mf resnet18
resnet34 resnet50 resnet101 resnext50_32x4d shufflenet_v2_x1_0 squeezenet1_0 squeezenet1_1
vgg16_bn"""
TORCHVISION = """alexnet resnet18 resnet50 wide_resnet50_2 resnext50_32x4d squeezenet1_1
densenet121 inception_v3 googlenet shufflenet_v2_x1_0 mobilenet_v2 mobilenet_v3_small
mobilenet_v3_large mnasnet0_5 efficientnet_b0 efficientnet_v2_s regnet_y_400mf regnet_x_400mf
convnext_tiny vgg11 vgg16_bn"""
TIMM = """resnet26d mobilenetv4_conv_small ghostnet_100 repvgg_a0 efficientnet_lite0
tf_efficientnet_b0 cspresnet50 hrnet_w18_small xception41 tf_mobilenetv3_large_100 dla34
res2net50_26w_4s seresnet50 vovnet39a dpn68 rexnet_100 convnext_atto regnetz_b16 fbnetc_100
lcnet_050 darknet53 inception_v4 selecsls42b mixnet_s mobileone_s0"""
KERAS = """sequential_flatten sequential_separable MobileNet MobileNetV2 MobileNetV3Small
EfficientNetV2B0 ResNet50 ResNet50V2 NASNetMobile DenseNet121 Xception InceptionV3 VGG16"""
PACKAGES = "ddddocr rapidocr-onnxruntime nudenet"
_SIZES = {"NASNetMobile": 224, "InceptionV3": 75, "Xception": 75}  # the least that they take
_OPEN = 224  # where a file leaves height and width open
_SEED = 0
PIXELS = ("EfficientNetV2B0", "MobileNetV3Small")  # which scale images of 0…255 themselves


class NoExportError(Exception):
    """The exporter failed, not cnndsl."""


def image(name, *shape, seed=0):
    """Images N×C×H×W as a net takes them."""
    drawn = np.random.default_rng(seed).random(shape, dtype=np.float32)
    return drawn * np.float32(255 if name in PIXELS else 1)


# PyTorch


@cache
def torchvision_models():
    import torch

    try:
        import torchvision.models as found
    except RuntimeError:  # its operators are of another build of torch
        for op in ("nms", "qnms"):
            torch.library.define(f"torchvision::{op}", "(Tensor a, Tensor b, float c) -> Tensor")
        import torchvision.models as found
    return found


def torchvision_net(name):
    heads = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return prepared(getattr(torchvision_models(), name)(weights=None, **heads), torch_size(name))


def timm_net(name):
    torchvision_models()  # which timm imports
    import timm

    net = timm.create_model(name, pretrained=False, exportable=True)
    return prepared(net, torch_size(name))


def torch_size(name):
    return 299 if "inception" in name else 224


def prepared(net, size):
    """Ready for inference, with the statistics of two images: a deep net is finite by these."""
    import torch

    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        net.train()(torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(_SEED)))
    return net.eval()


def torch_onnx(make, name, way, path):
    """An export of torch: `legacy` or `dynamo`, with a symbolic batch where it says so."""
    import torch

    size = torch_size(name)
    dynamo, symbolic = "dynamo" in way, "symbolic" in way
    more = {"external_data": False, "verbose": False} if dynamo else {"opset_version": 17}
    if symbolic and dynamo:
        more["dynamic_shapes"] = ({0: torch.export.Dim.DYNAMIC},)
    elif symbolic:
        more |= {"input_names": ["x"], "dynamic_axes": {"x": {0: "batch"}}}
    x = torch.rand(2 if symbolic else 1, 3, size, size)
    net = make(name)
    exported(path, lambda: torch.onnx.export(net, (x,), str(path), dynamo=dynamo, **more))


def exported(path, export):
    try:
        export()
    except Exception as error:
        path.unlink(missing_ok=True)
        raise NoExportError(f"{type(error).__name__}: {' '.join(str(error).split())}") from None


# Keras


def keras_net(name):
    """A net of ten classes with statistics of four images."""
    import keras

    keras.utils.set_random_seed(_SEED)
    size = _SIZES.get(name, 64)
    if name.startswith("sequential"):
        net = _sequential(name, size)
    else:
        make = getattr(keras.applications, name)
        net = make(input_shape=(size, size, 3), weights=None, classes=10)
    batch = (image(name, 1, 3, size, size, seed=seed) for seed in range(4))
    with_statistics(net, np.concatenate([*batch]).transpose(0, 2, 3, 1))
    return net


def _sequential(name, size):
    from keras import Input, Sequential, layers

    body = {
        "sequential_flatten": lambda: [
            layers.Conv2D(8, 3, padding="same", activation="relu"), layers.BatchNormalization(),
            layers.MaxPooling2D(), layers.Conv2D(16, 3, strides=2), layers.LeakyReLU(0.1),
            layers.Flatten(), layers.Dropout(0.5), layers.Dense(32, "relu"),
        ],
        "sequential_separable": lambda: [
            layers.SeparableConv2D(12, 3, padding="same"), layers.BatchNormalization(),
            layers.ReLU(), layers.AveragePooling2D(2),
            layers.Conv2DTranspose(6, 3, strides=2, padding="same", activation="elu"),
            layers.UpSampling2D(), layers.GlobalAveragePooling2D(),
        ],
    }  # fmt: skip
    return Sequential([Input((size, size, 3)), *body[name](), layers.Dense(10, "softmax")])


def with_statistics(net, images):
    """The statistics of norms from images, as `prepared`; no probability is nearly 1."""
    import keras

    norms = [e for e in net.layers if isinstance(e, keras.layers.BatchNormalization)]
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    net(images, training=True)
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum
    head = next(layer for layer in reversed(net.layers) if hasattr(layer, "kernel"))
    while np.max(net(images)) > 0.9:
        head.kernel.assign(head.kernel / 4)


def keras_onnx(name, way, path):
    """By tf2onnx with images as Keras has them or with channels first, or by `model.export`."""
    net = keras_net(name)
    with patch.object(np, "object", object, create=True):  # an old tf2onnx asks for it
        if way == "model.export":
            exported(path, lambda: net.export(path, format="onnx", verbose=False))
        else:
            exported(path, lambda: _tf2onnx(net, path, ["x"] if way.endswith("NCHW") else None))


def _tf2onnx(net, path, channels_first):
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec((None, *net.input_shape[1:]), tf.float32, name="x")]
    step = tf.function(lambda x: net(x, training=False), input_signature=signature)
    tf2onnx.convert.from_function(step, signature, opset=17, inputs_as_nchw=channels_first,
                                  output_path=str(path))  # fmt: skip


# Files that packages ship


def light_names():
    return sorted(path.stem for path in _light_folder().glob("light_*.onnx"))


def _light_folder():
    import onnx.backend.test

    return Path(onnx.backend.test.__file__).parent / "data" / "light"


def light_onnx(name, way, path):
    """A classifier whose weights are of ConstantOfShape, with numbers in their place."""
    import onnx

    model = onnx.load(_light_folder() / f"{name}.onnx")
    shapes = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    readers = {x: (n.op_type, i) for n in model.graph.node for i, x in enumerate(n.input)}
    made = [n for n in model.graph.node if n.op_type == "ConstantOfShape"]
    for seed, node in enumerate(made):
        array = _numbers(shapes[node.input[0]], readers[node.output[0]], seed)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, node.output[0]))
        model.graph.node.remove(node)
    model.ir_version = max(4, model.ir_version)
    onnx.save(model, path)


def _numbers(shape, reader, seed):
    """A weight that keeps the size of what it is applied to; variances are positive."""
    drawn = np.random.default_rng(seed).standard_normal(tuple(shape)).astype(np.float32)
    if len(shape) > 1:
        return drawn * np.float32(np.sqrt(2 / np.prod(shape[1:])))
    return np.abs(drawn) + 0.5 if reader in {("BatchNormalization", 1), ("BatchNormalization", 4)} \
        else drawn * np.float32(0.1)  # fmt: skip


def packaged():
    """The ONNX files in installed packages."""
    from importlib.metadata import PackageNotFoundError, files

    found = []
    for name in PACKAGES.split():
        try:
            found += [str(file) for file in files(name) or () if file.suffix == ".onnx"]
        except PackageNotFoundError:
            print(f"{name} is not installed")
    return sorted(found)


def packaged_path(name):
    from importlib.metadata import files

    return next(
        Path(f.locate()) for p in PACKAGES.split() for f in files(p) or () if str(f) == name
    )


def open_size(model):
    """A size for images whose height and width a file leaves open; None where it has one."""
    from cnndsl.runtime.foreign import inputs

    dims = inputs(model.graph)[0].type.tensor_type.shape.dim
    if len(dims) != 4 or all(d.dim_value for d in dims[1:]):
        return None
    return tuple(d.dim_value or _OPEN for d in (dims[1:3] if dims[3].dim_value == 3 else dims[2:]))
