"""What comes in from other frameworks: their weights for our specs, their ONNX files as specs.

    python benchmarks/interop.py [weights] [torchvision] [timm] [keras] [--only=NAME,NAME…]

`weights` stores torchvision's twins of our specs by torch.save and reads them by `--weights`;
`torchvision` and `timm` export nets by both exporters and decompile them; `keras` decompiles
applications and reads their weights back. Weights are random. A row is exact where
max|a − b| ≤ 1e-4 · max|a|, refused with the reason, or wrong. Needs the extra `interop`.
"""

import os
import sys
import warnings
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from turns import SPECS

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
EXACT = 1e-4
TWINS = """alexnet convnext_tiny densenet121 efficientnet_b0 efficientnet_v2_s googlenet
inception_v3 mnasnet1_0 mobilenet_v2 mobilenet_v3_large mobilenet_v3_small regnet_y_400mf resnet18
resnet34 resnet50 resnet101 resnext50_32x4d shufflenet_v2_x1_0 squeezenet1_0 squeezenet1_1
vgg16_bn""".split()  # noqa: SIM905
TORCHVISION = """alexnet resnet18 resnet50 wide_resnet50_2 resnext50_32x4d squeezenet1_1
densenet121 inception_v3 googlenet shufflenet_v2_x1_0 mobilenet_v2 mobilenet_v3_small
mobilenet_v3_large mnasnet0_5 efficientnet_b0 efficientnet_v2_s regnet_y_400mf regnet_x_400mf
convnext_tiny vgg11 vgg16_bn""".split()  # noqa: SIM905
TIMM = """resnet26d mobilenetv4_conv_small ghostnet_100 repvgg_a0 efficientnet_lite0
tf_efficientnet_b0 cspresnet50 hrnet_w18_small xception41 tf_mobilenetv3_large_100 dla34
res2net50_26w_4s seresnet50 vovnet39a dpn68 rexnet_100 convnext_atto regnetz_b16 fbnetc_100
lcnet_050 darknet53 inception_v4 selecsls42b mixnet_s mobileone_s0""".split()  # noqa: SIM905
KERAS = """MobileNet MobileNetV2 MobileNetV3Small EfficientNetV2B0 ResNet50 ResNet50V2 NASNetMobile
DenseNet121 Xception InceptionV3 VGG16""".split()  # noqa: SIM905


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
    size = 299 if name == "inception_v3" else 224
    return prepared(getattr(torchvision_models(), name)(weights=None, **heads), size)


def timm_net(name):
    torchvision_models()  # which timm imports
    import timm

    return prepared(timm.create_model(name, pretrained=False, exportable=True))


def prepared(net, size=224):
    """Ready for inference, with the statistics of two images: a deep net is finite by these."""
    import torch

    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        net.train()(torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0)))
    return net.eval()


def image(size):
    return np.random.default_rng(0).random((1, 3, size, size)).astype(np.float32)


def answer(model, x):
    import onnxruntime

    session = onnxruntime.InferenceSession(model)
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def judged(ours, theirs):
    error = np.abs(ours.reshape(-1) - theirs.reshape(-1)).max() / np.abs(theirs).max()
    return ("exact" if error <= EXACT else "WRONG"), f"{error:.1e}"


def weights_row(spec, folder):
    """A state_dict through --weights, as a user would."""
    import torch

    import cnndsl

    net, path = torchvision_net(spec), folder / "w.pth"
    torch.save(net.state_dict(), path)
    model = cnndsl.load(SPECS / f"{spec}.cnn")
    x = image(model.input[1])
    with torch.no_grad():
        theirs = net(torch.from_numpy(x)).numpy()
    return judged(answer(model.to_onnx(path).SerializeToString(), x), theirs)


def onnx_row(make, name, dynamo, folder):
    """An export of torch through decompile."""
    import torch

    import cnndsl

    net, path = make(name), folder / "m.onnx"
    x = image(299 if "inception" in name else 224)
    more = {"external_data": False} if dynamo else {"opset_version": 17}
    torch.onnx.export(net, (torch.from_numpy(x),), str(path), dynamo=dynamo, **more)
    spec, tensors = cnndsl.from_onnx(path)
    return judged(answer(spec.to_onnx(tensors).SerializeToString(), x), answer(str(path), x))


def keras_row(name, kind, folder):
    """A model through decompile, and its weights back by --weights."""
    import keras

    import cnndsl
    from cnndsl.decompile.keras import from_keras
    from cnndsl.weights.fit import read_weights

    size = {"NASNetMobile": 224, "InceptionV3": 75, "Xception": 75}.get(name, 64)
    make = getattr(keras.applications, name)
    net = make(input_shape=(size, size, 3), weights=None, classes=10)
    path, x = folder / f"m{kind}", image(size)
    with_statistics(net, size)
    net.save(path)
    found = from_keras(path)
    again = read_weights(path, found.model)
    if any((again.tensors[n] != t).any() for n, t in found.tensors.items()):
        return "WRONG", "weights read back differ"
    theirs = net.predict(x.transpose(0, 2, 3, 1), verbose=0)
    if found.notes:  # it scales images in 0…255 itself
        mean, std = (np.array(v, np.float32).reshape(-1, 1, 1)
                     for v in (found.info.mean, found.info.std))  # fmt: skip
        x = (x / 255 - mean) / std
    graph = cnndsl.Model(found.model).to_onnx(found.tensors)
    return judged(answer(graph.SerializeToString(), x), theirs)


def with_statistics(net, size):
    """The statistics of norms from two images, as `prepared`."""
    import keras

    norms = [e for e in net.layers if isinstance(e, keras.layers.BatchNormalization)]
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    net(np.random.default_rng(1).random((2, size, size, 3)).astype(np.float32), training=True)
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum


def rows(sources, only, folder):
    chosen = [n for n in only if n] if only else None
    for source in sources:
        if source == "weights":
            for name in chosen or TWINS:
                yield source, name, lambda n=name: weights_row(n, folder)
        elif source == "keras":
            for name in chosen or KERAS:
                for kind in (".keras", ".h5"):
                    yield source, name + kind, lambda n=name, k=kind: keras_row(n, k, folder)
        else:
            nets, make = ((TORCHVISION, torchvision_net) if source == "torchvision"
                          else (TIMM, timm_net))  # fmt: skip
            for name in chosen or nets:
                for dynamo in (False, True):
                    title = f"{name} {'dynamo' if dynamo else 'legacy'}"
                    yield source, title, lambda n=name, d=dynamo, m=make: onnx_row(m, n, d, folder)


def main():
    from cnndsl import Failed, UserError

    only = [a.partition("=")[2] for a in sys.argv[1:] if a.startswith("--only=")]
    sources = [a for a in sys.argv[1:] if not a.startswith("-")]
    total = Counter()
    warnings.simplefilter("ignore")
    with TemporaryDirectory() as folder:
        work = rows(sources or ["weights", "torchvision", "timm", "keras"],
                    only[0].split(",") if only else None, Path(folder))  # fmt: skip
        for source, name, row in work:
            try:
                verdict, told = row()
            except (UserError, Failed) as error:
                verdict, told = "refused", " ".join(str(error).split())[:160]
            except Exception as error:
                verdict, told = "no export", f"{type(error).__name__}: {str(error)[:100]}"
            total[source, verdict] += 1
            print(f"{source:<12} {name:<36} {verdict:<9} {told}", flush=True)
    for source in sorted({source for source, _ in total}):
        counts = {v: n for (s, v), n in sorted(total.items()) if s == source}
        tried = sum(n for v, n in counts.items() if v != "no export")
        share = 100 * counts.get("exact", 0) / max(1, tried)
        print(f"{source}: {counts}, {share:.0f} % of {tried} exact")


if __name__ == "__main__":
    main()
