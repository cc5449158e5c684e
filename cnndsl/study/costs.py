"""What a candidate costs, before it is trained: counted, estimated, measured."""

from collections.abc import Mapping
from math import prod
from statistics import median
from time import perf_counter

from cnndsl.backend.step import StepOptions, freezing
from cnndsl.ir import Model, Node
from cnndsl.layers.conv import Convolution
from cnndsl.lower.conv.table import GEMM, MOVE, ConvShape, fitting
from cnndsl.recipe import Recipe
from cnndsl.shapes import Shape
from cnndsl.training.calibration import calibrate
from cnndsl.training.compiled import sample_feed
from cnndsl.training.run_config import RunConfig
from cnndsl.weights.initial import initial_weights

_FLOAT = 4  # bytes
_PASSES = 6  # over each activation in a step: forward, backward, norm
_STEPS = 10  # timed


def counted(model: Model) -> Mapping[str, float]:
    """Parameters, multiply-accumulates and bytes of activations of a sample."""
    return {"params": model.params, "macs": model.macs, "memory": activation_bytes(model)}


def activation_bytes(model: Model) -> int:
    """The most bytes of activations that inference of one sample holds at once, in float32.

    Layers run in the order of the file. A layer that may follow another (`bn`, `relu`) works in
    place where nothing else reads its input.
    """
    last = _last_readers(model)
    live, most, owners = dict[int, int](), 0, dict[int, int]()
    for i, node in enumerate(model.nodes):
        owner = _in_place(model, i, node, last)
        owners[i] = i if owner is None else owners[owner]
        live[owners[i]] = max(live.get(owners[i], 0), prod(node.shape))
        most = max(most, sum(live.values()))
        needed = {owners[j] for j in owners if last[j] > i}
        live = {j: size for j, size in live.items() if j in needed}
    return _FLOAT * most


def _last_readers(model: Model) -> list[int]:
    """For each node the last one that reads it; outputs are read to the end."""
    last = list(range(len(model.nodes)))
    for i, node in enumerate(model.nodes):
        for x in node.inputs:
            last[x] = i
    for x in model.outputs.values():
        last[x] = len(model.nodes)
    return last


def _in_place(model: Model, i: int, node: Node, last: list[int]) -> int | None:
    """The input over which a node may write its output."""
    if len(node.inputs) != 1 or not node.layer.post:
        return None
    x = node.inputs[0]
    same = prod(model.nodes[x].shape) == prod(node.shape)
    return x if x and same and last[x] == i else None


def estimated_step(model: Model, recipe: Recipe) -> float:
    """Seconds of a training step on this kind of CPU, by the cost model of convolutions.

    Good enough to tell a step of 10 ms from one of 100; what it lets through is measured.
    """
    each = sum(_PASSES * prod(n.shape) / MOVE for n in model.nodes)
    dense = sum(3 * n.macs / GEMM for n in model.nodes if len(n.shape) == 1)
    convs = sum(_conv_ms(model, i, recipe.batch) for i in range(len(model.nodes)))
    return (recipe.batch * (each + dense) + convs) / 1e3


def _conv_ms(model: Model, i: int, batch: int) -> float:
    """Milliseconds of a convolution forward and backward, by its cheapest algorithm."""
    node = model.nodes[i]
    shape = _conv_shape(node, model.nodes[node.inputs[0]].shape, batch, i) if node.macs else None
    if shape is None:
        return 0.0
    return min(a.costs["train"](shape) for a in fitting(shape, "train"))


def _conv_shape(node: Node, x: Shape, batch: int, i: int) -> ConvShape | None:
    layer = node.layer
    if not isinstance(layer, Convolution):
        return None
    g, filters = layer.geometry, node.shape[0]
    per_group = next(p.shape[1] for p in node.params if len(p.shape) == 4)
    pads = g.onnx_pads(x)
    return ConvShape(
        batch, x[0], (x[1], x[2]), filters, (node.shape[1], node.shape[2]), g.kernel, g.stride,
        g.dilation, (-pads[0], -pads[1]), max(1, x[0] // per_group), first=i == 1,
    )  # fmt: skip


def measured_step(model: Model, recipe: Recipe, run: RunConfig) -> float:
    """Seconds of a training step of random images: the median of a few, alone on the machine."""
    weights = initial_weights(model, recipe.seed)
    options = StepOptions(recipe.batch, soft=bool(recipe.augment.mixup))
    options = freezing(options, model, recipe, weights)
    compiled, _ = calibrate(model, recipe, options, weights, run.settings(None, recipe))
    feed, times = sample_feed(compiled), list[float]()
    for _ in range(_STEPS):
        start = perf_counter()
        compiled.stepper.step(feed)
        times.append(perf_counter() - start)
    return median(times)
