"""Normalisations as primitives, so that their gradients follow."""

from dataclasses import replace
from math import prod

from cnndsl.graph.tape import Node, Value
from cnndsl.lower.driver import Form, Lowering, lowers
from cnndsl.lower.laid import Laid


@lowers("BatchNormalization", "SyncBatchNormalization")
def _batch_norm(lo: Lowering, node: Node) -> "list[Form]":
    """y = x·scale + shift, with scale = γ/√(var + ε) and shift = β − mean·scale, of the batch.

    The batch may come in pieces: x₁ … xₖ before the parameters, y₁ … yₖ before the statistics.
    A bias that waits to be added to x changes only the running mean: the batch's takes it away.
    In training x is centred first: E[x²] − mean² would lose the variance of a channel whose mean is
    far from 0, and find less than none.
    """
    pieces, trains = len(node.inputs) - 4, bool(node.attrs.get("training_mode"))
    form = lo.laid if trains else lo.settled
    images = [form(x) if lo.is_image(x) else None for x in node.inputs[:pieces]]
    xs = [
        image.value if image else lo.plain(x)
        for image, x in zip(images, node.inputs[:pieces], strict=True)
    ]
    gamma, beta, old_mean, old_var = (lo.plain(v) for v in node.inputs[pieces:])
    mean, var, offset = old_mean, old_var, old_mean
    if trains:
        mean = _mean(lo, "ReduceSum", xs)
        middle = lo.tape.op("StopGradient", mean)
        xs = [lo.tape.op("Sub", x, middle) for x in xs]
        var = _mean(lo, "ReduceSumSquare", xs)  # its gradient does not reach the mean: Σ (x−m) = 0
        offset = lo.tape.op("Sub", mean, middle)  # 0, but for its gradient
    scale = lo.tape.op("Mul", _rstd(lo, var, node.attrs["epsilon"]), gamma)
    shift = lo.tape.op("Sub", beta, lo.tape.op("Mul", offset, scale))
    made = list[Form]()
    for image, x in zip(images, xs, strict=True):
        y = lo.tape.op("Add", lo.tape.op("Mul", x, scale), shift)
        made.append(replace(image, value=y, bias=None) if image else y)
    if len(node.outputs) == 1:
        return made
    count = sum(x.size for x in xs) // int(gamma.shape[0])
    keep = node.attrs["momentum"]
    unbiased = lo.tape.op("Mul", var, lo.tape.scalar(count / max(1, count - 1), var.dtype))
    if images[0] and images[0].bias:
        mean = lo.tape.op("Add", mean, images[0].bias)
    return [*made, _moved(lo, old_mean, mean, keep), _moved(lo, old_var, unbiased, keep)]


def _mean(lo: Lowering, op: str, xs: list[Value]) -> Value:
    """The sum of each channel (the last axis) over all pieces, over their count, as (C,)."""
    axes = lo.tape.ints(range(len(xs[0].shape) - 1))
    count = sum(prod(int(d) for d in x.shape[:-1]) for x in xs)
    sums = [lo.tape.op(op, x, axes, keepdims=0) for x in xs]
    return lo.tape.op("Mul", lo.tape.sum(sums), lo.tape.scalar(1 / count, xs[0].dtype))


def _rstd(lo: Lowering, var: Value, eps: float) -> Value:
    shifted = lo.tape.op("Add", var, lo.tape.scalar(eps, var.dtype))
    return lo.tape.op("Reciprocal", lo.tape.op("Sqrt", shifted))


def _moved(lo: Lowering, old: Value, new: Value, keep: float) -> Value:
    """keep · old + (1 − keep) · new, the order of the statistics."""
    kept = lo.tape.op("Mul", old, lo.tape.scalar(keep, old.dtype))
    return lo.tape.op("Add", kept, lo.tape.op("Mul", new, lo.tape.scalar(1 - keep, old.dtype)))


def _normalised(lo: Lowering, x: Value, axes: list[int], eps: float) -> Value:
    """(x − mean) / √(var + ε) over axes, two passes."""
    along = lo.tape.ints(axes)
    centred = lo.tape.op("Sub", x, lo.tape.op("ReduceMean", x, along, keepdims=1))
    square = lo.tape.op("Mul", centred, centred)
    var = lo.tape.op("ReduceMean", square, along, keepdims=1)
    return lo.tape.op("Mul", centred, _rstd(lo, var, eps))


@lowers("LayerNormalization")
def _layer_norm(lo: Lowering, node: Node) -> "Form | list[Form]":
    x, weight, bias = (lo.plain(v) for v in node.inputs)
    normed = _normalised(lo, x, [len(x.shape) - 1], node.attrs["epsilon"])
    return lo.tape.op("Add", lo.tape.op("Mul", normed, weight), bias)


@lowers("InstanceNormalization")
def _instance_norm(lo: Lowering, node: Node) -> "Form | list[Form]":
    x, weight, bias = (lo.plain(v) for v in node.inputs)
    rank = len(x.shape)
    normed = _normalised(lo, x, list(range(2, rank)), node.attrs["epsilon"])
    column = (-1, *(1 for _ in range(rank - 2)))
    scaled = lo.tape.op("Mul", normed, lo.tape.reshape(weight, *column))
    return lo.tape.op("Add", scaled, lo.tape.reshape(bias, *column))


@lowers("LRN")
def _lrn(lo: Lowering, node: Node) -> "Form | list[Form]":
    """y = x / (k + alpha/size · Σ x²)^beta; the sum over channels is a product by a band matrix."""
    import numpy as np

    x: Laid = lo.settled(node.inputs[0])
    half = node.attrs["size"] // 2
    away = np.abs(np.subtract.outer(np.arange(x.channels), np.arange(x.channels)))
    band = (away <= half).astype(np.dtype(x.value.dtype)) * node.attrs["alpha"] / node.attrs["size"]
    squares = lo.tape.op("Mul", x.value, x.value)
    sums = lo.tape.op("MatMul", squares, lo.tape.const(band.astype(np.dtype(x.value.dtype))))
    base = lo.tape.op("Add", sums, lo.tape.scalar(node.attrs["bias"], x.value.dtype))
    power = lo.tape.op("Pow", base, lo.tape.scalar(-node.attrs["beta"], x.value.dtype))
    return replace(x, value=lo.tape.op("Mul", x.value, power))
