"""Normalisations as primitives, so that their gradients follow."""

from dataclasses import replace

import numpy as np

from cnndsl.graph.tape import Node, Tape, Value
from cnndsl.lower.driver import Lowering, Representation, lowers


@lowers("BatchNormalization", "SyncBatchNormalization")
def _batch_norm(lowering: Lowering, node: Node) -> "list[Representation]":
    """y = x·scale + shift, with scale = γ/√(var + ε) and shift = β − mean·scale, of the batch.

    The batch may come in micro-batches: x₁ … xₖ stand before the parameters, y₁ … yₖ before the
    statistics. A bias that is still to be added to x changes only the running mean: the batch's
    own mean cancels it. In training x is centred first: E[x²] − mean² would lose the variance of a
    channel whose mean is far from 0, and find less than none.
    """
    micro_batches, trains = len(node.inputs) - 4, bool(node.attrs.get("training_mode"))
    packed = lowering.packed if trains else lowering.with_bias
    images = [packed(x) if lowering.is_image(x) else None for x in node.inputs[:micro_batches]]
    xs = [
        image.value if image else lowering.nchw(x)
        for image, x in zip(images, node.inputs[:micro_batches], strict=True)
    ]
    bias = images[0].bias if images[0] else None
    ys, statistics = _over_batch(lowering, node, xs, len(xs[0].shape) - 1, bias)
    outputs = [
        replace(image, value=y, bias=None) if image else y
        for image, y in zip(images, ys, strict=True)
    ]
    return [*outputs, *statistics]


@lowers("BatchNormalization", "SyncBatchNormalization", devices=("cuda",))
def _batch_norm_nchw(lowering: Lowering, node: Node) -> "list[Representation]":
    """The same, with the channels in ONNX's place."""
    xs = [lowering.nchw(x) for x in node.inputs[: len(node.inputs) - 4]]
    ys, statistics = _over_batch(lowering, node, xs, axis=1)
    return [*ys, *statistics]


def _over_batch(
    lowering: Lowering, node: Node, xs: list[Value], axis: int, bias: Value | None = None
) -> tuple[list[Value], list[Value]]:
    """The normalised xs, and the new statistics where they are wanted; channels lie along `axis`.

    `bias` is what is still to be added to x: it moves the mean.
    """
    tape, trains = lowering.tape, bool(node.attrs.get("training_mode"))
    gamma, beta, old_mean, old_var = (lowering.nchw(v) for v in node.inputs[len(xs) :])
    behind = len(xs[0].shape) - 1 - axis

    def along(value: Value) -> Value:
        return tape.reshape(value, -1, *[1] * behind) if behind else value

    mean, var, offset = old_mean, old_var, old_mean
    if trains:
        mean = _mean(lowering, "ReduceSum", xs, axis)
        middle = tape.op("StopGradient", mean)
        xs = [tape.op("Sub", x, along(middle)) for x in xs]
        var = _mean(lowering, "ReduceSumSquare", xs, axis)  # no gradient to the mean: Σ (x−m) = 0
        offset = tape.op("Sub", mean, middle)  # 0, but for its gradient
    scale = tape.op("Mul", _rstd(tape, var, node.attrs["epsilon"]), gamma)
    shift = tape.op("Sub", beta, tape.op("Mul", offset, scale))
    ys = [tape.op("Add", tape.op("Mul", x, along(scale)), along(shift)) for x in xs]
    if len(node.outputs) == len(ys):
        return ys, []
    count = lowering.plan.ranks * sum(x.size for x in xs) // int(gamma.shape[0])
    keep = node.attrs["momentum"]
    unbiased = tape.op("Mul", var, tape.scalar(count / max(1, count - 1), var.dtype))
    mean = tape.op("Add", mean, bias) if bias else mean
    return ys, [_moved(tape, old_mean, mean, keep), _moved(tape, old_var, unbiased, keep)]


def _mean(lowering: Lowering, op: str, xs: list[Value], axis: int) -> Value:
    """The sum of each channel over all micro-batches, over their count, as (C,); of all ranks."""
    tape = lowering.tape
    others = [i for i in range(len(xs[0].shape)) if i != axis]
    axes, count = tape.ints(others), sum(x.size for x in xs) // int(xs[0].shape[axis])
    sums = [tape.op(op, x, axes, keepdims=0) for x in xs]
    mean = tape.op("Mul", tape.sum(sums), tape.scalar(1 / count, xs[0].dtype))
    return tape.op("MeanOverRanks", mean) if lowering.plan.ranks > 1 else mean


def _rstd(tape: Tape, var: Value, eps: float) -> Value:
    """1 / √(var + ε)."""
    shifted = tape.op("Add", var, tape.scalar(eps, var.dtype))
    return tape.op("Reciprocal", tape.op("Sqrt", shifted))


def _moved(tape: Tape, old: Value, new: Value, keep: float) -> Value:
    """keep · old + (1 − keep) · new, the order of the statistics."""
    kept = tape.op("Mul", old, tape.scalar(keep, old.dtype))
    return tape.op("Add", kept, tape.op("Mul", new, tape.scalar(1 - keep, old.dtype)))


def _normalised(tape: Tape, x: Value, axes: list[int], eps: float) -> Value:
    """(x − mean) / √(var + ε) over axes, two passes."""
    along = tape.ints(axes)
    centred = tape.op("Sub", x, tape.op("ReduceMean", x, along, keepdims=1))
    square = tape.op("Mul", centred, centred)
    var = tape.op("ReduceMean", square, along, keepdims=1)
    return tape.op("Mul", centred, _rstd(tape, var, eps))


@lowers("LayerNormalization", devices=("cpu", "cuda"))
def _layer_norm(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    tape = lowering.tape
    x, weight, bias = (lowering.nchw(v) for v in node.inputs)
    normed = _normalised(tape, x, [len(x.shape) - 1], node.attrs["epsilon"])
    return tape.op("Add", tape.op("Mul", normed, weight), bias)


@lowers("InstanceNormalization", devices=("cpu", "cuda"))
def _instance_norm(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    tape = lowering.tape
    x, weight, bias = (lowering.nchw(v) for v in node.inputs)
    rank = len(x.shape)
    normed = _normalised(tape, x, list(range(2, rank)), node.attrs["epsilon"])
    column = (-1, *(1 for _ in range(rank - 2)))
    scaled = tape.op("Mul", normed, tape.reshape(weight, *column))
    return tape.op("Add", scaled, tape.reshape(bias, *column))


@lowers("LRN")
def _lrn(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    """y = x / (k + alpha/size · Σ x²)^beta; the sum over channels is a product by a band matrix."""
    tape, image, attrs = lowering.tape, lowering.with_bias(node.inputs[0]), node.attrs
    x, dtype = image.value, image.value.dtype
    distance = np.abs(np.subtract.outer(np.arange(image.channels), np.arange(image.channels)))
    band = (distance <= attrs["size"] // 2).astype(np.dtype(dtype)) * attrs["alpha"] / attrs["size"]
    squares = tape.op("Mul", x, x)
    sums = tape.op("MatMul", squares, tape.const(band.astype(np.dtype(dtype))))
    base = tape.op("Add", sums, tape.scalar(attrs["bias"], dtype))
    power = tape.op("Pow", base, tape.scalar(-attrs["beta"], dtype))
    return replace(image, value=tape.op("Mul", x, power))
