"""Gradients of products: MatMul, Gemm, Conv, ConvTranspose."""

import numpy as np

from cnndsl.graph.tape import Value
from cnndsl.graph.vjp import Grad, unbroadcast, vjp


def _transposed(g: Grad, x: Value) -> Value:
    """The last two axes exchanged; of a constant at once."""
    if x in g.tape.consts:
        return g.tape.const(np.ascontiguousarray(np.swapaxes(g.tape.consts[x], -1, -2)))
    rank = len(x.shape)
    return g.op("Transpose", x, perm=(*range(rank - 2), rank - 1, rank - 2))


@vjp("MatMul", 0)  # dA = dY · Bᵀ
def _matmul_a(g: Grad) -> Value:
    return unbroadcast(g.tape, g.op("MatMul", g.dy, _transposed(g, g.x(1))), g.x(0).shape)


@vjp("MatMul", 1)  # dB = Aᵀ · dY
def _matmul_b(g: Grad) -> Value:
    return unbroadcast(g.tape, g.op("MatMul", _transposed(g, g.x(0)), g.dy), g.x(1).shape)


@vjp("Gemm", 0)  # dA = dY · B'ᵀ, transposed where A was
def _gemm_a(g: Grad) -> Value:
    flip = g.attr("transB", 0)
    if g.attr("transA", 0):
        return g.op("Gemm", g.x(1), g.dy, transA=flip, transB=1)
    return g.op("Gemm", g.dy, g.x(1), transB=1 - flip)


@vjp("Gemm", 1)  # dB = A'ᵀ · dY, transposed where B was
def _gemm_b(g: Grad) -> Value:
    flip = g.attr("transA", 0)
    if g.attr("transB", 0):
        return g.op("Gemm", g.dy, g.x(0), transA=1, transB=flip)
    return g.op("Gemm", g.x(0), g.dy, transA=1 - flip)


@vjp("Gemm", 2)  # dC = dY, summed over the rows where C is one
def _gemm_c(g: Grad) -> Value:
    return g.fit(g.dy, 2)


@vjp("Conv", 0)  # dx = dy ∗ᵀ w
def _conv_x(g: Grad) -> Value:
    strides, pads, dilations = g.attr("strides"), g.attr("pads"), g.attr("dilations", (1, 1))
    extra = tuple(
        int(g.x(0).shape[i + 2])
        - ((int(g.dy.shape[i + 2]) - 1) * strides[i] - pads[i] - pads[i + 2])
        - ((int(g.x(1).shape[i + 2]) - 1) * dilations[i] + 1)
        for i in range(2)
    )
    return g.op(
        "ConvTranspose", g.dy, g.x(1), kernel_shape=g.x(1).shape[2:], strides=strides, pads=pads,
        dilations=dilations, group=g.attr("group", 1), output_padding=extra,
    )  # fmt: skip


@vjp("Conv", 1)  # dw[o,c,u,v] = Σ_n,i,j dy[n,o,i,j] · x[n, c, i·s+u·d, j·s+v·d]
def _conv_w(g: Grad) -> Value:
    return _weight_gradient(g, g.x(0), g.dy)


@vjp("Conv", 2)  # db = Σ_n,i,j dy
@vjp("ConvTranspose", 2)
def _conv_b(g: Grad) -> Value:
    return g.op("ReduceSum", g.dy, g.tape.ints([0, 2, 3]), keepdims=0)


@vjp("ConvTranspose", 0)  # dx = dy ∗ w
def _conv_transpose_x(g: Grad) -> Value:
    names = ("kernel_shape", "strides", "pads")
    attrs = {name: g.attr(name) for name in names}
    dilations = g.attr("dilations", (1, 1))
    return g.op("Conv", g.dy, g.x(1), dilations=dilations, group=g.attr("group", 1), **attrs)


@vjp("ConvTranspose", 1)  # as Conv, with x and dy exchanged
def _conv_transpose_w(g: Grad) -> Value:
    return _weight_gradient(g, g.dy, g.x(0))


def _weight_gradient(g: Grad, x: Value, dy: Value) -> Value:
    """One Conv with the batch as channels: the strides become dilations and the other way round."""
    groups = g.attr("group", 1)
    n, c, h, w = (int(d) for d in x.shape)
    split = g.tape.reshape(x, n, groups, c // groups, h * w)
    moved = g.op("Transpose", split, perm=(2, 1, 0, 3))
    images = g.tape.reshape(moved, c // groups, groups * n, h, w)
    kernels = g.op("Transpose", dy, perm=(1, 0, 2, 3))
    full = g.op(
        "Conv", images, kernels, kernel_shape=kernels.shape[2:], pads=g.attr("pads"), group=groups,
        strides=g.attr("dilations", (1, 1)), dilations=g.attr("strides"),
    )  # fmt: skip
    kernel = tuple(int(d) for d in g.me.shape[2:])
    if full.shape[2:] != kernel:
        full = g.op("Slice", full, g.tape.ints([0, 0]), g.tape.ints(kernel), g.tape.ints([2, 3]))
    return g.op("Transpose", full, perm=(1, 0, 2, 3))
