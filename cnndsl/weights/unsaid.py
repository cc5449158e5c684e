"""What tensors do not say and a network needs: the eps of norms, how strided layers are padded, and
whether averages count the zeros around an image.

A file's own graph tells it, or the family of networks that its names are of; where the spec says
otherwise, outputs differ with every tensor in its place. Sources: torchvision.models, timm.models,
EfficientNet-PyTorch.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cnndsl.ir import Model, Node
from cnndsl.layers.conv import Convolution
from cnndsl.layers.pool import AveragePool
from cnndsl.source import counted
from cnndsl.weights.base import RawWeights


@dataclass(frozen=True)
class Family:
    """Networks by a name that only they have; `eps` is None where members differ."""

    title: str
    name: str
    eps: float | None
    padding: str = "pad"
    but: str = ""
    """What is otherwise in some of them, whose names do not tell."""


_FAMILIES = (
    Family("EfficientNet-PyTorch", r"_blocks\.\d+\._depthwise_conv\.", 1e-3, "same"),
    Family("timm's EfficientNet and MobileNetV3", r"blocks\.\d+\.\d+\.conv_dw\.", 1e-5,
           but="in its `tf_` models eps=0.001 and `same`"),
    Family("torchvision's MobileNetV3", r"features\.\d+\.block\.\d+\.fc1\.", 1e-3),
    Family("torchvision's EfficientNet", r"features\.\d+\.\d+\.block\.\d+\.fc1\.", None),
    Family("torchvision's GoogLeNet", r"inception3a\.branch1\.conv\.", 1e-3),
    Family("torchvision's Inception", r"Mixed_5b\.branch1x1\.conv\.", 1e-3),
    Family("torchvision's MobileNetV2", r"features\.\d+\.conv\.0\.0\.", 1e-5),
    Family("torchvision's MNASNet", r"layers\.\d+\.\d+\.layers\.0\.", 1e-5),
    Family("torchvision's RegNet", r"trunk_output\.block1\.", 1e-5),
    Family("torchvision's ShuffleNet", r"stage2\.0\.branch1\.", 1e-5),
    Family("torchvision's DenseNet", r"denseblock1\.denselayer1\.", 1e-5),
    Family("torchvision's ConvNeXt", r"features\.\d+\.\d+\.layer_scale", 1e-6),
    Family("timm's ConvNeXt", r"stages\.\d+\.blocks\.\d+\.conv_dw\.", 1e-6),
    Family("torchvision's ResNet", r"layer1\.0\.bn1\.", 1e-5),
)  # fmt: skip


def family_of(raw: RawWeights) -> Family | None:
    """The family whose names a file has; None for one that is not known."""
    return next(
        (f for f in _FAMILIES if any(re.search(f"(^|\\.){f.name}", name) for name in raw.tensors)),
        None,
    )


def differences(raw: RawWeights, names: Mapping[str, str], model: Model) -> Iterator[str]:
    """What the spec says otherwise than the file, or than its family, with the fix.

    `names` are the model's tensors with the file's. Nothing is known of files with our own names.
    """
    if all(own == other for own, other in names.items()):
        return
    modules = {own.rpartition(".")[0]: other.rpartition(".")[0] for own, other in names.items()}
    family = None if raw.eps else family_of(raw)
    groups = dict[str, int]()
    for node in model.nodes:
        if node.path in modules:
            for text in _of_node(node, modules[node.path], raw, family, model):
                groups[text] = groups.get(text, 0) + 1
    counting = [] if raw.counts_zeros else [n for n in model.nodes if _counts_zeros(n, model)]
    if counting:
        groups["{count} `avgpool` that count zeros; the file's leave them out: write `nocount`"] = (
            len(counting)
        )
    for text, count in groups.items():
        yield text.format(count=counted(count, "layer"))


def _counts_zeros(node: Node, model: Model) -> bool:
    layer = node.layer
    if not isinstance(layer, AveragePool) or not layer.counting:
        return False
    return any(layer.onnx_pads(model.nodes[node.inputs[0]].shape))


def _of_node(
    node: Node, module: str, raw: RawWeights, family: Family | None, model: Model
) -> Iterator[str]:
    layer: Any = node.layer
    origin = f"the file has {{0}}{_in(family)}"
    eps = family.eps if family else raw.eps.get(module)
    if eps is not None and hasattr(layer, "eps") and abs(layer.eps - eps) > 1e-3 * eps:
        theirs = origin.format(f"{eps:g}")
        yield f"{{count}} `{layer.word}` with eps={layer.eps:g}; {theirs}: write `eps={eps:g}`"
    padding = family.padding if family else raw.padding.get(module)
    if isinstance(layer, Convolution) and padding and not _pads_as(layer, padding, node, model):
        theirs = origin.format(f"`{padding}`")
        yield f"{{count}} `{layer.word}` padded otherwise; {theirs}: write `{padding}`"


def _in(family: Family | None) -> str:
    if family is None:
        return ""
    return f", as {family.title} has{f' ({family.but})' if family.but else ''}"


def _pads_as(layer: Convolution, padding: str, node: Node, model: Model) -> bool:
    """Whether a layer is padded as `padding` would, at its input's size."""
    geometry, x = layer.geometry, model.nodes[node.inputs[0]].shape
    top, left, bottom, right = geometry.onnx_pads(x)
    if padding == "pad":
        return (top, left) == (bottom, right)
    if padding != "same" or geometry.pads is not None or not (top or left or bottom or right):
        return True
    return geometry.onnx_pads(x) == replace(geometry, padding="same").onnx_pads(x)
