"""Products, norms, activations, constants, and what only renames."""

from math import inf, isclose
from typing import Any

import numpy as np

from cnndsl.decompile.fuse import per_channel
from cnndsl.decompile.graph import Op, shortest
from cnndsl.decompile.merges import bounded
from cnndsl.decompile.reader import Reader, reads
from cnndsl.layers import activation as act
from cnndsl.layers.base import Layer
from cnndsl.layers.dense import Dense, Flatten
from cnndsl.layers.norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm
from cnndsl.layers.pool import GlobalAveragePool, GlobalMaxPool
from cnndsl.layers.rearrange import Reshape, Shuffle, Upsample
from cnndsl.layers.softmax import LogSoftmax, Softmax

_PLAIN: dict[str, type[Layer]] = {
    "Relu": act.Relu, "Sigmoid": act.Sigmoid, "Tanh": act.Tanh, "Softplus": act.Softplus,
    "Mish": act.Mish, "HardSwish": act.HardSwish, "Silu": act.Silu, "HardSigmoid6": act.HardSigmoid,
    "GlobalAveragePool": GlobalAveragePool, "GlobalMaxPool": GlobalMaxPool,
}  # fmt: skip


@reads(*_PLAIN)
def _plain(r: Reader, op: Op) -> int:
    return r.add(op, _PLAIN[op.kind](), r.x(op))


# Products


@reads("Gemm", "MatMul")
def _dense(r: Reader, op: Op) -> int:
    x, weight, bias = r.x(op), r.weight(op, 1), r.array(op, 2)
    if op.attrs.get("transA") or not r.is_flat(x) or weight.ndim != 2:
        op.refuse("`dense` takes rows of features and one matrix")
    rows = (weight if op.attrs.get("transB") else weight.T) * op.attrs.get("alpha", 1.0)
    if bias is None:
        return r.add(op, Dense(len(rows), bias=False), x, weight=rows)
    shift = per_channel(bias, len(rows), 2)
    if shift is None:
        op.refuse("its bias is not a number for each output")
    shift = shift * op.attrs.get("beta", 1.0)
    return r.add(op, Dense(len(rows), bias=True), x, weight=rows, bias=shift)


# Norms


@reads("BatchNormalization")
def _batch_norm(r: Reader, op: Op) -> int:
    if op.attrs.get("training_mode"):
        op.refuse("works with the statistics of the batch; export the model for inference")
    names = ("weight", "bias", "running_mean", "running_var")
    tensors = {name: r.weight(op, i) for i, name in enumerate(names, 1)}
    return r.add(op, BatchNorm(_eps(op)), r.x(op), **tensors)


def _eps(op: Op) -> float:
    return op.attrs.get("epsilon", 1e-5)


@reads("LayerNormalization", "ChannelNormalization")
def _layer_norm(r: Reader, op: Op) -> int:
    """As it stands for vectors; over the channels of an image between two transpositions."""
    x = r.x(op)
    if r.is_flat(x) != (op.kind == "LayerNormalization") or any(op.outputs[1:]):
        op.refuse("`ln` works over the channels of each position, and gives one result")
    weight, bias = r.weight(op, 1), r.array(op, 2)
    shift = np.zeros_like(weight) if bias is None else bias
    return r.add(op, LayerNorm(_eps(op)), x, weight=weight, bias=shift)


@reads("InstanceNormalization")
def _instance_norm(r: Reader, op: Op) -> int:
    x, _ = r.image(op)
    return r.add(op, InstanceNorm(_eps(op)), x, weight=r.weight(op, 1), bias=r.weight(op, 2))


@reads("GroupNormalization")
def _group_norm(r: Reader, op: Op) -> int:
    """Scale and shift are by channel, in the oldest form of the operator by group."""
    x, (channels, _, _) = r.image(op)
    groups = op.attrs.get("num_groups", 1)
    tensors = [r.weight(op, i).reshape(-1) for i in (1, 2)]
    weight, bias = [np.repeat(t, channels // max(1, len(t))) for t in tensors]
    return r.add(op, GroupNorm(groups, _eps(op)), x, weight=weight, bias=bias)


@reads("LRN")
def _lrn(r: Reader, op: Op) -> int:
    x, _ = r.image(op)
    named = {"alpha": op.attrs.get("alpha", 1e-4), "beta": op.attrs.get("beta", 0.75)}
    layer = LocalResponseNorm(op.attrs.get("size", 1), k=op.attrs.get("bias", 1.0), **named)
    return r.add(op, layer, x)


# Activations


@reads("LeakyRelu")
def _leaky(r: Reader, op: Op) -> int:
    return r.add(op, act.LeakyRelu(op.attrs.get("alpha", 0.01)), r.x(op))


@reads("Elu")
def _elu(r: Reader, op: Op) -> int:
    return r.add(op, act.Elu(op.attrs.get("alpha", 1.0)), r.x(op))


@reads("Selu")
def _selu(r: Reader, op: Op) -> int:
    alpha, gamma = op.attrs.get("alpha", 1.67326319), op.attrs.get("gamma", 1.05070102)
    if not isclose(alpha, 1.67326324, rel_tol=1e-6) or not isclose(gamma, 1.0507010, rel_tol=1e-6):
        op.refuse("`selu` has the factors of the paper only")
    return r.add(op, act.Selu(), r.x(op))


@reads("PRelu")
def _prelu(r: Reader, op: Op) -> int:
    x = r.x(op)
    return r.add(op, act.PRelu(), x, weight=r.channels(op, r.weight(op, 1), x))


@reads("Gelu")
def _gelu(r: Reader, op: Op) -> int:
    if op.attrs.get("approximate", "none") != "none":
        op.refuse("`gelu` is the exact form, not the approximation by tanh")
    return r.add(op, act.Gelu(), r.x(op))


@reads("HardSigmoid")
def _hard_sigmoid(r: Reader, op: Op) -> int:
    """Another slope than the word's 1/6 is a factor before it."""
    slope, middle = op.attrs.get("alpha", 0.2), op.attrs.get("beta", 0.5)
    if middle != 0.5:
        op.refuse(f"`hsigmoid` is 0.5 at 0, not {middle:g}")
    x = r.x(op)
    factors = np.full((r.shapes[x][0], *(1 for _ in r.shapes[x][1:])), 6 * slope, np.float32)
    scaled = r.add(op, act.Scale(shortest(6 * slope)), x, weight=factors)
    return r.add(op, act.HardSigmoid(), scaled)


@reads("Clip")
def _clip(r: Reader, op: Op) -> int:
    return bounded(r, op, r.x(op), r.number(op, 1, -inf), r.number(op, 2, inf))


@reads("Softmax", "LogSoftmax")
def _softmax(r: Reader, op: Op) -> int:
    x = r.x(op)
    rank = len(r.shapes[x]) + 1
    layer = Softmax() if op.kind == "Softmax" else LogSoftmax()
    if op.attrs.get("axis", -1) % rank != 1:
        op.refuse(f"`{layer.word}` is over the channels")
    return r.add(op, layer, x)


# Constants


@reads("Affine")
def _affine(r: Reader, op: Op) -> int:
    """Factors are `scale`; with constants that are added, `bn` of mean 0 and variance 1."""
    x = r.x(op)
    weight, bias = (op.attrs[name].astype(np.float32) for name in ("weight", "bias"))
    if bias.any():
        layer = BatchNorm()
        variance = np.full_like(weight, 1 - layer.eps)
        return r.add(op, layer, x, weight=weight, bias=bias,
                     running_mean=np.zeros_like(weight), running_var=variance)  # fmt: skip
    factors = weight.reshape(-1, *(1 for _ in r.shapes[x][1:]))
    value = shortest(weight[0]) if bool((weight == weight[0]).all()) else 1.0
    return r.add(op, act.Scale(value), x, weight=factors)


# Positions


@reads("Cast")
def _cast(r: Reader, op: Op) -> int:
    if op.attrs.get("to") != 1:
        op.refuse("a spec computes in float32")
    return r.x(op)


@reads("Identity", "Dropout")
def _nothing(r: Reader, op: Op) -> int:
    if any(op.outputs[1:]) or r.number(op, 2, 0.0):
        op.refuse("works in training; export the model for inference")
    return r.x(op)


@reads("Flatten", "Reshape", "Squeeze", "Unsqueeze")
def _renamed(r: Reader, op: Op) -> int:
    """The same values in the same order; which shape, onnx says."""
    x = r.x(op)
    shape = r.same_values(x, op)
    if shape == r.shapes[x]:
        return x
    return r.add(op, Flatten() if len(shape) == 1 else Reshape(shape), x)


@reads("Shuffle")
def _shuffle(r: Reader, op: Op) -> int:
    return r.add(op, Shuffle(op.attrs["groups"]), r.x(op))


@reads("ReduceMean", "ReduceMax")
def _global(r: Reader, op: Op) -> int:
    x, _ = r.image(op)
    axes: Any = op.attrs.get("axes", r.array(op, 1, 1))
    if axes is None or {int(a) % 4 for a in axes} != {2, 3}:
        op.refuse("`gap` and `gmp` are over height and width")
    whole = r.add(op, GlobalAveragePool() if op.kind == "ReduceMean" else GlobalMaxPool(), x)
    return whole if op.attrs.get("keepdims", 1) else r.add(op, Flatten(), whole)


@reads("Resize")
def _resize(r: Reader, op: Op) -> int:
    """Integer factors; several spellings of ONNX mean the same for these."""
    x, (channels, height, width) = r.image(op)
    mode, align = _mode(op)
    made = r.graph.shapes.get(op.output, (0, 0, 0, 0))
    factor = made[2] // height, made[3] // width
    if made != (r.graph.batch, channels, height * factor[0], width * factor[1]) or 0 in factor:
        op.refuse("`upsample` enlarges height and width by whole factors")
    scales = r.array(op, 2, 1)
    plain = op.attrs.get("keep_aspect_ratio_policy", "stretch") == "stretch"
    if not plain or (scales is not None and scales.size and tuple(scales) != (1, 1, *factor)):
        op.refuse("`upsample` enlarges by whole factors")
    return r.add(op, Upsample(factor, mode, align), x)


_NEAREST = {
    ("asymmetric", "floor"),
    *((c, n) for c in ("half_pixel", "pytorch_half_pixel")
      for n in ("round_prefer_floor", "round_prefer_ceil")),
}  # fmt: skip


def _mode(op: Op) -> tuple[str, bool]:
    """The interpolation, and whether it goes from corner to corner."""
    mode = op.attrs.get("mode", "nearest")
    where = op.attrs.get("coordinate_transformation_mode", "half_pixel")
    rounding = op.attrs.get("nearest_mode", "round_prefer_floor")
    if mode == "nearest" and (where, rounding) in _NEAREST:
        return "nearest", False
    if mode == "linear" and where in ("half_pixel", "pytorch_half_pixel"):
        return "bilinear", False
    if mode == "linear" and where == "align_corners":
        return "bilinear", True
    op.refuse(f"`upsample` has no {mode} of {where} ({rounding})")


@reads("Transpose")
def _turned(r: Reader, op: Op) -> int:
    """What is left of them is no shuffle of channels, and no region with the channels last."""
    axes = ", ".join(map(str, op.attrs.get("perm", ()))) or "the reverse"
    op.refuse(f"turns the axes to {axes}; channels come first here, and how to do without is not "
              "clear")  # fmt: skip
